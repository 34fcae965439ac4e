#pragma once
// What the operations socket shows and takes of placement and draining, as plain values. Thread: control.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.hpp"
#include "base/result.hpp"

namespace sluice::edge {

/// A client that might come.
struct PlacementQuestion {
  std::string identity;  ///< IKE
  std::string listener = "main";
  std::string host;  ///< Host Name AVP
  std::optional<IpAddress> address;
};

/// One agent in the light of that question.
struct PlacementAgentView {
  std::string name;
  bool chosen = false;
  bool eligible = false;  ///< it may take the tunnel
  std::string why;        ///< it does not; empty for those that are eligible
  bool spare = false;     ///< of the spare pool
  double score = 0;       ///< the lowest is the best
  std::uint32_t weight = 1, tunnels = 0;
  std::uint32_t handicap = 0;  ///< tunnels that a newcomer is taken to have besides
  std::uint32_t busy_permille = 0;
  std::uint64_t packets_per_second = 0;
  std::uint32_t radius_ms = 0;
  std::optional<std::uint32_t> free_addresses;
};

struct PlacementView {
  std::vector<PlacementAgentView> agents;
  std::string chosen;  ///< empty: nobody
  std::string policy, pool;
  std::uint32_t rule = 0;  ///< which matched, from 1; 0: none
  std::string text;        ///< a sentence
};

struct DrainRequest {
  std::string agent;                             ///< empty: the edge
  std::optional<std::chrono::seconds> deadline;  ///< from now; nothing: tunnels end by themselves
  std::uint32_t kick_rate = 10;                  ///< tunnels a second
};

struct DrainView {
  std::string agent;                     ///< empty: the edge
  std::int64_t since = 0, deadline = 0;  ///< seconds since the epoch; 0: none
  std::uint32_t kick_rate = 0;
  std::uint32_t began_with = 0, tunnels = 0, sessions = 0;  ///< then, and now
  std::uint32_t ending = 0;                                 ///< of the tunnels, those that are being ended
  std::string state;                                        ///< "waiting", "ending", "empty"
};

/// Whoever can tell and do this. An optional text is why it was not done.
struct PlacementHandlers {
  std::function<PlacementView(const PlacementQuestion&)> explain;
  std::function<std::optional<std::string>(const DrainRequest&)> drain;
  std::function<std::optional<std::string>(const std::string& agent)> undrain;
  std::function<std::vector<DrainView>()> drains;
};

}  // namespace sluice::edge
