#pragma once
// What the edge counts for its metrics alone, as it is told. Thread: control.

#include <cstdint>
#include <map>
#include <string>

#include "base/metrics/cause_counts.hpp"
#include "edge/metrics/set_up_times.hpp"

namespace sluice::edge {

struct EdgeCounts {
  SetUpTimes set_up;
  std::uint64_t ike_established = 0, ike_rekeys = 0;
  std::uint64_t child_established = 0, child_rekeys = 0;
  metrics::CauseCounts ike_failures;
  std::uint64_t sessions_started = 0;
  metrics::CauseCounts sessions_ended;

  /// What is remembered of an agent beyond its connection.
  struct Agent {
    std::uint64_t lost = 0;
    bool missed = false;  ///< its last connection ended without a goodbye
  };
  /// By name; more than kMaxAgents are not remembered.
  static constexpr std::size_t kMaxAgents = 1000;
  std::map<std::string, Agent> agents;

  Agent* agent(const std::string& name) {
    if (agents.size() >= kMaxAgents && !agents.contains(name)) return nullptr;
    return &agents[name];
  }
};

}  // namespace sluice::edge
