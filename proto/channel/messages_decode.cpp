#include <limits>
#include <utility>

#include <channel.pb.h>

#include "proto/channel/messages.hpp"

namespace sluice::channel {
namespace {

constexpr std::uint32_t kMaxWeight = 1000;
constexpr std::uint32_t kFirstSpi = 256;  // RFC 4303 §2.1: 0 to 255 are reserved
constexpr std::uint32_t kPortMax = 65535;

/// Takes fields one after another and remembers the first that is out of range.
class Fields {
 public:
  explicit Fields(std::string_view message) : message_(message) {}

  template <class To>
  void number(std::string_view field, std::uint64_t value, std::uint64_t low, std::uint64_t high, To& out) {
    if (value < low || value > high) return wrong(field);
    out = static_cast<To>(value);
  }
  void relay(std::uint32_t value, RelayId& out) {
    if (value == 0) return wrong("relay_id");
    out = RelayId(value);
  }
  void text(std::string_view field, const std::string& value, std::string& out) {
    if (value.size() > kMaxText) return wrong(field);
    out = value;
  }
  void address(std::string_view field, const std::string& value, IpAddress& out) {
    const auto parsed = IpAddress::from_bytes(as_bytes(value));
    if (!parsed) return wrong(field);
    out = *parsed;
  }
  void wrong(std::string_view field) {
    if (error_.empty()) error_ = std::string(message_) + "." + std::string(field);
  }
  template <class T>
  Result<Message, DecodeError> done(T&& value) {
    if (!error_.empty()) return Failure{DecodeError{false, error_}};
    return Message(std::forward<T>(value));
  }

 private:
  std::string_view message_;
  std::string error_;
};

using Decoded = Result<Message, DecodeError>;

// Version 1 says nothing and knows UDP; a later version's carrier is none that both have.
CarrierMode carrier_from_pb(int carrier) {
  if (carrier == pb::CARRIER_AUTO) return CarrierMode::kAuto;
  if (carrier == pb::CARRIER_TLS) return CarrierMode::kTls;
  return CarrierMode::kUdp;
}

Decoded from_pb(const pb::Hello& in) {
  Fields f("hello");
  Hello out;
  f.number("version_min", in.version_min(), 1, in.version_max(), out.version_min);
  f.number("version_max", in.version_max(), 1, std::numeric_limits<std::uint32_t>::max(), out.version_max);
  out.boot_id = in.boot_id();
  f.number("weight", in.weight(), 1, kMaxWeight, out.weight);
  f.number("workers", in.workers(), 1, kMaxWorkers, out.workers);
  f.number("data_port", in.data_port(), 1, kPortMax + 1 - out.workers, out.data_port);
  out.max_sessions = in.max_sessions();
  f.text("software", in.software(), out.software);
  out.carrier = carrier_from_pb(in.carrier());
  return f.done(std::move(out));
}

DataPaths paths_from_pb(Fields& f, const pb::DataPaths& in) {
  DataPaths out{in.epoch(), {}};
  if (in.path_size() == 0 || std::cmp_greater(in.path_size(), kMaxWorkers * kMaxWorkers)) f.wrong("path");
  for (const auto& path : in.path()) {
    DataPath& to = out.paths.emplace_back();
    f.number("path.edge_worker", path.edge_worker(), 0, kMaxWorkers - 1, to.edge_worker);
    f.number("path.agent_worker", path.agent_worker(), 0, kMaxWorkers - 1, to.agent_worker);
    if (path.spi_to_edge() < kFirstSpi) f.wrong("path.spi_to_edge");
    if (path.spi_to_agent() != 0 && path.spi_to_agent() < kFirstSpi) f.wrong("path.spi_to_agent");
    to.spi_to_edge = Spi(path.spi_to_edge());
    to.spi_to_agent = Spi(path.spi_to_agent());
  }
  return out;
}

Decoded from_pb(const pb::Welcome& in) {
  Fields f("welcome");
  Welcome out;
  f.number("version", in.version(), 1, std::numeric_limits<std::uint32_t>::max(), out.version);
  out.boot_id = in.boot_id();
  f.text("edge_name", in.edge_name(), out.edge_name);
  f.number("workers", in.workers(), 1, kMaxWorkers, out.workers);
  f.number("data_port", in.data_port(), 1, kPortMax + 1 - out.workers, out.data_port);
  if (!in.has_paths()) {
    f.wrong("paths");
  } else {
    out.paths = paths_from_pb(f, in.paths());
  }
  out.carrier = carrier_from_pb(in.carrier());
  return f.done(std::move(out));
}

Decoded from_pb(const pb::DataPaths& in) {
  Fields f("data_paths");
  DataPaths out = paths_from_pb(f, in);
  return f.done(std::move(out));
}

Decoded from_pb(const pb::LoadReport& in) {
  return Message(LoadReport{in.sessions(), in.tunnels(), in.cpu_permille(), in.packets_per_second(),
                            in.free_addresses(), in.draining(), in.cpu_wait_permille(), in.radius_ms()});
}

Decoded from_pb(const pb::KeepAlive& in) {
  return Message(KeepAlive{in.sequence()});
}

Decoded from_pb(const pb::TunnelOpen& in) {
  Fields f("tunnel_open");
  TunnelOpen out;
  std::uint16_t tunnel = 0;
  f.relay(in.relay_id(), out.relay);
  f.number("edge_worker", in.edge_worker(), 0, kMaxWorkers - 1, out.edge_worker);
  f.number("agent_worker", in.agent_worker(), 0, kMaxWorkers - 1, out.agent_worker);
  f.number("assigned_tunnel_id", in.assigned_tunnel_id(), 1, 65535, tunnel);
  out.assigned_tunnel = TunnelId(tunnel);
  f.address("client_address", in.client_address(), out.client.address);
  f.number("client_port", in.client_port(), 0, kPortMax, out.client.port);
  f.address("edge_address", in.edge_address(), out.edge_address);
  f.text("peer_identity", in.peer_identity(), out.peer_identity);
  f.text("cipher", in.cipher(), out.cipher);
  f.text("correlation_id", in.correlation_id(), out.correlation_id);
  f.number("ppp_mtu", in.ppp_mtu(), 0, 65535, out.ppp_mtu);
  out.probe = in.probe();
  f.number("l2tp_port", in.l2tp_port(), 0, kPortMax, out.l2tp_port);
  return f.done(std::move(out));
}

Decoded from_pb(const pb::TunnelAccept& in) {
  Fields f("tunnel_accept");
  TunnelAccept out;
  f.relay(in.relay_id(), out.relay);
  return f.done(out);
}

Decoded from_pb(const pb::TunnelRefuse& in) {
  Fields f("tunnel_refuse");
  TunnelRefuse out;
  f.relay(in.relay_id(), out.relay);
  f.text("reason", in.reason(), out.reason);
  return f.done(std::move(out));
}

// A later version's cause is still a close.
CloseCause cause_from_pb(int cause) {
  const bool known = cause > 0 && cause < static_cast<int>(CloseCause::kCount);
  return known ? static_cast<CloseCause>(cause) : CloseCause::kUnspecified;
}

Decoded from_pb(const pb::TunnelClose& in) {
  Fields f("tunnel_close");
  TunnelClose out;
  f.relay(in.relay_id(), out.relay);
  out.cause = cause_from_pb(in.cause());
  f.text("text", in.text(), out.text);
  return f.done(std::move(out));
}

Decoded from_pb(const pb::SessionUp& in) {
  Fields f("session_up");
  SessionUp out;
  std::uint16_t session = 0;
  f.relay(in.relay_id(), out.relay);
  f.number("session_id", in.session_id(), 1, 65535, session);
  out.session = SessionId(session);
  f.text("user", in.user(), out.user);
  f.text("auth_method", in.auth_method(), out.auth_method);
  if (!in.client_ip().empty()) {
    IpAddress address;
    f.address("client_ip", in.client_ip(), address);
    out.client_ip = address;
  }
  out.started_at = in.started_at();
  return f.done(std::move(out));
}

Decoded from_pb(const pb::SessionDown& in) {
  Fields f("session_down");
  SessionDown out;
  std::uint16_t session = 0;
  f.relay(in.relay_id(), out.relay);
  f.number("session_id", in.session_id(), 1, 65535, session);
  out.session = SessionId(session);
  f.text("cause", in.cause(), out.cause);
  f.text("text", in.text(), out.text);
  f.text("user", in.user(), out.user);
  return f.done(std::move(out));
}

Decoded from_pb(const pb::Goodbye& in) {
  Fields f("goodbye");
  Goodbye out;
  f.text("reason", in.reason(), out.reason);
  return f.done(std::move(out));
}

ResumedSession session_from_pb(Fields& f, const pb::ResumedSession& in) {
  ResumedSession out;
  std::uint16_t agent = 0, client = 0;
  f.number("session.session_id", in.session_id(), 1, 65535, agent);
  f.number("session.client_session_id", in.client_session_id(), 0, 65535, client);
  out.agent = SessionId(agent);
  out.client = SessionId(client);
  out.up = in.up();
  f.text("session.user", in.user(), out.user);
  f.text("session.auth_method", in.auth_method(), out.auth_method);
  if (!in.client_ip().empty()) f.address("session.client_ip", in.client_ip(), out.client_ip.emplace());
  out.started_at = in.started_at();
  return out;
}

Decoded from_pb(const pb::TunnelResume& in) {
  Fields f("tunnel_resume");
  TunnelResume out;
  std::uint16_t agent = 0, client = 0;
  f.number("resume_id", in.resume_id(), 1, UINT32_MAX, out.resume);
  f.relay(in.relay_id(), out.relay);
  f.text("correlation_id", in.correlation_id(), out.correlation_id);
  f.text("peer_identity", in.peer_identity(), out.peer_identity);
  f.address("client_address", in.client_address(), out.client.address);
  f.number("client_port", in.client_port(), 0, kPortMax, out.client.port);
  f.number("l2tp_port", in.l2tp_port(), 0, kPortMax, out.l2tp_port);
  f.number("assigned_tunnel_id", in.assigned_tunnel_id(), 1, 65535, agent);
  f.number("client_tunnel_id", in.client_tunnel_id(), 1, 65535, client);
  out.agent_tunnel = TunnelId(agent);
  out.client_tunnel = TunnelId(client);
  f.number("agent_worker", in.agent_worker(), 0, kMaxWorkers - 1, out.agent_worker);
  f.number("ns", in.ns(), 0, 65535, out.ns);
  f.number("nr", in.nr(), 0, 65535, out.nr);
  out.established = in.established();
  if (std::cmp_greater(in.session_size(), kMaxResumedSessions)) {
    f.wrong("session");
  } else {
    for (const auto& session : in.session()) out.sessions.push_back(session_from_pb(f, session));
  }
  return f.done(std::move(out));
}

Decoded from_pb(const pb::TunnelResumed& in) {
  Fields f("tunnel_resumed");
  TunnelResumed out;
  f.number("resume_id", in.resume_id(), 1, UINT32_MAX, out.resume);
  f.relay(in.relay_id(), out.relay);
  f.number("edge_worker", in.edge_worker(), 0, kMaxWorkers - 1, out.edge_worker);
  return f.done(out);
}

Decoded from_pb(const pb::TunnelLost& in) {
  Fields f("tunnel_lost");
  TunnelLost out;
  f.number("resume_id", in.resume_id(), 1, UINT32_MAX, out.resume);
  out.cause = cause_from_pb(in.cause());
  f.text("text", in.text(), out.text);
  return f.done(std::move(out));
}

Decoded from_pb(const pb::TunnelEnd& in) {
  Fields f("tunnel_end");
  TunnelEnd out;
  f.relay(in.relay_id(), out.relay);
  f.text("text", in.text(), out.text);
  return f.done(std::move(out));
}

}  // namespace

Result<Message, DecodeError> decode(Bytes payload) {
  pb::ControlMessage message;
  const auto size = narrow<std::uint32_t>(payload.size());
  if (!size || *size > static_cast<std::uint32_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(payload.data(), static_cast<int>(*size))) {
    return Failure{DecodeError{true, ""}};
  }
  switch (message.kind_case()) {
    case pb::ControlMessage::kHello:
      return from_pb(message.hello());
    case pb::ControlMessage::kWelcome:
      return from_pb(message.welcome());
    case pb::ControlMessage::kDataPaths:
      return from_pb(message.data_paths());
    case pb::ControlMessage::kLoadReport:
      return from_pb(message.load_report());
    case pb::ControlMessage::kKeepAlive:
      return from_pb(message.keep_alive());
    case pb::ControlMessage::kTunnelOpen:
      return from_pb(message.tunnel_open());
    case pb::ControlMessage::kTunnelAccept:
      return from_pb(message.tunnel_accept());
    case pb::ControlMessage::kTunnelRefuse:
      return from_pb(message.tunnel_refuse());
    case pb::ControlMessage::kTunnelClose:
      return from_pb(message.tunnel_close());
    case pb::ControlMessage::kSessionUp:
      return from_pb(message.session_up());
    case pb::ControlMessage::kSessionDown:
      return from_pb(message.session_down());
    case pb::ControlMessage::kGoodbye:
      return from_pb(message.goodbye());
    case pb::ControlMessage::kTunnelResume:
      return from_pb(message.tunnel_resume());
    case pb::ControlMessage::kTunnelResumed:
      return from_pb(message.tunnel_resumed());
    case pb::ControlMessage::kTunnelLost:
      return from_pb(message.tunnel_lost());
    case pb::ControlMessage::kTunnelEnd:
      return from_pb(message.tunnel_end());
    case pb::ControlMessage::KIND_NOT_SET:
      break;
  }
  return Message(UnknownMessage{});
}

}  // namespace sluice::channel
