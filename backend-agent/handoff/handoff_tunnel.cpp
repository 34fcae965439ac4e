#include "backend-agent/handoff/handoff_tunnel.hpp"

#include "l2tp/control_connection.hpp"
#include "l2tp/header.hpp"
#include "l2tp/message.hpp"

namespace sluice::agent {
namespace {

/// Where the tunnel id stands (RFC 2661 §3.1): behind the flags, and the length if there is one.
std::size_t tunnel_id_at(Bytes packet) {
  constexpr std::uint8_t kLength = 0x40;
  return (packet[0] & kLength) != 0 ? 4 : 2;
}

/// The server names its tunnel in these; 0 when the message does not, nothing when it hides it.
struct Assigned {
  TunnelId id;
  std::size_t at = 0;
  bool hidden = false;
};
Assigned assigned_tunnel(Bytes packet, const l2tp::Header& header) {
  if (header.zlb()) return {};
  const auto message = l2tp::parse_message(header.payload);
  if (!message) return {};
  if (!message->is(l2tp::MessageType::kSccrp) && !message->is(l2tp::MessageType::kStopCcn)) return {};
  if (const auto* avp = message->find(l2tp::AvpType::kAssignedTunnelId)) {
    return {message->assigned_tunnel(), static_cast<std::size_t>(avp->value.data() - packet.data())};
  }
  for (const auto& avp : message->avps()) {
    if (avp.is(l2tp::AvpType::kAssignedTunnelId) && avp.hidden) return {.id = {}, .hidden = true};
  }
  return {};
}

}  // namespace

std::string_view to_string(HandoffDrop reason) {
  switch (reason) {
    case HandoffDrop::kUnknownTunnel:
      return "unknown-tunnel";
    case HandoffDrop::kNotL2tp:
      return "not-l2tp";
    case HandoffDrop::kNotAnswered:
      return "not-answered";
    case HandoffDrop::kHiddenTunnelId:
      return "hidden-tunnel-id";
    case HandoffDrop::kSendFailed:
      return "send-failed";
    case HandoffDrop::kServerRefused:
      return "server-refused";
    case HandoffDrop::kTooLarge:
      return "too-large";
    case HandoffDrop::kCount:
      break;
  }
  return "unknown";
}

void HandoffTunnel::note(const l2tp::Observer& observer, l2tp::Observation observation) {
  using l2tp::Observation;
  if (observation == Observation::kNothing || observation == Observation::kUnreadable) return;
  change_ = Change{observation, {}};
  if (observation == Observation::kSessionUp && !observer.sessions().empty())
    change_->session = observer.sessions().back();
}

void HandoffTunnel::measure(const l2tp::Classified& packet) {
  ppp_octets_.reset();
  if (packet.kind == l2tp::PacketKind::kData) ppp_octets_ = packet.payload_size;
}

std::optional<HandoffDrop> HandoffTunnel::from_client(MutableBytes packet) {
  change_.reset();
  const auto found = l2tp::classify(packet);
  measure(found);
  if (found.kind == l2tp::PacketKind::kBad) return HandoffDrop::kNotL2tp;
  if (found.tunnel && found.tunnel != ours_) return HandoffDrop::kUnknownTunnel;
  if (found.is_control()) note(for_client_, for_client_.from_client(packet));
  if (found.tunnel) {
    if (!servers_) return HandoffDrop::kNotAnswered;
    store_be16(packet.data() + tunnel_id_at(packet), servers_.value());
  } else if (!found.is_control()) {
    return HandoffDrop::kUnknownTunnel;
  }
  if (found.is_control()) for_server_.from_agent(packet);
  return std::nullopt;
}

std::optional<HandoffDrop> HandoffTunnel::from_server(MutableBytes packet) {
  change_.reset();
  const auto found = l2tp::classify(packet);
  measure(found);
  if (found.kind == l2tp::PacketKind::kBad) return HandoffDrop::kNotL2tp;
  if (!found.is_control()) return std::nullopt;
  const auto header = l2tp::parse_header(packet);
  if (!header) return HandoffDrop::kNotL2tp;
  const Assigned assigned = assigned_tunnel(packet, *header);
  if (assigned.hidden) return HandoffDrop::kHiddenTunnelId;
  for_server_.from_client(packet);
  if (assigned.id) {
    servers_ = assigned.id;
    store_be16(packet.data() + assigned.at, ours_.value());
  }
  note(for_client_, for_client_.from_agent(packet));
  return std::nullopt;
}

std::optional<ByteVector> HandoffTunnel::farewell_to_client(std::string_view text) {
  return for_client_.farewell(l2tp::StopResult::kShuttingDown, text);
}
std::optional<ByteVector> HandoffTunnel::farewell_to_server(std::string_view text) {
  return for_server_.farewell(l2tp::StopResult::kShuttingDown, text);
}

bool HandoffTunnel::over() const {
  const auto& closed = for_client_.closed();
  if (!closed) return false;
  const auto other = closed->by == l2tp::Side::kClient ? l2tp::Side::kAgent : l2tp::Side::kClient;
  return l2tp::sequence_ahead(for_client_.expects(other), for_client_.next_ns(closed->by)) >= 0;
}

}  // namespace sluice::agent
