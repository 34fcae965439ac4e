#include "proto/channel/messages.hpp"

namespace sluice::channel {

std::string_view to_string(CloseCause cause) {
  switch (cause) {
    case CloseCause::kUnspecified:
      return "unspecified";
    case CloseCause::kByClient:
      return "closed by the client";
    case CloseCause::kByAgent:
      return "closed by the agent";
    case CloseCause::kPeerGone:
      return "peer gone";
    case CloseCause::kAdmin:
      return "closed by an administrator";
    case CloseCause::kEdgeStopping:
      return "edge stopping";
    case CloseCause::kCount:
      break;
  }
  return "";
}

std::string_view name_of(const Message& message) {
  static constexpr std::string_view kNames[] = {
      "unknown",     "hello",         "welcome",        "data_paths",   "load_report", "keep_alive",
      "tunnel_open", "tunnel_accept", "tunnel_refuse",  "tunnel_close", "session_up",  "session_down",
      "goodbye",     "tunnel_resume", "tunnel_resumed", "tunnel_lost",  "tunnel_end"};
  static_assert(std::size(kNames) == std::variant_size_v<Message>);
  return kNames[message.index()];
}

std::string_view to_string(CarrierMode mode) {
  switch (mode) {
    case CarrierMode::kUdp:
      return "udp";
    case CarrierMode::kAuto:
      return "auto";
    case CarrierMode::kTls:
      return "tls";
    case CarrierMode::kCount:
      break;
  }
  return "";
}

std::optional<CarrierMode> parse_carrier_mode(std::string_view text) {
  for (const auto mode : {CarrierMode::kUdp, CarrierMode::kAuto, CarrierMode::kTls}) {
    if (to_string(mode) == text) return mode;
  }
  return std::nullopt;
}

std::optional<CarrierMode> agree(CarrierMode one, CarrierMode other) {
  if (one == other || other == CarrierMode::kAuto) return one;
  if (one == CarrierMode::kAuto) return other;
  return std::nullopt;
}

}  // namespace sluice::channel
