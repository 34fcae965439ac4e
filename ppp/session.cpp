#include "ppp/session.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "ppp/mss_clamp.hpp"

namespace sluice::ppp {
namespace {

constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40;
/// RFC 8200 §5: a link that takes less carries no IPv6.
constexpr std::uint16_t kMinIpv6Mtu = 1280;
constexpr std::size_t kLinkLocalSize = 8;
constexpr std::array<std::uint8_t, kLinkLocalSize> kLinkLocal{0xfe, 0x80};

bool is_link_local(Bytes address) {
  return address[0] == 0xfe && (address[1] & 0xc0U) == 0x80;
}
bool covers(const std::optional<Prefix>& prefix, const IpAddress& address) {
  return prefix && prefix->contains(address);
}

void earliest(std::optional<Instant>& best, std::optional<Instant> candidate) {
  if (candidate && (!best || *candidate < *best)) best = candidate;
}

}  // namespace

PppSession::PppSession(std::shared_ptr<const PppConfig> config, RandomSource& random, Drops& drops)
    : config_(std::move(config)),
      drops_(drops),
      lcp_(*config_, random, out_, drops),
      auth_(*config_, random, out_, drops),
      ipcp_(*config_, out_, drops),
      ipv6cp_(*config_, random, out_, drops),
      link_(*config_, random, out_, drops) {}

void PppSession::start(Instant now) {
  if (phase_ != Phase::kDead || !down_cause_.empty()) return;
  phase_ = Phase::kEstablish;
  lcp_.open(now);
  lcp_.up(now);
  handle_signals(now);
}

MutableBytes PppSession::on_frame(MutableBytes frame, Instant now) {
  const auto parsed = parse_frame(frame);
  if (!parsed) {
    drops_.add(parsed.error());
    return {};
  }
  lcp_.heard(now);
  const MutableBytes payload = frame.subspan(parsed->header_size);
  if (parsed->protocol == kIpv4) return take_ipv4(payload);
  if (parsed->protocol == kIpv6) return take_ipv6(payload, now);
  handle_control(parsed->protocol, payload, now);
  handle_signals(now);
  return {};
}

MutableBytes PppSession::take_ipv4(MutableBytes packet) {
  if (!up_) return drops_.add(Drop::kLinkClosed), MutableBytes{};
  if (packet.size() < kIpv4Header || packet[0] >> 4 != 4) return drops_.add(Drop::kNotIp), MutableBytes{};
  // Whatever follows Total Length is padding of the link (RFC 1661 §2).
  const std::uint16_t total = load_be16(packet.data() + 2);
  if (total < kIpv4Header || total > packet.size()) return drops_.add(Drop::kNotIp), MutableBytes{};
  packet = packet.first(total);
  const std::uint32_t source = load_be32(packet.data() + 12);
  if (checks_source() && source != ipcp_.addresses().remote.to_v4() && !is_behind(IpAddress::v4(source))) {
    return drops_.add(Drop::kWrongSource), MutableBytes{};
  }
  if (config_->role == Role::kServer && link_.take_ipv4(packet, *addresses_)) return {};
  if (config_->clamp_mss) clamp_mss(packet, mtu());
  return packet;
}

/// RFC 4291 §2.5.6, §2.7: what is multicast or link-local stays on the link. A client takes all that comes.
MutableBytes PppSession::take_ipv6(MutableBytes packet, Instant now) {
  if (!ipv6_up_) return drops_.add(Drop::kLinkClosed), MutableBytes{};
  if (packet.size() < kIpv6Header || packet[0] >> 4 != 6) return drops_.add(Drop::kNotIp), MutableBytes{};
  const std::size_t total = kIpv6Header + load_be16(packet.data() + 4);
  if (total > packet.size()) return drops_.add(Drop::kNotIp), MutableBytes{};
  packet = packet.first(total);
  const Bytes source = packet.subspan(8, 16), destination = packet.subspan(24, 16);
  if (checks_source() && !is_clients(source)) return drops_.add(Drop::kWrongSource), MutableBytes{};
  const bool server = config_->role == Role::kServer;
  if (server && (destination[0] == 0xff || is_link_local(destination))) {
    link_.take_ipv6(packet, *addresses_, now);
    return {};
  }
  if (server && (is_link_local(source) || IpAddress::from_bytes(source)->is_unspecified())) {
    return drops_.add(Drop::kLinkScope), MutableBytes{};
  }
  if (config_->clamp_mss) clamp_mss(packet, mtu());
  return packet;
}

bool PppSession::is_clients(Bytes source) const {
  const IpAddress address = *IpAddress::from_bytes(source);
  if (is_link_local(source)) {
    return equal(source.first(kLinkLocalSize), kLinkLocal) &&
           load_be64(source.data() + kLinkLocalSize) == ipv6cp_.remote_id();
  }
  return address.is_unspecified() || covers(addresses_->v6->prefix, address) ||
         covers(addresses_->v6->delegated, address) || is_behind(address);
}

bool PppSession::is_behind(const IpAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const Prefix& network) { return network.contains(address); });
}

MutableBytes PppSession::frame_ip(MutableBytes buffer, std::size_t offset, std::size_t size) {
  const bool fits = offset <= buffer.size() && size <= buffer.size() - offset;
  const unsigned version = fits && size > 0 ? buffer[offset] >> 4 : 0U;
  const Protocol protocol = version == 6 ? kIpv6 : kIpv4;
  const std::size_t header = ppp::header_size(protocol, lcp_.send_acfc(), lcp_.send_pfc());
  if (!(version == 6 ? ipv6_up_ : up_)) return drops_.add(Drop::kLinkClosed), MutableBytes{};
  if (!fits || offset < header || size > mtu()) return drops_.add(Drop::kTooLarge), MutableBytes{};
  if (size < (version == 6 ? kIpv6Header : kIpv4Header) || (version != 4 && version != 6)) {
    return drops_.add(Drop::kNotIp), MutableBytes{};
  }
  const MutableBytes packet = buffer.subspan(offset, size);
  if (config_->clamp_mss) clamp_mss(packet, mtu());
  const MutableBytes frame = buffer.subspan(offset - header, header + size);
  ByteWriter out(frame.first(header));
  write_header(out, protocol, lcp_.send_acfc(), lcp_.send_pfc());
  return frame;
}

std::uint16_t PppSession::mtu() const {
  return std::min(config_->mtu, lcp_.peer_mru());
}

void PppSession::handle_control(Protocol protocol, Bytes packet, Instant now) {
  if (phase_ == Phase::kDead) return drops_.add(Drop::kLinkClosed);
  if (protocol == kLcp) return lcp_.on_packet(packet, now);
  // RFC 1661 §3.4: before LCP is open nothing else counts.
  if (!lcp_.opened()) return drops_.add(Drop::kWrongPhase);
  if (protocol == kPapProtocol || protocol == kChapProtocol || protocol == kEapProtocol) {
    auth_.on_packet(protocol, packet, now);
    return handle_auth(now);
  }
  auth_.on_network_packet(now);
  handle_auth(now);
  // §3.5: the same for network protocols before authentication is over.
  if (phase_ != Phase::kNetwork) return drops_.add(Drop::kWrongPhase);
  const bool known = protocol == kIpcp || protocol == kIpv6cp;
  known ? handle_network_control(protocol, packet, now) : lcp_.reject_protocol(protocol, packet);
}

void PppSession::handle_network_control(Protocol protocol, Bytes packet, Instant now) {
  const bool six = protocol == kIpv6cp;
  if (awaits_addresses()) {
    (six ? early_ipv6cp_ : early_ipcp_).assign(packet.begin(), packet.end());
  } else if (!(six ? wants_ipv6() : wants_ipv4())) {
    lcp_.reject_protocol(protocol, packet);
  } else {
    six ? ipv6cp_.on_packet(packet, now) : ipcp_.on_packet(packet, now);
  }
}

bool PppSession::wants_ipv4() const {
  if (config_->role == Role::kClient) return config_->want_ipv4;
  return addresses_ && !addresses_->remote.is_unspecified();
}

bool PppSession::wants_ipv6() const {
  if (config_->role == Role::kClient) return config_->want_ipv6;
  return addresses_ && addresses_->v6 && mtu() >= kMinIpv6Mtu;
}

void PppSession::on_timeout(Instant now) {
  lcp_.on_timeout(now);
  lcp_.on_echo_timeout(now);
  auth_.on_timeout(now);
  ipcp_.on_timeout(now);
  ipv6cp_.on_timeout(now);
  if (ipv6_up_ && addresses_) link_.on_timeout(*addresses_, now);
  handle_signals(now);
  handle_auth(now);
  handle_signals(now);
}

std::optional<Instant> PppSession::next_timeout() const {
  std::optional<Instant> best;
  if (phase_ == Phase::kDead) return best;
  earliest(best, lcp_.next_timeout());
  earliest(best, lcp_.next_echo());
  earliest(best, auth_.next_timeout());
  earliest(best, ipcp_.next_timeout());
  earliest(best, ipv6cp_.next_timeout());
  if (ipv6_up_) earliest(best, link_.next_timeout());
  return best;
}

/// Acts on what the protocols reported; the only place where one layer moves another (RFC 1661 §3).
void PppSession::handle_signals(Instant now) {
  if (phase_ == Phase::kDead) return;
  if (const auto text = lcp_.take_message()) events_.push(PeerSays{*text});
  if (const auto rejected = lcp_.take_rejected_protocol()) on_protocol_reject(*rejected, now);
  const std::uint8_t lcp = lcp_.take_signals();
  if ((lcp & ControlProtocol::kLayerDown) != 0) lcp_closed(now);
  if ((lcp & ControlProtocol::kLayerUp) != 0) lcp_opened(now);
  if (phase_ == Phase::kDead) return;
  if ((lcp & ControlProtocol::kLayerFinished) != 0) return lcp_finished();
  if (lcp_.looped()) return finish("loopback", "our own LCP packets come back: the line is looped");
  if (lcp_.auth_refused() && phase_ == Phase::kEstablish) {
    stop("authentication-refused", "the peer accepts none of the authentication protocols offered", now);
    return;
  }
  if (lcp_.echo_dead()) return finish("echo-timeout", "no answer to LCP echoes, and no data");
  handle_ipcp_signals(now);
  handle_ipv6cp_signals(now);
  check_invariant();
}

void PppSession::handle_ipcp_signals(Instant now) {
  const std::uint8_t signals = ipcp_.take_signals();
  if ((signals & ControlProtocol::kLayerDown) != 0) up_ = false;
  if ((signals & ControlProtocol::kLayerUp) != 0) go_up();
  if ((signals & ControlProtocol::kLayerDown) != 0 && ipcp_.terminated_by_peer()) {
    network_ended(ipv6cp_, "no-network-protocol", "the peer ended IPCP", now);
  } else if ((signals & ControlProtocol::kLayerFinished) != 0) {
    ipcp_.gave_up() ? network_ended(ipv6cp_, "ipcp-timeout", "no agreement on IP addresses in time", now)
                    : network_ended(ipv6cp_, "no-network-protocol", "the peer does not speak IPv4", now);
  }
}

void PppSession::handle_ipv6cp_signals(Instant now) {
  const std::uint8_t signals = ipv6cp_.take_signals();
  if ((signals & ControlProtocol::kLayerDown) != 0 && std::exchange(ipv6_up_, false)) {
    link_.stop();
    events_.push(Ipv6Down{});
  }
  if ((signals & ControlProtocol::kLayerUp) != 0) go_up_ipv6(now);
  const bool ended = (signals & ControlProtocol::kLayerDown) != 0 && ipv6cp_.terminated_by_peer();
  if (ended || (signals & ControlProtocol::kLayerFinished) != 0) {
    network_ended(ipcp_, "no-network-protocol", "neither IPv4 nor IPv6 is left on the link", now);
  }
}

/// One network protocol is over: the link lives on if `other` is in use or may yet be.
void PppSession::network_ended(const ControlProtocol& other, std::string_view cause, std::string_view text,
                               Instant now) {
  const CpState state = other.state();
  const bool alive = state == CpState::kStarting || state >= CpState::kReqSent;
  if (phase_ == Phase::kNetwork && !alive) stop(cause, text, now);
}

/// RFC 1661 §5.7: nothing of that protocol is sent any more.
void PppSession::on_protocol_reject(Protocol protocol, Instant now) {
  const bool auth = protocol == kPapProtocol || protocol == kChapProtocol || protocol == kEapProtocol;
  if (protocol == kIpcp || protocol == kIpv4) {
    ipcp_.protocol_rejected(now);
  } else if (protocol == kIpv6cp || protocol == kIpv6) {
    ipv6cp_.protocol_rejected(now);
  } else if (protocol == kLcp) {
    finish("protocol-error", "the peer rejects LCP itself");
  } else if (auth && phase_ == Phase::kAuthenticate) {
    stop("authentication-refused", "the peer agreed to an authentication protocol and then rejected it", now);
  }
}

void PppSession::lcp_opened(Instant now) {
  lcp_.start_echo(now);
  phase_ = Phase::kAuthenticate;
  const bool server = config_->role == Role::kServer;
  const AuthMethod method = server ? lcp_.auth() : lcp_.peer_auth();
  if (server && method == AuthMethod::kNone)
    return stop("protocol-error", "no authentication is configured", now);
  auth_.start(method, now);
  handle_auth(now);
}

void PppSession::lcp_closed(Instant now) {
  up_ = false;
  lcp_.stop_echo();
  auth_.reset();
  ipcp_.down(now);
  ipv6cp_.down(now);
  early_ipcp_.clear();
  early_ipv6cp_.clear();
  if (phase_ == Phase::kTerminate) return;
  if (lcp_.terminated_by_peer() && lcp_.state() == CpState::kStopping) {
    const std::string& text = *lcp_.terminated_by_peer();
    // The Terminate-Ack is on its way; there is nothing left to wait for.
    return finish("user-request",
                  text.empty() ? "the peer ended the link" : "the peer ended the link: " + text);
  }
  phase_ = lcp_.state() == CpState::kClosing || lcp_.state() == CpState::kStopping ? Phase::kTerminate
                                                                                   : Phase::kEstablish;
}

void PppSession::lcp_finished() {
  if (!down_cause_.empty()) return finish(down_cause_, down_text_);
  lcp_.gave_up() ? finish("lcp-timeout", "the peer does not answer LCP, or agrees to nothing")
                 : finish("protocol-error", "LCP ended unexpectedly");
}

void PppSession::handle_auth(Instant now) {
  if (auto request = auth_.take_request()) {
    if (phase_ == Phase::kNetwork) auth_.wait_for_judge();
    events_.push(AuthNeeded{std::move(*request)});
  }
  const bool proving = phase_ == Phase::kAuthenticate;
  if (!proving && phase_ != Phase::kNetwork) return;
  switch (auth_.state()) {
    case Auth::State::kIdle:
    case Auth::State::kWaiting:
    case Auth::State::kPending:
      return;
    case Auth::State::kAccepted:
      if (proving) start_network(now);
      return;
    case Auth::State::kRejected:
      return stop(auth_.cause().empty() ? "authentication-failed" : auth_.cause(), auth_.detail(), now);
    case Auth::State::kTimedOut:
      return stop("authentication-timeout", "the peer did not authenticate in time", now);
  }
}

void PppSession::auth_result(AttemptId attempt, const AuthVerdict& verdict, Instant now) {
  if (phase_ != Phase::kAuthenticate && phase_ != Phase::kNetwork) return;
  const bool undecided = verdict.unavailable && !verdict.accepted && phase_ == Phase::kNetwork;
  if (!(undecided ? auth_.postpone(attempt, now) : auth_.result(attempt, verdict, now))) return;
  if (verdict.accepted && proven_user_ && *proven_user_ != auth_.user()) {
    stop("protocol-error", "the peer authenticated again under another name", now);
  } else {
    if (verdict.accepted) proven_user_ = auth_.user();
    handle_auth(now);
  }
  handle_signals(now);
}

void PppSession::start_network(Instant now) {
  phase_ = Phase::kNetwork;
  if (awaits_addresses()) {
    if (!std::exchange(address_asked_, true)) events_.push(AddressNeeded{auth_.user()});
    return;
  }
  if (addresses_) ipcp_.assign(*addresses_);
  if (addresses_ && addresses_->v6) ipv6cp_.assign(addresses_->v6->local_id, addresses_->v6->remote_id);
  const bool four = wants_ipv4(), six = wants_ipv6();
  if (!four && !six) return stop("no-network-protocol", "there is no address of any kind for the link", now);
  if (four) {
    ipcp_.open(now);
    ipcp_.up(now);
  }
  if (six) {
    ipv6cp_.open(now);
    ipv6cp_.up(now);
  }
  for (const Protocol protocol : {kIpcp, kIpv6cp}) {
    ByteVector& early = protocol == kIpcp ? early_ipcp_ : early_ipv6cp_;
    if (!early.empty()) handle_network_control(protocol, std::exchange(early, {}), now);
  }
}

void PppSession::set_addresses(const Addresses& addresses, Instant now) {
  if (addresses_ || phase_ == Phase::kDead) return;
  addresses_ = addresses;
  if (phase_ == Phase::kNetwork) start_network(now);
  handle_signals(now);
}

void PppSession::go_up() {
  up_ = true;
  events_.push(Up{ipcp_.addresses(), auth_.user(), auth_.method(), mtu()});
}

void PppSession::go_up_ipv6(Instant now) {
  Ipv6Addresses agreed = addresses_ && addresses_->v6 ? *addresses_->v6 : Ipv6Addresses{};
  agreed.local_id = ipv6cp_.local_id();
  agreed.remote_id = ipv6cp_.remote_id();
  ipv6_up_ = true;
  if (config_->role == Role::kServer) link_.start(agreed.local_id, agreed.remote_id, mtu(), now);
  events_.push(Ipv6Up{std::move(agreed), auth_.user(), auth_.method(), mtu()});
}

void PppSession::stop(std::string_view cause, std::string_view text, Instant now) {
  if (phase_ == Phase::kDead) return;
  if (down_cause_.empty()) {
    down_cause_ = cause;
    down_text_ = text;
  }
  if (phase_ == Phase::kTerminate) return;
  phase_ = Phase::kTerminate;
  up_ = ipv6_up_ = false;
  lcp_.close(down_text_, now);
  handle_signals(now);
}

void PppSession::lower_down(std::string_view cause, std::string_view text) {
  if (phase_ == Phase::kDead) return;
  if (!down_cause_.empty()) return finish(down_cause_, down_text_);
  finish(cause, text);
}

void PppSession::finish(std::string_view cause, std::string_view text) {
  if (phase_ == Phase::kDead) return;
  events_.push(Down{std::string(cause), std::string(text), auth_.user()});
  phase_ = Phase::kDead;
  up_ = ipv6_up_ = false;
  if (down_cause_.empty()) down_cause_ = cause;
}

std::optional<PppEvent> PppSession::poll_event() {
  return events_.pop();
}

void PppSession::check_invariant() const {
  assert(!up_ || (phase_ == Phase::kNetwork && lcp_.opened() && ipcp_.opened()));
  assert(!ipv6_up_ || (phase_ == Phase::kNetwork && lcp_.opened() && ipv6cp_.opened()));
  assert(phase_ != Phase::kNetwork || lcp_.opened());
}

}  // namespace sluice::ppp
