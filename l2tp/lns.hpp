#pragma once
// The server end of one L2TP tunnel: answers SCCRQ and ICRQ, refuses outgoing calls.

#include "l2tp/tunnel.hpp"

namespace sluice::l2tp {

/// One object is one tunnel of the LNS role. Feed it the SCCRQ first. Life: construct, on_datagram(...), ...,
/// close_tunnel() or the peer's StopCCN, then drive it until finished(). `random` outlives it.
class LnsTunnel final : public Tunnel {
 public:
  LnsTunnel(TunnelConfig config, RandomSource& random) : Tunnel(Role::kLns, std::move(config), random) {}
};

}  // namespace sluice::l2tp
