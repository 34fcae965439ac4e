#include "edge/placement/placement.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "edge/placement/policies.hpp"

namespace sluice::edge {
namespace {

// A former agent is taken as long as it is not that many times as loaded as the best.
constexpr double kFormerTolerance = 2.0;

struct Name {
  Policy policy;
  std::string_view name;
};
constexpr std::array kNames{
    Name{Policy::kLeastLoaded, "least-loaded"}, Name{Policy::kTwoChoices, "two-choices"},
    Name{Policy::kRoundRobin, "round-robin"}, Name{Policy::kIdentityHash, "identity-hash"}};

const Pool* pool_named(const PlacementRules& rules, std::string_view name) {
  const auto found = std::ranges::find(rules.pools, name, &Pool::name);
  return found == rules.pools.end() ? nullptr : &*found;
}

bool is_member(const Pool& pool, std::string_view agent) {
  return std::ranges::any_of(pool.agents, [&](const auto& pattern) { return matches(pattern, agent); });
}

bool rule_matches(const PoolRule& rule, const PlacementRequest& request) {
  return (rule.listener.empty() || rule.listener == request.listener) &&
         (rule.identity.empty() || matches(rule.identity, request.identity)) &&
         (rule.realm.empty() || in_realm(request.identity, rule.realm));
}

/// Where a client belongs. Null pool: the agents that no pool names.
struct Place {
  const Pool* pool = nullptr;
  const Pool* spare = nullptr;
  std::optional<std::size_t> rule;
};

Place place_of(const PlacementRules& rules, const PlacementRequest& request) {
  Place out;
  std::string_view name = rules.default_pool;
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    if (!rule_matches(rules.rules[i], request)) continue;
    out.rule = i;
    name = rules.rules[i].pool;
    break;
  }
  if (!name.empty()) out.pool = pool_named(rules, name);
  if (out.pool != nullptr && !out.pool->spare.empty()) out.spare = pool_named(rules, out.pool->spare);
  return out;
}

bool belongs(const PlacementRules& rules, const Pool* pool, std::string_view agent) {
  if (pool != nullptr) return is_member(*pool, agent);
  return std::ranges::none_of(rules.pools, [&](const auto& each) { return is_member(each, agent); });
}

std::optional<Out> state_of(const Candidate& agent, const PlacementRequest& request) {
  if (!agent.alive) return Out::kDown;
  if (std::ranges::find(request.tried, agent.id) != request.tried.end()) return Out::kTried;
  if (agent.draining) return Out::kDraining;
  if (!agent.speaks_l2tp) return Out::kNoL2tp;
  if (agent.max_tunnels != 0 && agent.tunnels >= agent.max_tunnels) return Out::kFull;
  if (agent.free_addresses == 0U) return Out::kNoAddress;
  if (agent.late) return Out::kLate;
  if (agent.ejected) return Out::kEjected;
  if (agent.damped) return Out::kDamped;
  return std::nullopt;
}

/// Among those of one tier: the former agent if it is not much worse, else by policy.
void choose(Decision& decision, const std::vector<Scored>& tier, const PlacementRequest& request,
            Turns& turns, RandomSource& random) {
  const auto best = std::ranges::min_element(tier, {}, &Scored::score);
  const auto former =
      std::ranges::find_if(tier, [&](const Scored& each) { return request.former == each.agent->name; });
  if (former != tier.end() && former->score <= best->score * kFormerTolerance) {
    decision.chosen = former->agent->id;
    decision.because = Because::kFormer;
    return;
  }
  decision.because = Because::kPolicy;
  switch (decision.policy) {
    case Policy::kLeastLoaded:
      decision.chosen = least_loaded(tier).agent->id;
      return;
    case Policy::kTwoChoices:
      decision.chosen = two_choices(tier, random).agent->id;
      return;
    case Policy::kRoundRobin:
      decision.chosen = round_robin(tier, turns).agent->id;
      return;
    case Policy::kIdentityHash:
      decision.chosen = identity_hash(tier, client_key(request)).agent->id;
      return;
  }
}

}  // namespace

bool share_pool(const PlacementRules& rules, std::string_view a, std::string_view b) {
  return (belongs(rules, nullptr, a) && belongs(rules, nullptr, b)) ||
         std::ranges::any_of(rules.pools,
                             [&](const Pool& each) { return is_member(each, a) && is_member(each, b); });
}

std::string_view name_of(Policy policy) {
  return std::ranges::find(kNames, policy, &Name::policy)->name;
}

std::optional<Policy> policy_of(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, &Name::name);
  return found == kNames.end() ? std::nullopt : std::optional(found->policy);
}

std::string_view text_of(Out out) {
  switch (out) {
    case Out::kNotInPool:
      return "not in the client's pool";
    case Out::kTried:
      return "refused this tunnel";
    case Out::kDown:
      return "not connected";
    case Out::kDraining:
      return "draining";
    case Out::kNoL2tp:
      return "does not speak L2TP";
    case Out::kFull:
      return "full";
    case Out::kNoAddress:
      return "no address left";
    case Out::kLate:
      return "load report late";
    case Out::kEjected:
      return "ejected: it refused or did not answer";
    case Out::kDamped:
      return "damped: its channel comes and goes";
  }
  return "";
}

double score(const Candidate& agent, const LoadWeights& weights) {
  const auto percent = [](std::uint32_t value) { return static_cast<double>(value) / 100; };
  const auto within = [](double value) { return std::clamp(value, 0.0, 1.0); };
  const double tunnels = static_cast<double>(agent.tunnels) + agent.handicap;
  const double base = (1 + tunnels * percent(weights.sessions)) / std::max(agent.weight, 1U);
  // Half busy is no reason to go elsewhere.
  const double busy = within((static_cast<double>(agent.busy_permille) - 500) / 500);
  const double packets =
      within(static_cast<double>(agent.packets_per_second) / std::max(weights.full_packet_rate, 1U));
  const double radius = within((static_cast<double>(agent.radius_ms) - 100) / 1900);
  // From a tenth left on.
  const double left = agent.free_addresses ? static_cast<double>(*agent.free_addresses) : 1;
  const double scarce =
      agent.free_addresses ? within(1 - 10 * left / (left + static_cast<double>(agent.tunnels) + 1)) : 0;
  return base * (1 + busy * percent(weights.cpu) + packets * percent(weights.packets) +
                 radius * percent(weights.radius) + scarce * percent(weights.addresses));
}

std::string client_key(const PlacementRequest& request) {
  // An address as identity is a private one that half the world has.
  const bool shared = IpAddress::parse(request.identity).has_value() && request.address.has_value();
  return request.identity + '\n' + request.host + '\n' +
         (shared ? request.address->to_string() : std::string());
}

Decision decide(const PlacementRules& rules, const PlacementRequest& request,
                std::span<const Candidate> agents, Turns& turns, RandomSource& random) {
  const auto place = place_of(rules, request);
  Decision out;
  out.rule = place.rule;
  out.pool = place.pool == nullptr ? "" : place.pool->name;
  out.policy = place.pool != nullptr && place.pool->policy ? *place.pool->policy : rules.policy;
  // In the order in which they are asked: rotation before last resort, pool before spare.
  std::array<std::vector<Scored>, 4> tiers;
  for (const auto& agent : agents) {
    Verdict verdict{.id = agent.id, .name = agent.name, .score = score(agent, rules.load)};
    const bool own = belongs(rules, place.pool, agent.name);
    verdict.spare = !own && place.spare != nullptr && is_member(*place.spare, agent.name);
    verdict.out = own || verdict.spare ? state_of(agent, request) : Out::kNotInPool;
    if (!verdict.out || is_last_resort(*verdict.out)) {
      const auto tier = (verdict.out ? 2U : 0U) + (verdict.spare ? 1U : 0U);
      tiers.at(tier).push_back({&agent, verdict.score});
    }
    out.verdicts.push_back(std::move(verdict));
  }
  for (std::size_t tier = 0; tier < tiers.size(); ++tier) {
    if (tiers.at(tier).empty()) continue;
    out.from_spare = tier % 2 == 1;
    out.last_resort = tier >= 2;
    choose(out, tiers.at(tier), request, turns, random);
    break;
  }
  return out;
}

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::optional<std::size_t> star;  // where the last one was, and what it has swallowed
  std::size_t swallowed = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      swallowed = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
      ++p;
      ++t;
    } else if (star) {
      p = *star + 1;
      t = ++swallowed;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool in_realm(std::string_view identity, std::string_view realm) {
  if (const auto at = identity.rfind('@'); at != std::string_view::npos) identity.remove_prefix(at + 1);
  if (same(identity, realm)) return true;
  if (identity.size() <= realm.size()) return false;
  const auto dot = identity.size() - realm.size() - 1;
  return identity[dot] == '.' && same(identity.substr(dot + 1), realm);
}

namespace {

std::string_view by_policy(Policy policy) {
  switch (policy) {
    case Policy::kLeastLoaded:
      return "its score is the lowest";
    case Policy::kTwoChoices:
      return "the better of two that were drawn; the next draw may differ";
    case Policy::kRoundRobin:
      return "it is its turn";
    case Policy::kIdentityHash:
      return "the client's identity leads to it";
  }
  return {};
}

}  // namespace

std::string because_text(const Decision& decision) {
  std::string out(decision.because == Because::kFormer ? "it was the client's agent lately"
                                                       : by_policy(decision.policy));
  if (decision.from_spare) out += "; from the spare pool, for the client's own can take nothing";
  if (decision.last_resort) out += "; although it is out of rotation, for nobody else can take it";
  return out;
}

}  // namespace sluice::edge
