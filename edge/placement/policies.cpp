#include "edge/placement/policies.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "base/siphash.hpp"

namespace sluice::edge {
namespace {

bool better(const Scored& a, const Scored& b) {
  if (a.score != b.score) return a.score < b.score;
  if (a.agent->weight != b.agent->weight) return a.agent->weight > b.agent->weight;
  return a.agent->name < b.agent->name;
}

std::uint64_t weight_of(const Scored& each) {
  return std::max(each.agent->weight, 1U);
}

/// One by weight, passing over `but`.
const Scored& draw(const std::vector<Scored>& agents, const Scored* but, RandomSource& random) {
  std::uint64_t total = 0;
  for (const auto& each : agents) total += &each == but ? 0 : weight_of(each);
  auto left = random.u32() % total;
  for (const auto& each : agents) {
    if (&each == but) continue;
    if (left < weight_of(each)) return each;
    left -= weight_of(each);
  }
  return agents.back();
}

/// In (0, 1).
double unit(std::string_view key, std::string_view agent) {
  // No secret: each edge is to come to the same number.
  static constexpr SipKey kKey{};
  std::string both(key);
  both += '\0';
  both += agent;
  return (static_cast<double>(siphash(kKey, as_bytes(both)) >> 11) + 0.5) * 0x1p-53;
}

}  // namespace

const Scored& least_loaded(const std::vector<Scored>& agents) {
  assert(!agents.empty());
  return *std::ranges::min_element(agents, better);
}

const Scored& two_choices(const std::vector<Scored>& agents, RandomSource& random) {
  assert(!agents.empty());
  if (agents.size() == 1) return agents.front();
  const auto& first = draw(agents, nullptr, random);
  const auto& second = draw(agents, &first, random);
  return better(first, second) ? first : second;
}

const Scored& round_robin(const std::vector<Scored>& agents, Turns& turns) {
  assert(!agents.empty());
  std::int64_t total = 0;
  const Scored* next = nullptr;
  std::int64_t most = 0;
  for (const auto& each : agents) {
    const auto weight = static_cast<std::int64_t>(weight_of(each));
    total += weight;
    const auto owed = turns[each.agent->name] += weight;
    if (next != nullptr && (owed < most || (owed == most && each.agent->name > next->agent->name))) continue;
    next = &each;
    most = owed;
  }
  turns[next->agent->name] -= total;
  return *next;
}

const Scored& identity_hash(const std::vector<Scored>& agents, std::string_view key) {
  assert(!agents.empty());
  const auto rank = [&](const Scored& each) {
    return static_cast<double>(weight_of(each)) / -std::log(unit(key, each.agent->name));
  };
  const Scored* best = nullptr;
  double highest = 0;
  for (const auto& each : agents) {
    const auto mine = rank(each);
    if (best != nullptr && (mine < highest || (mine == highest && better(*best, each)))) continue;
    best = &each;
    highest = mine;
  }
  return *best;
}

}  // namespace sluice::edge
