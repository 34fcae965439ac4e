#pragma once
// What an Lns keeps of a tunnel and of a session; for lns*.cpp alone.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend-agent/lns/lns.hpp"

namespace sluice::agent {

struct Lns::Session {
  Session(Tunnel& owner, SessionSerial number, SessionId local, std::shared_ptr<const ppp::PppConfig> config,
          RandomSource& random, ppp::Drops& drops)
      : tunnel(owner), serial(number), id(local), ppp(std::move(config), random, drops) {}

  Tunnel& tunnel;
  SessionSerial serial;
  SessionId id;
  ppp::PppSession ppp;
  bool was_up = false;
  bool ending = false;  ///< by one of its limits
  bool over = false;
  ppp::Addresses assigned;
  std::vector<Prefix> owned;  ///< what routes_ has of it
  Limits limits;
  std::shared_ptr<const Filter> filter;  ///< lives as long as the session
  std::uint64_t packets_in = 0, packets_out = 0, bytes_in = 0, bytes_out = 0;
};

struct Lns::Tunnel {
  Tunnel(TunnelSpec told, l2tp::TunnelConfig config, RandomSource& random)
      : spec(std::move(told)), l2tp(std::move(config), random) {}

  Session* find(SessionId id) {
    const auto found =
        std::find_if(sessions.begin(), sessions.end(), [&](const auto& s) { return s->id == id; });
    return found == sessions.end() ? nullptr : found->get();
  }

  TunnelSpec spec;
  l2tp::LnsTunnel l2tp;
  std::vector<std::unique_ptr<Session>> sessions;
  std::optional<Instant> wake;  ///< the earliest entry of wakes_ that counts
  std::optional<Instant> empty_since;
  bool held = false;  ///< its channel was cut off
  bool down = false;
  bool by_client = false;
  std::string down_text;
};

}  // namespace sluice::agent
