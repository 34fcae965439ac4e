#pragma once
// The client end of one L2TP tunnel: for probes, the swarm and tests.

#include "l2tp/tunnel.hpp"

namespace sluice::l2tp {

/// One object is one tunnel of the client (LAC) role. connect(), wait for TunnelUp, then open_session().
class LacTunnel final : public Tunnel {
 public:
  LacTunnel(TunnelConfig config, RandomSource& random) : Tunnel(Role::kLac, std::move(config), random) {}

  /// Sends SCCRQ. Once only.
  void connect(Instant now) { start_connect(now); }
  /// Sends ICRQ and gives the local session id; nothing while the tunnel is not up or max_sessions are open.
  std::optional<SessionId> open_session(Instant now, const CallInfo& call = {}) {
    return start_call(call, now);
  }
};

}  // namespace sluice::l2tp
