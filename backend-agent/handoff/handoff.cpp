// Upward: edge -> from_edge() -> tunnel id exchanged -> the tunnel's socket. Downward: receive() -> tunnel id
// exchanged -> `to_client`. Both on the worker's thread.
#include "backend-agent/handoff/handoff.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace sluice::agent {
namespace {

/// How long a tunnel whose StopCCN nobody acknowledges is kept: a retransmission cycle (RFC 2661 §5.7).
constexpr auto kLinger = std::chrono::seconds(31);
/// After 0, 1, 3 and 7 s, as a dead agent's clients get it from the edge.
constexpr unsigned kFarewells = 4;
/// And one that is acknowledged, for a StopCCN that comes again because the acknowledgement was lost.
constexpr auto kAcknowledged = std::chrono::seconds(2);
constexpr std::size_t kPackets = 32, kMaxPacket = 2048;
constexpr int kBuffer = 1 << 20;

sockaddr_in to_sockaddr(const Endpoint& endpoint) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(endpoint.port);
  out.sin_addr.s_addr = htonl(endpoint.address.to_v4());
  return out;
}

}  // namespace

struct Handoff::Tunnel {
  explicit Tunnel(const TunnelSpec& told) : spec(told), l2tp(told.assigned) {}
  struct Session {
    SessionSerial serial;
    SessionId id;  ///< the server's
  };
  TunnelSpec spec;
  HandoffTunnel l2tp;
  app::UniqueFd socket;
  IpAddress source;
  std::vector<Session> sessions;
  Stage stage = Stage::kRelaying;
  bool acknowledged = false;  ///< with kEnding
  Instant wake{};
  std::string farewell;
  unsigned farewells = 0;
  std::uint64_t packets_in = 0, packets_out = 0, bytes_in = 0, bytes_out = 0;  ///< of PPP
};

struct Handoff::Burst {
  std::array<std::array<std::uint8_t, kMaxPacket>, kPackets> bytes;
  std::array<iovec, kPackets> pieces{};
  std::array<mmsghdr, kPackets> messages{};
  Burst() {
    for (std::size_t i = 0; i < kPackets; ++i) {
      pieces[i] = {bytes[i].data(), bytes[i].size()};
      messages[i].msg_hdr.msg_iov = &pieces[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
};

Handoff::Handoff(HandoffSettings settings, Emit emit)
    : settings_(settings),
      emit_(std::move(emit)),
      sources_(settings.sources),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      burst_(std::make_unique<Burst>()) {
  if (!epoll_) throw std::runtime_error("no file descriptor is left");
}
Handoff::~Handoff() = default;

std::optional<std::string> Handoff::connect(Tunnel& tunnel) {
  const auto source = sources_.take();
  if (!source) return "every address of handoff.sources is in use";
  tunnel.source = *source;
  tunnel.socket.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto failed = [](const std::string& what) { return what + ": " + std::strerror(errno); };
  if (!tunnel.socket) return failed("no socket");
  const int fd = tunnel.socket.get();
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer);
  const auto own = to_sockaddr({*source, 0});
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return failed(source->to_string() + " of handoff.sources is not an address of this machine");
  const auto server = to_sockaddr(settings_.server);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0)
    return failed("no way to " + settings_.server.to_string());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &tunnel;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return failed("epoll");
  return std::nullopt;
}

void Handoff::open_tunnel(const TunnelSpec& spec, Instant) {
  forget(spec.key);
  auto tunnel = std::make_unique<Tunnel>(spec);
  if (auto error = connect(*tunnel)) {
    if (tunnel->source != IpAddress()) sources_.give_back(tunnel->source);
    return emit_(TunnelGone{spec.key, false, std::move(*error)});
  }
  tunnels_[spec.key] = std::move(tunnel);
}

void Handoff::close_tunnel(const TunnelKey& key, std::string_view text) {
  const auto found = tunnels_.find(key);
  if (found == tunnels_.end()) return;
  Tunnel& tunnel = *found->second;
  // Once, unacknowledged: a server that misses it notices by its own HELLO.
  if (!tunnel.l2tp.seen().closed()) {
    if (const auto farewell = tunnel.l2tp.farewell_to_server(text))
      ::send(tunnel.socket.get(), farewell->data(), farewell->size(), MSG_NOSIGNAL);
  }
  end_sessions(tunnel, "tunnel-closed", text);
  forget(key);
}

void Handoff::close_channel(ChannelId channel, std::string_view text) {
  std::vector<TunnelKey> keys;
  for (const auto& [key, tunnel] : tunnels_) {
    if (key.channel == channel) keys.push_back(key);
  }
  for (const auto& key : keys) close_tunnel(key, text);
}

TunnelsDescribed Handoff::describe_tunnels(ChannelId channel) const {
  TunnelsDescribed out{channel, {}};
  for (const auto& [key, tunnel] : tunnels_) {
    const l2tp::Observer& seen = tunnel->l2tp.seen();
    const bool known = seen.client_tunnel() && seen.agent_tunnel();
    if (key.channel != channel || tunnel->stage != Stage::kRelaying || !known) continue;
    TunnelNumbers& numbers = out.tunnels.emplace_back();
    numbers = {key,
               seen.client_tunnel(),
               seen.next_ns(l2tp::Side::kAgent),
               seen.expects(l2tp::Side::kAgent),
               seen.state() == l2tp::ObservedState::kEstablished,
               {}};
    for (const auto& session : seen.sessions()) {
      if (session.state == l2tp::ObservedState::kEstablished)
        numbers.sessions.push_back({session.agent, session.client});
    }
  }
  return out;
}

void Handoff::rebind(const RebindTunnel& rebind) {
  auto node = tunnels_.extract(rebind.from);
  if (node.empty()) return;
  forget(rebind.to);
  Tunnel& tunnel = *node.mapped();
  if (wakes_.erase({tunnel.wake, rebind.from}) > 0) wakes_.insert({tunnel.wake, rebind.to});
  tunnel.spec.key = rebind.to;
  tunnel.spec.edge_worker = rebind.edge_worker;
  node.key() = rebind.to;
  tunnels_.insert(std::move(node));
}

void Handoff::close_all(std::string_view text, const ToClient& to_client, Instant now) {
  std::vector<TunnelKey> keys;
  for (const auto& [key, tunnel] : tunnels_) keys.push_back(key);
  for (const auto& key : keys) farewell(*tunnels_.at(key), "agent-stopping", text, to_client, now);
}

void Handoff::end_tunnel(const TunnelKey& key, std::string_view text, const ToClient& to_client,
                         Instant now) {
  const auto found = tunnels_.find(key);
  if (found == tunnels_.end() || found->second->stage == Stage::kFarewell) return;
  farewell(*found->second, "draining", text, to_client, now);
}

void Handoff::farewell(Tunnel& tunnel, std::string_view cause, std::string_view text,
                       const ToClient& to_client, Instant now) {
  if (const auto goodbye = tunnel.l2tp.farewell_to_server(text))
    ::send(tunnel.socket.get(), goodbye->data(), goodbye->size(), MSG_NOSIGNAL);
  speak_for_server(tunnel, cause, text, to_client, now);
}

void Handoff::from_edge(const TunnelKey& key, MutableBytes l2tp, const ToClient& to_client, Instant now) {
  const auto found = tunnels_.find(key);
  if (found == tunnels_.end()) return drops_.add(HandoffDrop::kUnknownTunnel);
  Tunnel& tunnel = *found->second;
  const auto drop = tunnel.l2tp.from_client(l2tp);
  if (tunnel.stage == Stage::kFarewell) {
    if (tunnel.l2tp.seen().farewell_acknowledged()) end(tunnel, false);
    return;
  }
  if (drop) return drops_.add(*drop);
  if (const auto octets = tunnel.l2tp.ppp_octets()) {
    ++tunnel.packets_in;
    tunnel.bytes_in += *octets;
  }
  if (::send(tunnel.socket.get(), l2tp.data(), l2tp.size(), MSG_NOSIGNAL) < 0) {
    if (errno == ECONNREFUSED) return server_gone(tunnel, to_client, now);
    drops_.add(HandoffDrop::kSendFailed);
  }
  follow(tunnel, now);
}

bool Handoff::receive(const ToClient& to_client, Instant now) {
  constexpr int kSockets = 64;
  std::array<epoll_event, kSockets> ready;
  const int count = ::epoll_wait(epoll_.get(), ready.data(), kSockets, 0);
  bool more = count == kSockets;
  for (int i = 0; i < count; ++i) {
    more |= drain(*static_cast<Tunnel*>(ready[static_cast<std::size_t>(i)].data.ptr), to_client, now);
  }
  return more;
}

/// The tunnel may be gone afterwards.
bool Handoff::drain(Tunnel& tunnel, const ToClient& to_client, Instant now) {
  const int got = ::recvmmsg(tunnel.socket.get(), burst_->messages.data(), kPackets, MSG_DONTWAIT, nullptr);
  if (got < 0) {
    if (errno == ECONNREFUSED) server_gone(tunnel, to_client, now);
    return false;
  }
  const TunnelKey key = tunnel.spec.key;
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    auto& message = burst_->messages[i];
    if (tunnel.stage == Stage::kFarewell) continue;  // the client has been told that this is over
    const bool cut = (message.msg_hdr.msg_flags & MSG_TRUNC) != 0;
    const MutableBytes packet = MutableBytes(burst_->bytes[i]).first(message.msg_len);
    const auto drop = cut ? std::optional(HandoffDrop::kTooLarge) : tunnel.l2tp.from_server(packet);
    if (drop) {
      drops_.add(*drop);
      continue;
    }
    if (const auto octets = tunnel.l2tp.ppp_octets()) {
      ++tunnel.packets_out;
      tunnel.bytes_out += *octets;
    }
    to_client(key, tunnel.spec.edge_worker, packet);
    follow(tunnel, now);
  }
  return got == static_cast<int>(kPackets);
}

/// Tells the control thread what a packet changed.
void Handoff::follow(Tunnel& tunnel, Instant now) {
  const auto& seen = tunnel.l2tp.seen();
  if (const auto& change = tunnel.l2tp.change()) {
    if (change->what == l2tp::Observation::kSessionUp) session_up(tunnel, change->session);
    if (change->what == l2tp::Observation::kSessionClosed) session_closed(tunnel);
    if (change->what == l2tp::Observation::kTunnelClosed) {
      const bool client = seen.closed()->by == l2tp::Side::kClient;
      end_sessions(tunnel, client ? "user-request" : "l2tp-server", l2tp::Observer::describe(*seen.closed()));
      tunnel.stage = Stage::kEnding;
      wake(tunnel, now + kLinger);
    }
  }
  if (tunnel.stage != Stage::kEnding || tunnel.acknowledged || !tunnel.l2tp.over()) return;
  // Not at once: the acknowledgement is to be there before the edge hears that the tunnel is gone.
  tunnel.acknowledged = true;
  wake(tunnel, now + kAcknowledged);
}

void Handoff::session_up(Tunnel& tunnel, const l2tp::ObservedSession& seen) {
  const SessionSerial serial = serial_of(settings_.worker, ++last_serial_);
  tunnel.sessions.push_back({serial, seen.agent});
  ++sessions_up_;
  SessionOpened opened;
  opened.session = serial;
  opened.tunnel = tunnel.spec.key;
  opened.id = seen.agent;
  opened.client = tunnel.spec.client;
  opened.correlation_id = tunnel.spec.correlation_id;
  emit_(std::move(opened));
}

void Handoff::session_closed(Tunnel& tunnel) {
  const auto& seen = tunnel.l2tp.seen();
  const auto& close = *seen.last_session_close();
  std::erase_if(tunnel.sessions, [&](const Tunnel::Session& session) {
    const auto same = [&](const auto& other) { return other.agent == session.id; };
    if (std::any_of(seen.sessions().begin(), seen.sessions().end(), same)) return false;
    session_gone(tunnel, session.serial, session.id,
                 close.by == l2tp::Side::kClient ? "user-request" : "l2tp-server",
                 l2tp::Observer::describe(close));
    return true;
  });
}

void Handoff::session_gone(const Tunnel& tunnel, SessionSerial serial, SessionId id, std::string_view cause,
                           std::string_view text) {
  --sessions_up_;
  SessionGone gone;
  gone.session = serial;
  gone.tunnel = tunnel.spec.key;
  gone.id = id;
  gone.client = tunnel.spec.client;
  gone.correlation_id = tunnel.spec.correlation_id;
  gone.was_up = true;
  gone.cause = cause;
  gone.text = text;
  // PPP frames of the tunnel as a whole: what is in them is the server's business.
  gone.packets_in = tunnel.packets_in;
  gone.packets_out = tunnel.packets_out;
  gone.bytes_in = tunnel.bytes_in;
  gone.bytes_out = tunnel.bytes_out;
  gone.probe = tunnel.spec.probe;
  emit_(std::move(gone));
}

void Handoff::end_sessions(Tunnel& tunnel, std::string_view cause, std::string_view text) {
  for (const auto& session : std::exchange(tunnel.sessions, {}))
    session_gone(tunnel, session.serial, session.id, cause, text);
}

void Handoff::server_gone(Tunnel& tunnel, const ToClient& to_client, Instant now) {
  drops_.add(HandoffDrop::kServerRefused);
  const std::string text =
      "nobody answers at " + settings_.server.to_string() + ": is the L2TP server running?";
  speak_for_server(tunnel, "l2tp-server", text, to_client, now);
}

/// The client gets a StopCCN in the server's name until it acknowledges it.
void Handoff::speak_for_server(Tunnel& tunnel, std::string_view cause, std::string_view text,
                               const ToClient& to_client, Instant now) {
  if (tunnel.stage == Stage::kFarewell) return;
  tunnel.stage = Stage::kFarewell;
  tunnel.farewell = text;
  end_sessions(tunnel, cause, text);
  say_farewell(tunnel, to_client, now);
}

/// The tunnel may be gone afterwards.
void Handoff::say_farewell(Tunnel& tunnel, const ToClient& to_client, Instant now) {
  const auto packet = tunnel.l2tp.farewell_to_client(tunnel.farewell);
  if (!packet || tunnel.farewells == kFarewells) return end(tunnel, false);
  to_client(tunnel.spec.key, tunnel.spec.edge_worker, *packet);
  wake(tunnel, now + std::chrono::seconds(1 << tunnel.farewells++));
}

void Handoff::end(Tunnel& tunnel, bool by_client) {
  const auto& closed = tunnel.l2tp.seen().closed();
  const std::string text = closed ? l2tp::Observer::describe(*closed) : tunnel.farewell;
  emit_(TunnelGone{tunnel.spec.key, by_client, text});
  forget(TunnelKey(tunnel.spec.key));
}

void Handoff::wake(Tunnel& tunnel, Instant at) {
  wakes_.erase({tunnel.wake, tunnel.spec.key});
  tunnel.wake = at;
  wakes_.insert({at, tunnel.spec.key});
}

void Handoff::forget(const TunnelKey& key) {
  const auto found = tunnels_.find(key);
  if (found == tunnels_.end()) return;
  wakes_.erase({found->second->wake, key});
  sources_.give_back(found->second->source);
  tunnels_.erase(found);
}

std::optional<Instant> Handoff::next_timeout() const {
  if (wakes_.empty()) return std::nullopt;
  return wakes_.begin()->first;
}

void Handoff::on_timeout(const ToClient& to_client, Instant now) {
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    Tunnel& tunnel = *tunnels_.at(wakes_.begin()->second);
    wakes_.erase(wakes_.begin());
    if (tunnel.stage == Stage::kFarewell) {
      say_farewell(tunnel, to_client, now);
    } else {
      end(tunnel, tunnel.l2tp.seen().closed()->by == l2tp::Side::kClient);
    }
  }
}

}  // namespace sluice::agent
