#include "edge/admin/view_messages.hpp"

#include <sys/utsname.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "base/text.hpp"

namespace sluice::edge {
namespace {

using vici::Message;

// Eight hexadecimal digits, as charon writes SPIs.
std::string hex(Spi spi) {
  std::uint8_t raw[4];
  store_be32(raw, spi.value());
  return to_hex(raw);
}

Message traffic_message(const TrafficView& traffic) {
  Message out;
  out.add("packets-in", traffic.packets_in).add("bytes-in", traffic.bytes_in);
  out.add("packets-out", traffic.packets_out).add("bytes-out", traffic.bytes_out);
  return out;
}

void add_host(Message& out, const std::string& prefix, const Endpoint& endpoint) {
  out.add(prefix + "-host", std::string_view(endpoint.address.to_string()))
      .add(prefix + "-port", endpoint.port);
}

// Strings of a peer's choosing are cut so that a message always fits a packet.
std::string_view cut(std::string_view text) {
  constexpr std::size_t kLongest = 1024;
  return text.substr(0, kLongest);
}

/// Of an SA, or of a peer over all its SAs.
template <class View>
void add_counts(Message& out, const View& view) {
  out.add_section("traffic", traffic_message(view.traffic));
  out.open("drops")
      .add("replayed", view.replayed)
      .add("unauthentic", view.unauthentic)
      .add("malformed", view.malformed);
}

Message sa_message(const SaView& sa) {
  Message out;
  out.add("spi-in", hex(sa.spi_in)).add("spi-out", hex(sa.spi_out)).add("cipher", cut(sa.cipher));
  out.add("encap", sa.udp_encapsulated).add("worker", sa.worker).add("installed-at", sa.installed_at);
  add_counts(out, sa);
  return out;
}

}  // namespace

Message to_message(const SessionView& s) {
  Message out;
  out.add("correlation", cut(s.correlation_id)).add("stage", name_of(s.stage)).add("up-since", s.up_since);
  add_host(out, "client", s.client);
  add_host(out, "edge", s.edge);
  out.add("nat", s.nat);
  out.open("ike")
      .add("peer", s.peer.value())
      .add("peer-id", cut(s.peer_identity))
      .add("uniqueid", s.ike_sa.value())
      .add("version", unsigned{s.ike_version})
      .add("proposal", cut(s.ike_proposal));
  out.open("child").add("spi-in", hex(s.spi_in)).add("spi-out", hex(s.spi_out)).add("cipher", cut(s.cipher));
  out.open("l2tp")
      .add("client-tunnel", s.client_tunnel.value())
      .add("agent-tunnel", s.agent_tunnel.value())
      .add("client-session", s.client_session.value())
      .add("agent-session", s.agent_session.value())
      .add("relay", s.relay.value())
      .add("worker", s.worker);
  auto& ppp = out.open("ppp");
  ppp.add("agent", cut(s.agent)).add("user", cut(s.user)).add("auth", cut(s.auth_method));
  if (s.assigned_ip) ppp.add("assigned-ip", std::string_view(s.assigned_ip->to_string()));
  out.add_section("traffic", traffic_message(s.traffic));
  return out;
}

Message to_message(const TunnelView& t) {
  Message out;
  out.add("correlation", cut(t.correlation_id)).add("stage", t.stage).add("state", t.state);
  out.add("closing", t.closing).add("opened-at", t.opened_at).add("peer", t.peer.value());
  out.add("peer-id", cut(t.peer_identity));
  add_host(out, "client", t.client);
  out.add("client-l2tp-port", t.l2tp_port).add("host-name", cut(t.host_name)).add("agent", cut(t.agent));
  out.add("client-tunnel", t.client_tunnel.value()).add("agent-tunnel", t.agent_tunnel.value());
  out.add("relay", t.relay.value()).add("worker", t.worker).add("agent-worker", t.agent_worker);
  out.add("sessions", t.sessions);
  out.open("control")
      .add("client-window", t.client_control.window)
      .add("agent-window", t.agent_control.window)
      .add("client-resent", t.client_control.resent)
      .add("agent-resent", t.agent_control.resent);
  out.add_section("traffic", traffic_message(t.traffic));
  return out;
}

Message to_message(const BackendView& b) {
  Message out;
  out.add("id", b.id.value()).add("name", cut(b.name));
  if (b.address) add_host(out, "agent", *b.address);
  out.add("state", name_of(b.state)).add("draining", b.draining).add("weight", b.weight);
  out.add("sessions", b.sessions).add("tunnels", b.tunnels).add("max-sessions", b.max_sessions);
  out.add("cpu-permille", b.cpu_permille).add("packets-per-second", b.packets_per_second);
  if (b.free_addresses) out.add("free-addresses", *b.free_addresses);
  if (b.rtt) out.add("rtt-us", b.rtt->count());
  if (b.report_age) out.add("report-age-ms", b.report_age->count());
  out.add("connected-since", b.connected_since)
      .add("carrier", cut(b.carrier))
      .add("software", cut(b.software));
  out.add("l2tp", name_of(b.l2tp)).add("l2tp-checked", b.l2tp_checked);
  if (b.certificate_expires != 0) out.add("certificate-expires", b.certificate_expires);
  if (!b.l2tp_text.empty()) out.add("l2tp-text", cut(b.l2tp_text));
  return out;
}

Message to_message(const ProbeView& p) {
  Message out;
  const bool speaks = p.l2tp == L2tpState::kSpeaks;
  out.add("success", speaks);
  if (!speaks) out.add("errmsg", cut(p.agent + ": " + p.text));
  out.add("name", cut(p.agent)).add("l2tp", name_of(p.l2tp)).add("took-ms", p.took.count());
  return out;
}

Message to_message(const PeerView& p) {
  Message out;
  out.add("id", p.id.value()).add("correlation", cut(p.correlation_id)).add("identity", cut(p.identity));
  add_host(out, "remote", p.remote);
  add_host(out, "local", p.local);
  out.add("nat", p.nat).add("up-since", p.up_since).add("tunnels", p.tunnels).add("sessions", p.sessions);
  out.open("ike")
      .add("uniqueid", p.ike_sa.value())
      .add("version", unsigned{p.ike_version})
      .add("proposal", cut(p.ike_proposal));
  add_counts(out, p);
  // A peer that gathers SAs by the thousand must not make its own entry too large to be seen: the newest are
  // shown.
  constexpr std::size_t kShown = 256;
  const std::size_t first = p.sas.size() > kShown ? p.sas.size() - kShown : 0;
  out.add("sa-count", p.sas.size());
  auto& sas = out.open("sas");
  for (std::size_t i = first; i < p.sas.size(); ++i)
    sas.add_section(std::to_string(i + 1), sa_message(p.sas[i]));
  return out;
}

Message to_message(const DropView& d) {
  Message out;
  out.add("stage", cut(d.stage)).add("reason", cut(d.reason)).add("count", d.count);
  return out;
}

Message to_message(const VersionView& v) {
  Message out;
  utsname system{};
  ::uname(&system);
  out.add("daemon", v.daemon).add("version", v.version);
  out.add("sysname", system.sysname).add("release", system.release).add("machine", system.machine);
  out.add("edge-name", v.edge_name).add("ike-provider", v.ike_provider);
  return out;
}

Message to_message(const IkeProbeView& p) {
  Message out;
  out.add("success", p.state == "answers");
  if (p.state != "answers") out.add("errmsg", p.text);
  out.add("ike", p.state).add("text", p.text).add("took-ms", p.took.count()).add("checked", p.checked_at);
  return out;
}

Message to_message(const StatsView& s, UnixSeconds now) {
  Message out;
  out.open("uptime")
      .add("running-seconds", std::max<UnixSeconds>(0, now - s.started_at))
      .add("since", s.started_at);
  out.open("workers").add("total", s.workers);
  out.add("ready", s.ready).add("draining", s.draining);
  if (!s.not_ready.empty()) out.add("not-ready", cut(s.not_ready));
  out.add("ike-ready", s.ike_ready);
  out.open("ike-probe")
      .add("ike", s.ike_probe.state)
      .add("text", s.ike_probe.text)
      .add("took-ms", s.ike_probe.took.count())
      .add("checked", s.ike_probe.checked_at);
  out.add("peers", s.peers).add("sas", s.sas).add("tunnels", s.tunnels).add("sessions", s.sessions);
  out.open("backends").add("up", s.backends_up).add("total", s.backends_total);
  out.add("drops", s.drops);
  out.add_section("traffic", traffic_message(s.traffic));
  out.open("certificate")
      .add("name", s.certificate.name)
      .add("serial", s.certificate.serial)
      .add("expires-at", s.certificate.expires_at)
      .add("crl-next-update", s.certificate.crl_next_update);
  return out;
}

}  // namespace sluice::edge
