#include "edge/config/placement_config.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sluice::edge {
namespace {

using app::Number;
using app::OneOf;

constexpr std::uint32_t kMostPercent = 10'000;

const std::vector<std::string_view>& policy_names() {
  static const std::vector<std::string_view> kNames{
      name_of(Policy::kLeastLoaded), name_of(Policy::kTwoChoices), name_of(Policy::kRoundRobin),
      name_of(Policy::kIdentityHash)};
  return kNames;
}

std::vector<app::Setting> settings_for(PlacementSettings& p, std::string& policy) {
  auto& load = p.rules.load;
  auto& health = p.health;
  return app::taking(
      app::Takes::kReload,
      {
          {"placement.policy", OneOf{&policy, policy_names()}, "who gets a new tunnel"},
          {"placement.pool", &p.rules.default_pool,
           "for whom no rule matches; empty: the agents that no pool names"},
          {"placement.sticky", &p.sticky, "seconds that a client's former agent is preferred; 0: never"},
          {"placement.sessions", Number{&load.sessions, 0, kMostPercent},
           "how much tunnels count, in percent"},
          {"placement.cpu", Number{&load.cpu, 0, kMostPercent}, "how much a busy worker counts"},
          {"placement.packets", Number{&load.packets, 0, kMostPercent}, "how much packets a second count"},
          {"placement.radius", Number{&load.radius, 0, kMostPercent}, "how much slow RADIUS servers count"},
          {"placement.addresses", Number{&load.addresses, 0, kMostPercent},
           "how much a pool that runs out counts"},
          {"placement.full_packet_rate", Number{&load.full_packet_rate, 1},
           "packets a second of a fully loaded agent"},
          {"placement.slow_start", &health.slow_start, "seconds in which a newcomer catches up; 0: at once"},
          {"placement.eject_after", Number{&health.eject_after, 1, 1000},
           "refusals in a row that eject an agent"},
          {"placement.eject_first", &health.eject_first,
           "seconds of the first ejection; each further one doubles"},
          {"placement.eject_max", &health.eject_max, "seconds of the longest"},
          {"placement.flap_limit", Number{&health.flap_limit, 0, 1000},
           "losses of its channel that take an agent out of rotation; 0: never"},
          {"placement.flap_half_life", &health.flap_half_life, "seconds after which a loss counts half"},
      });
}

void read_pools(app::ConfigFile& file, PlacementRules& rules) {
  file.read_each("pool", [&](const app::ConfigFile::ReadRow& read) {
    Pool pool;
    std::string policy;
    auto allowed = policy_names();
    allowed.emplace_back("");
    read(app::taking(app::Takes::kReload,
                     {{"name", &pool.name, "a name for rules and `spare`", true},
                      {"agents", &pool.agents, "names in agents' certificates, with * and ?", true},
                      {"policy", OneOf{&policy, allowed}, "empty: placement.policy"},
                      {"spare", &pool.spare, "the pool that is asked when this one can take nothing"}}));
    pool.policy = policy_of(policy);
    rules.pools.push_back(std::move(pool));
  });
  file.read_each("pool_rule", [&](const app::ConfigFile::ReadRow& read) {
    PoolRule rule;
    read(app::taking(app::Takes::kReload,
                     {{"listener", &rule.listener, "of which listener; \"main\" is [listen]"},
                      {"identity", &rule.identity, "the client's IKE identity, with * and ?"},
                      {"realm", &rule.realm, "what its IKE identity ends with, after an @ or a dot"},
                      {"pool", &rule.pool, "where it goes", true}}));
    rules.rules.push_back(std::move(rule));
  });
}

/// Names that lead nowhere, with what was meant.
class Names {
 public:
  Names(app::ConfigFile& file, const Config& config) : file_(file) {
    for (const auto& pool : config.placement.rules.pools) pools_.push_back(pool.name);
    for (const auto& listener : config.listeners) listeners_.push_back(listener.name);
  }
  void check_pool(const std::string& key, const std::string& name) { check(key, "pool", name, pools_); }
  void check_listener(const std::string& key, const std::string& name) {
    check(key, "listener", name, listeners_);
  }

 private:
  void check(const std::string& key, const std::string& kind, const std::string& name,
             const std::vector<std::string_view>& known) {
    if (name.empty() || std::ranges::find(known, name) != known.end()) return;
    const auto near = nearest(name, known);
    file_.fail(key, "there is no " + kind + " \"" + escaped(name) + "\"" +
                        (near ? ". Did you mean \"" + std::string(*near) + "\"?" : ""));
  }
  app::ConfigFile& file_;
  std::vector<std::string_view> pools_, listeners_;
};

/// Agents of a pool that may not connect.
void check_members(app::ConfigFile& file, const Config& config) {
  if (config.agents.empty()) return;
  const auto& pools = config.placement.rules.pools;
  for (std::size_t i = 0; i < pools.size(); ++i) {
    for (std::size_t j = 0; j < pools[i].agents.size(); ++j) {
      const auto& pattern = pools[i].agents[j];
      if (std::ranges::any_of(config.agents, [&](const auto& name) { return matches(pattern, name); }))
        continue;
      file.warn("pool[" + std::to_string(i) + "].agents[" + std::to_string(j) + "]",
                "\"" + escaped(pattern) + "\" is none of channel.agents: nobody of that name may connect");
    }
  }
}

void check(app::ConfigFile& file, const Config& config) {
  const auto& rules = config.placement.rules;
  Names names(file, config);
  for (std::size_t i = 0; i < rules.pools.size(); ++i) {
    const auto& pool = rules.pools[i];
    const auto place = "pool[" + std::to_string(i) + "].";
    const auto same = [&](const Pool& other) { return other.name == pool.name; };
    if (pool.name.empty()) file.fail(place + "name", "must not be empty");
    if (std::ranges::count_if(rules.pools, same) > 1) file.fail(place + "name", "is another pool's, too");
    if (pool.agents.empty()) file.fail(place + "agents", "names nobody: who is in this pool?");
    if (pool.spare == pool.name && !pool.name.empty()) file.fail(place + "spare", "is the pool itself");
    names.check_pool(place + "spare", pool.spare);
  }
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    const auto& rule = rules.rules[i];
    const auto place = "pool_rule[" + std::to_string(i) + "].";
    names.check_pool(place + "pool", rule.pool);
    names.check_listener(place + "listener", rule.listener);
  }
  names.check_pool("placement.pool", rules.default_pool);
  const auto& health = config.placement.health;
  if (health.eject_first > health.eject_max)
    file.fail("placement.eject_first", "is longer than placement.eject_max, the longest ejection");
  check_members(file, config);
}

}  // namespace

void read_placement(app::ConfigFile& file, Config& config) {
  std::string policy(name_of(config.placement.rules.policy));
  file.read(settings_for(config.placement, policy));
  config.placement.rules.policy = policy_of(policy).value_or(Policy::kLeastLoaded);
  read_pools(file, config.placement.rules);
  check(file, config);
}

}  // namespace sluice::edge
