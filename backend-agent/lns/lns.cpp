#include "backend-agent/lns/lns.hpp"

#include <algorithm>

#include "backend-agent/lns/causes.hpp"
#include "backend-agent/lns/lns_state.hpp"

namespace sluice::agent {

std::string_view to_string(LnsDrop reason) {
  switch (reason) {
    case LnsDrop::kUnknownTunnel:
      return "unknown-tunnel";
    case LnsDrop::kBadL2tp:
      return "bad-l2tp";
    case LnsDrop::kUnknownSession:
      return "unknown-session";
    case LnsDrop::kNoRoute:
      return "no-route";
    case LnsDrop::kNotIp:
      return "not-ip";
    case LnsDrop::kRateUp:
      return "rate-up";
    case LnsDrop::kRateDown:
      return "rate-down";
    case LnsDrop::kFilterUp:
      return "filter-up";
    case LnsDrop::kFilterDown:
      return "filter-down";
    case LnsDrop::kCount:
      break;
  }
  return "unknown";
}

namespace {

std::optional<IpAddress> destination_of(Bytes packet) {
  constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40;
  const unsigned version = packet.empty() ? 0 : packet[0] >> 4;
  if (version == 4 && packet.size() >= kIpv4Header) return IpAddress::v4(load_be32(packet.data() + 16));
  if (version == 6 && packet.size() >= kIpv6Header) return IpAddress::from_bytes(packet.subspan(24, 16));
  return std::nullopt;
}

}  // namespace

Lns::Lns(LnsSettings settings, RandomSource& random, Emit emit)
    : settings_(std::move(settings)), random_(random), emit_(std::move(emit)) {}
Lns::~Lns() = default;

Lns::Tunnel* Lns::find(const TunnelKey& key) {
  const auto found = tunnels_.find(key);
  return found == tunnels_.end() ? nullptr : found->second.get();
}

// ---- packets

MutableBytes Lns::from_edge(const TunnelKey& key, MutableBytes l2tp, Instant now) {
  Tunnel* tunnel = find(key);
  if (tunnel == nullptr) return drops_.add(LnsDrop::kUnknownTunnel), MutableBytes{};
  const l2tp::Received received = tunnel->l2tp.on_datagram(l2tp, now);
  if (received.is_data()) {
    Session* session = tunnel->find(received.session);
    if (session == nullptr) return drops_.add(LnsDrop::kUnknownSession), MutableBytes{};
    const auto offset = static_cast<std::size_t>(received.ppp.data() - l2tp.data());
    const MutableBytes ip = session->ppp.on_frame(l2tp.subspan(offset, received.ppp.size()), now);
    if (!ip.empty()) {
      if (session->filter != nullptr && !session->filter->passes(ip, true))
        return drops_.add(LnsDrop::kFilterUp), MutableBytes{};
      if (!session->limits.take_up(ip.size(), now)) return drops_.add(LnsDrop::kRateUp), MutableBytes{};
      ++session->packets_in;
      session->bytes_in += ip.size();
      return ip;
    }
  } else if (received.kind == l2tp::Received::Kind::kDropped) {
    drops_.add(LnsDrop::kBadL2tp);
    l2tp_drops_.add(received.reason);
  }
  service(*tunnel, now);
  return {};
}

std::optional<Lns::Downlink> Lns::from_tun(MutableBytes buffer, std::size_t offset, std::size_t size,
                                           Instant now) {
  const auto destination = destination_of(buffer.subspan(offset, size));
  if (!destination) return drops_.add(LnsDrop::kNotIp), std::nullopt;
  Session* const found = routes_.find(*destination);
  if (found == nullptr) return drops_.add(LnsDrop::kNoRoute), std::nullopt;
  Session& session = *found;
  if (session.filter != nullptr && !session.filter->passes(buffer.subspan(offset, size), false))
    return drops_.add(LnsDrop::kFilterDown), std::nullopt;
  if (!session.limits.take_down(size, now)) return drops_.add(LnsDrop::kRateDown), std::nullopt;
  const MutableBytes frame = session.ppp.frame_ip(buffer, offset, size);
  if (frame.empty()) return std::nullopt;
  Tunnel& tunnel = session.tunnel;
  const auto packed =
      tunnel.l2tp.frame_data(session.id, buffer.first(offset + size), offset + size - frame.size());
  if (!packed) return drops_.add(LnsDrop::kUnknownSession), std::nullopt;
  ++session.packets_out;
  session.bytes_out += size;
  return Downlink{tunnel.spec.key, tunnel.spec.edge_worker, *packed};
}

void Lns::send_ppp(Tunnel& tunnel, Session& session, Bytes frame) {
  ByteVector buffer(l2tp::kDataHeadroom + frame.size());
  std::copy(frame.begin(), frame.end(), buffer.begin() + l2tp::kDataHeadroom);
  const auto packed = tunnel.l2tp.frame_data(session.id, buffer, l2tp::kDataHeadroom);
  if (!packed) return;
  outgoing_.push({tunnel.spec.key, tunnel.spec.edge_worker, ByteVector(packed->begin(), packed->end())});
}

// ---- commands

std::unique_ptr<Lns::Tunnel> Lns::make_tunnel(const TunnelSpec& spec) {
  l2tp::TunnelConfig config;
  config.local_tunnel = spec.assigned;
  config.host_name = settings_.host_name;
  config.hello_interval = settings_.hello_interval;
  config.max_sessions = settings_.sessions_per_tunnel;
  return std::make_unique<Tunnel>(spec, std::move(config), random_);
}

Lns::Session& Lns::add_session(Tunnel& tunnel, SessionId id) {
  auto session = std::make_unique<Session>(tunnel, serial_of(settings_.worker, ++last_serial_), id,
                                           settings_.ppp_config(tunnel.spec.ppp_mtu), random_, ppp_drops_);
  sessions_[session->serial] = session.get();
  tunnel.empty_since.reset();
  return *tunnel.sessions.emplace_back(std::move(session));
}

void Lns::open_tunnel(const TunnelSpec& spec, Instant now) {
  auto tunnel = make_tunnel(spec);
  tunnel->empty_since = now;
  auto& slot = tunnels_[spec.key];
  if (slot) destroy(*slot, "tunnel-replaced", "the edge opened the same relay again");
  auto& placed = tunnels_[spec.key];
  placed = std::move(tunnel);
  schedule(*placed);
}

void Lns::close_tunnel(const TunnelKey& key, std::string_view text) {
  if (Tunnel* tunnel = find(key)) destroy(*tunnel, "tunnel-closed", text);
}

void Lns::close_channel(ChannelId channel, std::string_view text) {
  std::vector<TunnelKey> keys;
  for (const auto& [key, tunnel] : tunnels_) {
    if (key.channel == channel) keys.push_back(key);
  }
  for (const auto& key : keys) destroy(*find(key), "channel-lost", text);
}

void Lns::hold_channel(ChannelId channel) {
  for (const auto& [key, tunnel] : tunnels_) {
    if (key.channel == channel) tunnel->held = true;
  }
}

TunnelsDescribed Lns::describe_tunnels(ChannelId channel) const {
  TunnelsDescribed out{channel, {}};
  for (const auto& [key, tunnel] : tunnels_) {
    if (key.channel != channel || tunnel->down || !tunnel->l2tp.remote_id()) continue;
    const auto& control = tunnel->l2tp.control();
    TunnelNumbers& numbers = out.tunnels.emplace_back();
    numbers = {
        key, tunnel->l2tp.remote_id(), control.next_ns(), control.expected(), tunnel->l2tp.established(), {}};
    for (const auto& session : tunnel->sessions) {
      numbers.sessions.push_back({session->id, tunnel->l2tp.remote_session(session->id)});
    }
  }
  return out;
}

void Lns::rebind(const RebindTunnel& rebind, Instant now) {
  auto node = tunnels_.extract(rebind.from);
  if (node.empty()) return;
  if (Tunnel* other = find(rebind.to))
    destroy(*other, "tunnel-replaced", "the edge opened the same relay again");
  Tunnel& tunnel = *node.mapped();
  tunnel.spec.key = rebind.to;
  tunnel.spec.edge_worker = rebind.edge_worker;
  tunnel.held = false;
  node.key() = rebind.to;
  tunnels_.insert(std::move(node));
  // What is overdue is said at once; the wake under the old key finds no tunnel.
  tunnel.wake = now;
  wakes_.push({now, rebind.to});
}

void Lns::decide(const AuthDecided& decided, Instant now) {
  const auto found = sessions_.find(decided.session);
  if (found == sessions_.end()) return;
  Session& session = *found->second;
  if (!decided.attempt || decided.attempt != session.ppp.pending_attempt()) return;
  if (decided.addresses) session.assigned = *decided.addresses;
  if (decided.addresses) session.ppp.set_addresses(*decided.addresses, now);
  if (decided.verdict.accepted) apply(session, decided.policy, now);
  session.ppp.auth_result(decided.attempt, decided.verdict, now);
  service(session.tunnel, now);
}

void Lns::change_policy(const ChangePolicy& change, Instant now) {
  const auto found = sessions_.find(change.session);
  if (found == sessions_.end()) return;
  Session& session = *found->second;
  const auto timeout = session.limits.policy().session_timeout;
  apply(session, change.policy, now);
  if (timeout != change.policy.session_timeout) tell_time_remaining(session, now);
  service(session.tunnel, now);
}

std::shared_ptr<const Filter> Lns::find_filter(const std::string& name) const {
  const auto& filters = settings_.filters;
  if (!filters) return nullptr;
  const auto found = filters->find(name);
  if (found == filters->end()) return nullptr;
  return {filters, &found->second};
}

void Lns::set_profile(LnsProfile profile) {
  static_cast<LnsProfile&>(settings_) = std::move(profile);
}

/// From now on. The control thread names only filters that there are; one that a reload took away stays with
/// the sessions that have it.
void Lns::apply(Session& session, const SessionPolicy& policy, Instant now) {
  const bool same = session.filter && session.limits.policy().filter == policy.filter;
  session.limits.set(policy, now);
  session.ppp.set_networks(policy.routes);
  auto filter = find_filter(policy.filter);
  if (filter || !same) session.filter = std::move(filter);
}

/// RFC 1570 §2.2: users whose time is limited are told how much there is.
void Lns::tell_time_remaining(Session& session, Instant now) {
  const auto limit = session.limits.policy().session_timeout;
  const auto began = session.limits.began();
  if (!began || limit.count() == 0) return;
  const auto left = std::max(std::chrono::duration_cast<std::chrono::seconds>(*began + limit - now),
                             std::chrono::seconds(0));
  session.ppp.tell_time_remaining(left, std::to_string(left.count()) + " s of this session are left");
}

void Lns::tell_counters(const AskCounters& ask) {
  const auto found = sessions_.find(ask.session);
  if (found == sessions_.end()) return;
  const Session& s = *found->second;
  emit_(CountersTold{ask.session, s.packets_in, s.packets_out, s.bytes_in, s.bytes_out});
}

void Lns::end_session(const EndSession& end, Instant now) {
  const auto found = sessions_.find(end.session);
  if (found == sessions_.end()) return;
  Session& session = *found->second;
  session.ppp.stop(end.cause, end.text, now);
  service(session.tunnel, now);
}

void Lns::close_all(std::string_view text, Instant now) {
  std::vector<Tunnel*> all;
  for (const auto& [key, tunnel] : tunnels_) all.push_back(tunnel.get());
  for (Tunnel* tunnel : all) farewell(*tunnel, "agent-stopping", text, now);
}

void Lns::end_tunnel(const TunnelKey& key, std::string_view text, Instant now) {
  Tunnel* tunnel = find(key);
  if (tunnel != nullptr && !tunnel->down) farewell(*tunnel, "draining", text, now);
}

void Lns::farewell(Tunnel& tunnel, std::string_view cause, std::string_view text, Instant now) {
  // RFC 2661 §5.7: StopCCN ends the calls without further signalling; clients that are told call by call
  // hang up more gently.
  for (const auto& session : tunnel.sessions) {
    session->ppp.stop(cause, text, now);
    while (const auto frame = session->ppp.poll_transmit()) send_ppp(tunnel, *session, *frame);
    tunnel.l2tp.close_session(session->id, l2tp::CallResult::kAdministrative, text, now);
  }
  tunnel.l2tp.close_tunnel(l2tp::StopResult::kShuttingDown, text, now);
  service(tunnel, now);
}

/// Gone without a farewell to the peer.
void Lns::destroy(Tunnel& tunnel, std::string_view cause, std::string_view text) {
  for (const auto& session : tunnel.sessions) {
    session->ppp.lower_down(cause, text);
    while (auto event = session->ppp.poll_event()) {
      if (const auto* down = std::get_if<ppp::Down>(&*event))
        session_over(tunnel, *session, *down, Instant{});
    }
    forget_session(*session);
  }
  tunnels_.erase(TunnelKey(tunnel.spec.key));
}

// ---- what the cores report

/// Carries whatever L2TP and PPP have to say to each other and to the world, until both are silent.
void Lns::service(Tunnel& tunnel, Instant now) {
  bool more = true;
  while (more) {
    more = drain_tunnel(tunnel, now);
    for (std::size_t i = 0; i < tunnel.sessions.size(); ++i)
      more |= drain_session(tunnel, *tunnel.sessions[i], now);
  }
  reap(tunnel, now);
}

bool Lns::drain_tunnel(Tunnel& tunnel, Instant now) {
  bool any = false;
  while (auto event = tunnel.l2tp.poll_event()) {
    any = true;
    on_l2tp(tunnel, *event, now);
  }
  while (auto packet = tunnel.l2tp.poll_transmit()) {
    any = true;
    outgoing_.push({tunnel.spec.key, tunnel.spec.edge_worker, std::move(*packet)});
  }
  return any;
}

bool Lns::drain_session(Tunnel& tunnel, Session& session, Instant now) {
  bool any = false;
  while (const auto frame = session.ppp.poll_transmit()) {
    any = true;
    send_ppp(tunnel, session, *frame);
  }
  while (auto event = session.ppp.poll_event()) {
    any = true;
    on_ppp(tunnel, session, std::move(*event), now);
  }
  return any;
}

void Lns::on_l2tp(Tunnel& tunnel, const l2tp::Event& event, Instant now) {
  if (const auto* up = std::get_if<l2tp::SessionUp>(&event)) {
    add_session(tunnel, up->local).ppp.start(now);
  } else if (const auto* down = std::get_if<l2tp::SessionDown>(&event)) {
    if (Session* session = tunnel.find(down->local)) {
      const bool by_peer = down->cause.by == l2tp::ClosedBy::kPeer;
      session->ppp.lower_down(by_peer ? "user-request" : "l2tp-" + std::string(to_string(down->cause.by)),
                              describe(down->cause));
    }
  } else if (const auto* over = std::get_if<l2tp::TunnelDown>(&event)) {
    tunnel.down = true;
    tunnel.by_client = over->cause.by == l2tp::ClosedBy::kPeer;
    tunnel.down_text = describe(over->cause);
  }
}

void Lns::on_ppp(Tunnel& tunnel, Session& session, ppp::PppEvent event, Instant now) {
  if (auto* need = std::get_if<ppp::AuthNeeded>(&event)) {
    emit_(AuthAsked{session.serial, tunnel.spec, std::move(need->request)});
  } else if (const auto* up = std::get_if<ppp::Up>(&event)) {
    own(session, {up->addresses.remote, 32});
    session_up(
        tunnel, session,
        SessionOpened{.user = up->user, .method = up->method, .addresses = up->addresses, .mtu = up->mtu},
        now);
  } else if (const auto* up6 = std::get_if<ppp::Ipv6Up>(&event)) {
    for (const auto& prefix : {up6->addresses.prefix, up6->addresses.delegated}) {
      if (prefix) own(session, *prefix);
    }
    emit_(Ipv6Opened{session.serial, up6->addresses});
    ppp::Addresses addresses = session.assigned;
    addresses.v6 = up6->addresses;
    session_up(
        tunnel, session,
        SessionOpened{
            .user = up6->user, .method = up6->method, .addresses = std::move(addresses), .mtu = up6->mtu},
        now);
  } else if (std::holds_alternative<ppp::Ipv6Down>(event)) {
    disown(session, [](const Prefix& prefix) { return prefix.network.is_v6(); });
  } else if (const auto* says = std::get_if<ppp::PeerSays>(&event)) {
    emit_(ClientSays{tunnel.spec.client, tunnel.spec.correlation_id, says->text});
  } else if (const auto* down = std::get_if<ppp::Down>(&event)) {
    session_over(tunnel, session, *down, now);
  } else if (std::holds_alternative<ppp::AddressNeeded>(event)) {
    // Addresses come with the verdict: an accepted peer without them has been let down by the control thread.
    session.ppp.stop("no-address", "no address was given to the client", now);
  }
}

/// Packets for these addresses are the session's from now on.
void Lns::own(Session& session, const Prefix& prefix) {
  routes_.add(prefix, &session);
  if (std::find(session.owned.begin(), session.owned.end(), prefix) == session.owned.end())
    session.owned.push_back(prefix);
}

template <class Which>
void Lns::disown(Session& session, Which&& which) {
  std::erase_if(session.owned, [&](const Prefix& prefix) {
    if (!which(prefix)) return false;
    routes_.remove(prefix, &session);
    return true;
  });
}

/// IPv4 or IPv6 flows, whichever comes first.
void Lns::session_up(Tunnel& tunnel, Session& session, SessionOpened opened, Instant now) {
  if (std::exchange(session.was_up, true)) return;
  for (const auto& route : session.limits.policy().routes) own(session, route);
  session.limits.begin(now);
  tell_time_remaining(session, now);
  ++sessions_up_;
  opened.session = session.serial;
  opened.tunnel = tunnel.spec.key;
  opened.id = session.id;
  opened.client = tunnel.spec.client;
  opened.correlation_id = tunnel.spec.correlation_id;
  emit_(std::move(opened));
}

void Lns::session_over(Tunnel& tunnel, Session& session, const ppp::Down& down, Instant now) {
  if (std::exchange(session.over, true)) return;
  if (session.was_up) --sessions_up_;
  const CdnReason reason = cdn_reason(down.cause);
  if (now != Instant{}) tunnel.l2tp.close_session(session.id, reason.result, down.text, now, &reason.ppp);
  SessionGone gone{
      session.serial, tunnel.spec.key, session.id, tunnel.spec.client, tunnel.spec.correlation_id,
      down.user,      session.was_up,  down.cause, down.text};
  gone.probe = tunnel.spec.probe;
  gone.packets_in = session.packets_in;
  gone.packets_out = session.packets_out;
  gone.bytes_in = session.bytes_in;
  gone.bytes_out = session.bytes_out;
  emit_(std::move(gone));
}

void Lns::forget_session(Session& session) {
  sessions_.erase(session.serial);
  disown(session, [](const Prefix&) { return true; });
}

/// Lets go of what has ended: sessions, then the tunnel.
void Lns::reap(Tunnel& tunnel, Instant now) {
  for (const auto& session : tunnel.sessions) {
    if (session->over) forget_session(*session);
  }
  std::erase_if(tunnel.sessions, [](const auto& session) { return session->over; });
  if (tunnel.sessions.empty() && !tunnel.empty_since) tunnel.empty_since = now;
  if (!tunnel.l2tp.finished()) return schedule(tunnel);
  emit_(TunnelGone{tunnel.spec.key, tunnel.by_client, tunnel.down_text});
  destroy(tunnel, "tunnel-closed", tunnel.down_text);
}

// ---- time

void Lns::schedule(Tunnel& tunnel) {
  std::optional<Instant> next = tunnel.l2tp.next_timeout();
  const auto earlier = [&](std::optional<Instant> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  for (const auto& session : tunnel.sessions) {
    earlier(session->ppp.next_timeout());
    if (!session->ending) earlier(session->limits.next_timeout());
  }
  if (tunnel.empty_since && !tunnel.down) earlier(*tunnel.empty_since + settings_.empty_tunnel_timeout);
  // Data only puts timeouts off: an entry that fires early finds nothing to do and is put in again.
  if (!next || (tunnel.wake && *tunnel.wake <= *next)) return;
  tunnel.wake = next;
  wakes_.push({*next, tunnel.spec.key});
}

std::optional<Instant> Lns::next_timeout() const {
  if (wakes_.empty()) return std::nullopt;
  return wakes_.top().at;
}

void Lns::on_timeout(Instant now) {
  // Each entry once: whatever a core asks for again at the same instant waits for the next call.
  for (std::size_t left = wakes_.size(); left > 0 && !wakes_.empty() && wakes_.top().at <= now; --left) {
    const Wake wake = wakes_.top();
    wakes_.pop();
    Tunnel* tunnel = find(wake.key);
    if (tunnel == nullptr || tunnel->wake != wake.at) continue;
    tunnel->wake.reset();
    if (tunnel->held) continue;
    tunnel->l2tp.on_timeout(now);
    for (const auto& session : tunnel->sessions) {
      session->ppp.on_timeout(now);
      if (session->ending) continue;
      if (const auto end = session->limits.expired(now)) {
        session->ending = true;
        session->ppp.stop(end->cause, end->text, now);
      }
    }
    const bool idle = tunnel->empty_since && *tunnel->empty_since + settings_.empty_tunnel_timeout <= now;
    if (idle && !tunnel->down) tunnel->l2tp.close_tunnel(l2tp::StopResult::kGeneral, "no session", now);
    service(*tunnel, now);
  }
}

}  // namespace sluice::agent
