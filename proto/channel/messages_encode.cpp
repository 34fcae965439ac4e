#include <utility>

#include <channel.pb.h>

#include "proto/channel/messages.hpp"

namespace sluice::channel {
namespace {

std::string cut(const std::string& text) {
  return text.substr(0, kMaxText);
}
std::string packed(const IpAddress& address) {
  return std::string(as_text(address.bytes()));
}

pb::Carrier carrier_to_pb(CarrierMode mode) {
  switch (mode) {
    case CarrierMode::kAuto:
      return pb::CARRIER_AUTO;
    case CarrierMode::kTls:
      return pb::CARRIER_TLS;
    case CarrierMode::kUdp:
    case CarrierMode::kCount:
      break;
  }
  return pb::CARRIER_UDP;
}

void to_pb(const UnknownMessage&, pb::ControlMessage&) {}

void to_pb(const Hello& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_hello();
  out.set_version_min(in.version_min);
  out.set_version_max(in.version_max);
  out.set_boot_id(in.boot_id);
  out.set_weight(in.weight);
  out.set_workers(in.workers);
  out.set_data_port(in.data_port);
  out.set_max_sessions(in.max_sessions);
  out.set_software(cut(in.software));
  out.set_carrier(carrier_to_pb(in.carrier));
}

void paths_to_pb(const DataPaths& in, pb::DataPaths& out) {
  out.set_epoch(in.epoch);
  for (const auto& path : in.paths) {
    auto& to = *out.add_path();
    to.set_edge_worker(path.edge_worker);
    to.set_agent_worker(path.agent_worker);
    to.set_spi_to_edge(path.spi_to_edge.value());
    to.set_spi_to_agent(path.spi_to_agent.value());
  }
}

void to_pb(const Welcome& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_welcome();
  out.set_version(in.version);
  out.set_boot_id(in.boot_id);
  out.set_edge_name(cut(in.edge_name));
  out.set_workers(in.workers);
  out.set_data_port(in.data_port);
  paths_to_pb(in.paths, *out.mutable_paths());
  out.set_carrier(carrier_to_pb(in.carrier));
}

void to_pb(const DataPaths& in, pb::ControlMessage& message) {
  paths_to_pb(in, *message.mutable_data_paths());
}

void to_pb(const LoadReport& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_load_report();
  out.set_sessions(in.sessions);
  out.set_tunnels(in.tunnels);
  out.set_cpu_permille(in.cpu_permille);
  out.set_packets_per_second(in.packets_per_second);
  out.set_free_addresses(in.free_addresses);
  out.set_draining(in.draining);
  out.set_cpu_wait_permille(in.cpu_wait_permille);
  out.set_radius_ms(in.radius_ms);
}

void to_pb(const KeepAlive& in, pb::ControlMessage& message) {
  message.mutable_keep_alive()->set_sequence(in.sequence);
}

void to_pb(const TunnelOpen& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_tunnel_open();
  out.set_relay_id(in.relay.value());
  out.set_edge_worker(in.edge_worker);
  out.set_agent_worker(in.agent_worker);
  out.set_assigned_tunnel_id(in.assigned_tunnel.value());
  out.set_client_address(packed(in.client.address));
  out.set_client_port(in.client.port);
  out.set_edge_address(packed(in.edge_address));
  out.set_peer_identity(cut(in.peer_identity));
  out.set_cipher(cut(in.cipher));
  out.set_correlation_id(cut(in.correlation_id));
  out.set_ppp_mtu(in.ppp_mtu);
  out.set_probe(in.probe);
  out.set_l2tp_port(in.l2tp_port);
}

void to_pb(const TunnelAccept& in, pb::ControlMessage& message) {
  message.mutable_tunnel_accept()->set_relay_id(in.relay.value());
}

void to_pb(const TunnelRefuse& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_tunnel_refuse();
  out.set_relay_id(in.relay.value());
  out.set_reason(cut(in.reason));
}

void to_pb(const TunnelClose& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_tunnel_close();
  out.set_relay_id(in.relay.value());
  out.set_cause(static_cast<pb::CloseCause>(in.cause));
  out.set_text(cut(in.text));
}

void to_pb(const SessionUp& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_session_up();
  out.set_relay_id(in.relay.value());
  out.set_session_id(in.session.value());
  out.set_user(cut(in.user));
  out.set_auth_method(cut(in.auth_method));
  if (in.client_ip) out.set_client_ip(packed(*in.client_ip));
  out.set_started_at(in.started_at);
}

void to_pb(const SessionDown& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_session_down();
  out.set_relay_id(in.relay.value());
  out.set_session_id(in.session.value());
  out.set_cause(cut(in.cause));
  out.set_text(cut(in.text));
  out.set_user(cut(in.user));
}

void to_pb(const Goodbye& in, pb::ControlMessage& message) {
  message.mutable_goodbye()->set_reason(cut(in.reason));
}

void to_pb(const TunnelResume& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_tunnel_resume();
  out.set_resume_id(in.resume);
  out.set_relay_id(in.relay.value());
  out.set_correlation_id(cut(in.correlation_id));
  out.set_peer_identity(cut(in.peer_identity));
  out.set_client_address(packed(in.client.address));
  out.set_client_port(in.client.port);
  out.set_l2tp_port(in.l2tp_port);
  out.set_assigned_tunnel_id(in.agent_tunnel.value());
  out.set_client_tunnel_id(in.client_tunnel.value());
  out.set_agent_worker(in.agent_worker);
  out.set_ns(in.ns);
  out.set_nr(in.nr);
  out.set_established(in.established);
  for (const auto& session : in.sessions) {
    if (std::cmp_equal(out.session_size(), kMaxResumedSessions)) break;
    auto& to = *out.add_session();
    to.set_session_id(session.agent.value());
    to.set_client_session_id(session.client.value());
    to.set_up(session.up);
    to.set_user(cut(session.user));
    to.set_auth_method(cut(session.auth_method));
    if (session.client_ip) to.set_client_ip(packed(*session.client_ip));
    to.set_started_at(session.started_at);
  }
}

void to_pb(const TunnelResumed& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_tunnel_resumed();
  out.set_resume_id(in.resume);
  out.set_relay_id(in.relay.value());
  out.set_edge_worker(in.edge_worker);
}

void to_pb(const TunnelLost& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_tunnel_lost();
  out.set_resume_id(in.resume);
  out.set_cause(static_cast<pb::CloseCause>(in.cause));
  out.set_text(cut(in.text));
}

void to_pb(const TunnelEnd& in, pb::ControlMessage& message) {
  auto& out = *message.mutable_tunnel_end();
  out.set_relay_id(in.relay.value());
  out.set_text(cut(in.text));
}

}  // namespace

ByteVector encode(const Message& message) {
  pb::ControlMessage out;
  std::visit([&](const auto& m) { to_pb(m, out); }, message);
  ByteVector bytes(out.ByteSizeLong());
  out.SerializeWithCachedSizesToArray(bytes.data());
  return bytes;
}

}  // namespace sluice::channel
