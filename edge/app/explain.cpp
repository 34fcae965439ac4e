#include "edge/app/explain.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sluice::edge {
namespace {

std::string seconds_left(Instant until, Instant now) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(until - now).count()) + " s more";
}

std::string why_out(const Verdict& verdict, const AgentHealth* health, Instant now) {
  if (!verdict.out) return {};
  std::string out(text_of(*verdict.out));
  const auto add = [&](const std::optional<Instant>& until) {
    if (until) out += ", " + seconds_left(*until, now);
  };
  if (health != nullptr && *verdict.out == Out::kEjected) add(health->ejected_until(now));
  if (health != nullptr && *verdict.out == Out::kDamped) add(health->damped_until(now));
  return out;
}

std::string rule_text(const PlacementRules& rules, const Decision& decision) {
  if (!decision.rule) return decision.pool.empty() ? "the agents that no pool names" : "placement.pool";
  const auto& rule = rules.rules[*decision.rule];
  std::string out = "rule " + std::to_string(*decision.rule + 1);
  const auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) out += " " + std::string(key) + "=" + escaped(value);
  };
  add("listener", rule.listener);
  add("identity", rule.identity);
  add("realm", rule.realm);
  return out;
}

std::string sentence(const PlacementRules& rules, const Decision& decision, const std::string& chosen) {
  const auto where = decision.pool.empty() ? std::string() : " in pool " + decision.pool;
  const auto by = " (" + rule_text(rules, decision) + ")";
  if (!decision.chosen) return "nobody can take it" + where + by;
  return chosen + where + by + ": " + because_text(decision);
}

}  // namespace

PlacementView explain_placement(const Backends& backends, const PlacementQuestion& question, Instant now) {
  const auto decision = backends.explain({.identity = question.identity,
                                          .listener = question.listener,
                                          .host = question.host,
                                          .address = question.address});
  PlacementView out;
  out.policy = name_of(decision.policy);
  out.pool = decision.pool;
  out.rule = decision.rule ? static_cast<std::uint32_t>(*decision.rule) + 1 : 0;
  for (const auto& verdict : decision.verdicts) {
    const auto agent = backends.candidate(backends.all().at(verdict.id));
    auto& row = out.agents.emplace_back();
    row.name = verdict.name;
    row.chosen = decision.chosen == verdict.id;
    row.eligible = !verdict.out.has_value();
    row.why = why_out(verdict, backends.health(verdict.name), now);
    row.spare = verdict.spare;
    row.score = verdict.score;
    row.weight = agent.weight;
    row.tunnels = agent.tunnels;
    row.handicap = static_cast<std::uint32_t>(agent.handicap + 0.5);
    row.busy_permille = agent.busy_permille;
    row.packets_per_second = agent.packets_per_second;
    row.radius_ms = agent.radius_ms;
    row.free_addresses = agent.free_addresses;
    if (row.chosen) out.chosen = row.name;
  }
  std::ranges::stable_sort(out.agents, [](const auto& a, const auto& b) {
    return a.chosen != b.chosen ? a.chosen : a.eligible != b.eligible ? a.eligible : a.score < b.score;
  });
  out.text = sentence(backends.placement().rules, decision, out.chosen);
  return out;
}

}  // namespace sluice::edge
