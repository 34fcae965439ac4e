#pragma once
// Both cores of the control stream, and a stream between them that can be cut anywhere.
#include <gtest/gtest.h>

#include <set>

#include "proto/channel/control_session.hpp"
#include "tests/unit/proto/seeded_random.hpp"

namespace sluice::channel::ends {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kEdgeWorkers = 2, kAgentWorkers = 3;

inline Hello a_hello() {
  Hello hello;
  hello.boot_id = 5;
  hello.weight = 10;
  hello.workers = kAgentWorkers;
  hello.data_port = 7000;
  hello.software = "test";
  return hello;
}

/// Both cores and a stream between them that can be cut anywhere.
struct Pair {
  explicit Pair(Hello hello = a_hello(), CarrierMode carrier = CarrierMode::kAuto)
      : edge({.edge_name = "edge1",
              .boot_id = 1,
              .workers = kEdgeWorkers,
              .data_port = 6000,
              .carrier = carrier,
              .times = {}},
             edge_spis, now),
        agent({.hello = std::move(hello), .times = {}}, agent_spis, now) {}

  void collect() {
    for (auto event = edge.poll_event(); event; event = edge.poll_event())
      edge_events.push_back(std::move(*event));
    for (auto event = agent.poll_event(); event; event = agent.poll_event())
      agent_events.push_back(std::move(*event));
  }
  void exchange() {
    for (int quiet = 0; quiet < 2;) {
      const auto to_edge = agent.poll_transmit();
      const auto to_agent = edge.poll_transmit();
      quiet = to_edge.empty() && to_agent.empty() ? quiet + 1 : 0;
      if (!to_edge.empty()) edge.on_bytes(to_edge, now);
      if (!to_agent.empty()) agent.on_bytes(to_agent, now);
    }
    collect();
  }
  /// Time goes by in steps of 100 ms; `both` false: only the edge's.
  void pass(Duration span, bool agent_runs = true, bool edge_runs = true) {
    for (Duration gone{}; gone < span; gone += milliseconds(100)) {
      now += milliseconds(100);
      if (edge_runs) edge.on_timeout(now);
      if (agent_runs) agent.on_timeout(now);
      if (agent_runs && edge_runs) exchange();
      collect();
    }
  }
  template <class T, class Events>
  static std::vector<T> only(const Events& events) {
    std::vector<T> out;
    for (const auto& event : events) {
      if (const auto* found = std::get_if<T>(&event)) out.push_back(*found);
    }
    return out;
  }
  template <class T>
  std::vector<T> at_edge() const {
    return only<T>(edge_events);
  }
  template <class T>
  std::vector<T> at_agent() const {
    return only<T>(agent_events);
  }

  TunnelOpen open(std::uint32_t relay) const {
    return {RelayId(relay),
            0,
            1,
            TunnelId(static_cast<std::uint16_t>(relay)),
            {IpAddress::v4(0x0a000001), 4500},
            IpAddress::v4(0x0a000002),
            "peer",
            "AES",
            "c",
            1400};
  }

  Instant now{};
  test::SeededRandom random{7};
  RandomSpiSource edge_spis{kEdgeWorkers, random};
  RandomSpiSource agent_spis{kAgentWorkers, random};
  EdgeControl edge;
  AgentControl agent;
  std::vector<EdgeEvent> edge_events;
  std::vector<AgentEvent> agent_events;
};

inline ByteVector framed(const Message& message) {
  ByteVector out;
  EXPECT_TRUE(append_frame(out, encode(message)));
  return out;
}

}  // namespace sluice::channel::ends
