#pragma once
// Agents as placement sees them, and repeatable random numbers.

#include <random>
#include <string>
#include <vector>

#include "edge/placement/placement.hpp"

namespace sluice::edge::testing {

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(unsigned seed = 7) : engine_(seed) {}
  void fill(MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937 engine_;
};

inline Candidate agent(std::uint32_t id, std::uint32_t weight = 1, std::uint32_t tunnels = 0) {
  return {.id = BackendId(id),
          .name = "agent" + std::to_string(id),
          .weight = weight,
          .tunnels = tunnels,
          .alive = true};
}

/// Places clients one after another and counts what each agent gets.
struct Fleet {
  std::optional<std::uint32_t> place(PlacementRequest request) {
    const auto decision = decide(rules, request, agents, turns, random);
    if (!decision.chosen) return std::nullopt;
    for (auto& each : agents) {
      if (each.id == *decision.chosen) ++each.tunnels;
    }
    return decision.chosen->value();
  }
  void place_many(int count) {
    for (int i = 0; i < count; ++i) place({.identity = "client" + std::to_string(i) + "@example.net"});
  }
  std::uint32_t tunnels(std::uint32_t id) const {
    for (const auto& each : agents) {
      if (each.id == BackendId(id)) return each.tunnels;
    }
    return 0;
  }

  PlacementRules rules{};
  std::vector<Candidate> agents{};
  Turns turns{};
  SeededRandom random{};
};

}  // namespace sluice::edge::testing
