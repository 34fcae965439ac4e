#pragma once
// Why the data plane dropped a packet: one enumerator, one counter. The protocol cores have reasons of their
// own.

#include <cstdint>
#include <string_view>

namespace sluice::edge {

enum class Drop : std::uint8_t {
  kTooShort,           ///< on UDP 4500: neither keepalive, IKE nor ESP
  kUnknownSpi,         ///< ESP for an SA that is not installed
  kNotL2tp,            ///< opened, but not UDP to port 1701
  kBadUdpLength,       ///< opened, but the UDP length does not fit
  kBadL2tp,            ///< the L2TP header is malformed
  kUnknownTunnel,      ///< L2TP for a tunnel that this peer does not have; never answered
  kControlRate,        ///< more L2TP control messages from one peer than its budget
  kNotSccrq,           ///< a control message without a tunnel that is no SCCRQ
  kNoPath,             ///< the tunnel's agent is gone
  kNoOutboundSa,       ///< the peer has no SA to send on
  kUnknownChannelSpi,  ///< a data frame on no path
  kBadChannelFrame,    ///< opened, but not a relay frame
  kUnknownRelay,       ///< a data frame for a relay that is gone
  kForeignRelay,       ///< an agent named another agent's relay
  kWrongTunnel,        ///< an agent's packet names a tunnel that is not the client's
  kQueueFull,          ///< the control thread did not keep up
  kNoBuffer,           ///< no room to build the packet
  kCount
};

constexpr std::string_view name_of(Drop drop) {
  switch (drop) {
    case Drop::kTooShort:
      return "too-short";
    case Drop::kUnknownSpi:
      return "unknown-spi";
    case Drop::kNotL2tp:
      return "not-l2tp";
    case Drop::kBadUdpLength:
      return "bad-udp-length";
    case Drop::kBadL2tp:
      return "bad-l2tp";
    case Drop::kUnknownTunnel:
      return "unknown-tunnel";
    case Drop::kControlRate:
      return "control-rate";
    case Drop::kNotSccrq:
      return "not-sccrq";
    case Drop::kNoPath:
      return "no-path";
    case Drop::kNoOutboundSa:
      return "no-outbound-sa";
    case Drop::kUnknownChannelSpi:
      return "unknown-channel-spi";
    case Drop::kBadChannelFrame:
      return "bad-channel-frame";
    case Drop::kUnknownRelay:
      return "unknown-relay";
    case Drop::kForeignRelay:
      return "foreign-relay";
    case Drop::kWrongTunnel:
      return "wrong-tunnel";
    case Drop::kQueueFull:
      return "queue-full";
    case Drop::kNoBuffer:
      return "no-buffer";
    case Drop::kCount:
      break;
  }
  return "?";
}

}  // namespace sluice::edge
