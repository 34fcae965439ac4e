#pragma once
// A state with one of everything, peers' strings as bad as they come.

#include "edge/admin/state_view.hpp"

namespace sluice::edge {

inline constexpr const char* kHostileIdentity = "evil\x1b[2J\n\"\\\xff id";

struct FakeState final : StateView {
  FakeState() {
    SessionView session;
    session.correlation_id = "c-1";
    session.stage = SessionStage::kUp;
    session.peer = PeerId(7);
    session.peer_identity = kHostileIdentity;
    session.client = *Endpoint::parse("198.51.100.7:40001");
    session.edge = *Endpoint::parse("203.0.113.1:4500");
    session.nat = true;
    session.ike_sa = IkeSaId(3);
    session.ike_version = 1;
    session.ike_proposal = "AES_CBC-256/HMAC_SHA1_96/MODP_2048";
    session.spi_in = Spi(0xc0ffee01);
    session.spi_out = Spi(0x0000beef);
    session.cipher = "AES_CBC-256/HMAC_SHA1_96";
    session.client_tunnel = TunnelId(11);
    session.agent_tunnel = TunnelId(22);
    session.client_session = SessionId(33);
    session.agent_session = SessionId(44);
    session.relay = RelayId(5);
    session.worker = 1;
    session.agent = "agent1";
    session.user = "alice";
    session.auth_method = "mschapv2";
    session.assigned_ip = IpAddress::parse("10.99.0.2");
    session.up_since = 1700000000;
    session.traffic = {100, 12345678, 200, 9876543210};
    session_rows.push_back(session);
    SessionView early;
    early.correlation_id = "c-2";
    early.client = *Endpoint::parse("[2001:db8::7]:500");
    early.edge = *Endpoint::parse("[2001:db8::1]:500");
    early.agent = "agent2";
    session_rows.push_back(early);

    TunnelView tunnel;
    tunnel.correlation_id = "c-1";
    tunnel.stage = "bound";
    tunnel.state = "established";
    tunnel.peer = PeerId(7);
    tunnel.peer_identity = kHostileIdentity;
    tunnel.client = session.client;
    tunnel.l2tp_port = 1701;
    tunnel.host_name = kHostileIdentity;
    tunnel.agent = "agent1";
    tunnel.client_tunnel = TunnelId(11);
    tunnel.agent_tunnel = TunnelId(22);
    tunnel.relay = RelayId(5);
    tunnel.worker = 1;
    tunnel.sessions = 1;
    tunnel.opened_at = 1700000000;
    tunnel.client_control = {3, 8};
    tunnel.agent_control = {0, 4};
    tunnel.traffic = session.traffic;
    tunnel_rows.push_back(tunnel);
    TunnelView opening;
    opening.correlation_id = "c-2";
    opening.stage = "placing";
    opening.state = "opening";
    opening.client = early.client;
    opening.agent = "agent2";
    tunnel_rows.push_back(opening);

    BackendView backend;
    backend.id = BackendId(1);
    backend.name = "agent1";
    backend.address = Endpoint::parse("10.0.0.11:40000");
    backend.state = BackendState::kUp;
    backend.weight = 100;
    backend.sessions = 1;
    backend.tunnels = 1;
    backend.max_sessions = 500;
    backend.cpu_permille = 375;
    backend.packets_per_second = 12345;
    backend.free_addresses = 252;
    backend.rtt = std::chrono::microseconds(830);
    backend.report_age = std::chrono::milliseconds(400);
    backend.connected_since = 1700000000;
    backend.certificate_expires = 4102444800;
    backend.carrier = "udp";
    backend.software = "sluice-agent 0.1.0";
    backend_rows.push_back(backend);
    BackendView down;
    down.id = BackendId(2);
    down.name = "agent2";
    backend_rows.push_back(down);

    PeerView peer;
    peer.id = PeerId(7);
    peer.correlation_id = "c-1";
    peer.identity = kHostileIdentity;
    peer.remote = session.client;
    peer.local = session.edge;
    peer.nat = true;
    peer.ike_sa = IkeSaId(3);
    peer.ike_version = 1;
    peer.ike_proposal = session.ike_proposal;
    peer.up_since = 1700000000;
    peer.tunnels = peer.sessions = 1;
    SaView sa;
    sa.spi_in = session.spi_in;
    sa.spi_out = session.spi_out;
    sa.cipher = session.cipher;
    sa.udp_encapsulated = true;
    sa.worker = 1;
    sa.installed_at = 1700000000;
    sa.traffic = session.traffic;
    sa.replayed = 4;
    sa.unauthentic = 5;
    sa.malformed = 6;
    peer.sas = {sa, sa};
    peer.sas[1].spi_in = Spi(0xc0ffee03);
    // A third SA of its past is part of the peer's sums.
    peer.traffic = session.traffic;
    peer.traffic.bytes_in *= 3;
    peer.replayed = 12;
    peer_rows.push_back(peer);

    drop_rows = {{"esp", "replayed", 4}, {"l2tp", "truncated", 0}, {"esp", "unknown-spi", 1234567}};
  }

  std::vector<SessionView> sessions() const override { return session_rows; }
  std::vector<TunnelView> tunnels() const override { return tunnel_rows; }
  std::vector<BackendView> backends() const override { return backend_rows; }
  std::vector<PeerView> peers() const override { return peer_rows; }
  std::vector<DropView> drops() const override { return drop_rows; }
  VersionView version() const override {
    return {.version = "0.1.0", .edge_name = "edge1", .ike_provider = "charon 5.9.8"};
  }
  bool draining = false;
  std::uint64_t drops_in_all = 1234571;
  TrafficView traffic;
  StatsView stats() const override {
    StatsView out;
    out.started_at = 1700000000;
    out.workers = 2;
    out.ike_ready = true;
    out.draining = draining;
    out.ready = !draining;
    if (draining) out.not_ready = "draining";
    out.peers = out.tunnels = out.sessions = 1;
    out.sas = 2;
    out.backends_up = 1;
    out.backends_total = 2;
    out.drops = drops_in_all;
    out.traffic = traffic;
    out.certificate = {"edge1", "0a1b", 4102444800, 0};
    return out;
  }
  std::string partial() const override { return missing; }

  std::vector<SessionView> session_rows;
  std::vector<TunnelView> tunnel_rows;
  std::vector<BackendView> backend_rows;
  std::vector<PeerView> peer_rows;
  std::vector<DropView> drop_rows;
  std::string missing;
};

}  // namespace sluice::edge
