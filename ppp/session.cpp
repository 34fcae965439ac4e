#include "ppp/session.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "ppp/mss_clamp.hpp"

namespace sluice::ppp {
namespace {

constexpr std::size_t kIpv4Header = 20;

void earliest(std::optional<Instant>& best, std::optional<Instant> candidate) {
  if (candidate && (!best || *candidate < *best)) best = candidate;
}

}  // namespace

PppSession::PppSession(std::shared_ptr<const PppConfig> config, RandomSource& random, Drops& drops)
    : config_(std::move(config)),
      drops_(drops),
      lcp_(*config_, random, out_, drops),
      auth_(*config_, random, out_, drops),
      ipcp_(*config_, out_, drops) {}

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
  if (parsed->protocol == kIpv4) return take_ip(payload);
  handle_control(parsed->protocol, payload, now);
  handle_signals(now);
  return {};
}

MutableBytes PppSession::take_ip(MutableBytes packet) {
  if (!up_) return drops_.add(Drop::kLinkClosed), MutableBytes{};
  if (packet.size() < kIpv4Header || packet[0] >> 4 != 4) return drops_.add(Drop::kNotIp), MutableBytes{};
  // Whatever follows Total Length is padding of the link (RFC 1661 §2).
  const std::uint16_t total = load_be16(packet.data() + 2);
  if (total < kIpv4Header || total > packet.size()) return drops_.add(Drop::kNotIp), MutableBytes{};
  packet = packet.first(total);
  const bool checked = config_->check_source && config_->role == Role::kServer;
  if (checked && load_be32(packet.data() + 12) != ipcp_.addresses().remote.to_v4()) {
    return drops_.add(Drop::kWrongSource), MutableBytes{};
  }
  if (config_->clamp_mss) clamp_mss(packet, mtu());
  return packet;
}

MutableBytes PppSession::frame_ip(MutableBytes buffer, std::size_t offset, std::size_t size) {
  const std::size_t header = ppp::header_size(kIpv4, lcp_.send_acfc(), lcp_.send_pfc());
  if (!up_) return drops_.add(Drop::kLinkClosed), MutableBytes{};
  if (offset < header || offset > buffer.size() || size > buffer.size() - offset || size > mtu()) {
    return drops_.add(Drop::kTooLarge), MutableBytes{};
  }
  const MutableBytes packet = buffer.subspan(offset, size);
  if (size < kIpv4Header || packet[0] >> 4 != 4) return drops_.add(Drop::kNotIp), MutableBytes{};
  if (config_->clamp_mss) clamp_mss(packet, mtu());
  const MutableBytes frame = buffer.subspan(offset - header, header + size);
  ByteWriter out(frame.first(header));
  write_header(out, kIpv4, lcp_.send_acfc(), lcp_.send_pfc());
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
  if (protocol == kPapProtocol || protocol == kChapProtocol) {
    auth_.on_packet(protocol, packet, now);
    return handle_auth(now);
  }
  // §3.5: the same for network protocols before authentication is over.
  if (phase_ != Phase::kNetwork) return drops_.add(Drop::kWrongPhase);
  if (protocol != kIpcp) return lcp_.reject_protocol(protocol, packet);
  if (ipcp_.state() <= CpState::kStarting) {
    early_ipcp_.assign(packet.begin(), packet.end());
    return;
  }
  ipcp_.on_packet(packet, now);
}

void PppSession::on_timeout(Instant now) {
  lcp_.on_timeout(now);
  lcp_.on_echo_timeout(now);
  auth_.on_timeout(now);
  ipcp_.on_timeout(now);
  handle_signals(now);
  if (phase_ == Phase::kAuthenticate) handle_auth(now);
  handle_signals(now);
}

std::optional<Instant> PppSession::next_timeout() const {
  std::optional<Instant> best;
  if (phase_ == Phase::kDead) return best;
  earliest(best, lcp_.next_timeout());
  earliest(best, lcp_.next_echo());
  earliest(best, auth_.next_timeout());
  earliest(best, ipcp_.next_timeout());
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
  const std::uint8_t ipcp = ipcp_.take_signals();
  if ((ipcp & ControlProtocol::kLayerDown) != 0) up_ = false;
  if ((ipcp & ControlProtocol::kLayerUp) != 0) go_up();
  if ((ipcp & ControlProtocol::kLayerDown) != 0 && ipcp_.terminated_by_peer()) {
    stop("no-network-protocol", "the peer ended IPCP", now);
  } else if ((ipcp & ControlProtocol::kLayerFinished) != 0 && phase_ == Phase::kNetwork) {
    ipcp_.gave_up() ? stop("ipcp-timeout", "no agreement on IP addresses in time", now)
                    : stop("no-network-protocol", "the peer does not speak IPv4", now);
  }
  check_invariant();
}

void PppSession::on_protocol_reject(Protocol protocol, Instant now) {
  if (protocol == kIpcp) {
    ipcp_.protocol_rejected(now);
  } else if (protocol == kLcp) {
    finish("protocol-error", "the peer rejects LCP itself");
  } else if ((protocol == kPapProtocol || protocol == kChapProtocol) && phase_ == Phase::kAuthenticate) {
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
  early_ipcp_.clear();
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
  if (auto request = auth_.take_request()) events_.push(AuthNeeded{std::move(*request)});
  if (phase_ != Phase::kAuthenticate) return;
  switch (auth_.state()) {
    case Auth::State::kIdle:
    case Auth::State::kWaiting:
    case Auth::State::kPending:
      return;
    case Auth::State::kAccepted:
      return start_network(now);
    case Auth::State::kRejected:
      return stop(auth_.cause().empty() ? "authentication-failed" : auth_.cause(), auth_.detail(), now);
    case Auth::State::kTimedOut:
      return stop("authentication-timeout", "the peer did not authenticate in time", now);
  }
}

void PppSession::auth_result(const AuthVerdict& verdict, Instant now) {
  if (phase_ != Phase::kAuthenticate || !auth_.result(verdict)) return;
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
  ipcp_.open(now);
  if (config_->role == Role::kServer && !addresses_) {
    if (!std::exchange(address_asked_, true)) events_.push(AddressNeeded{auth_.user()});
    return;
  }
  if (addresses_) ipcp_.assign(*addresses_);
  ipcp_.up(now);
  if (!early_ipcp_.empty()) ipcp_.on_packet(std::exchange(early_ipcp_, {}), now);
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

void PppSession::stop(std::string_view cause, std::string_view text, Instant now) {
  if (phase_ == Phase::kDead) return;
  if (down_cause_.empty()) {
    down_cause_ = cause;
    down_text_ = text;
  }
  if (phase_ == Phase::kTerminate) return;
  phase_ = Phase::kTerminate;
  up_ = false;
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
  up_ = false;
  if (down_cause_.empty()) down_cause_ = cause;
}

std::optional<PppEvent> PppSession::poll_event() {
  return events_.pop();
}

void PppSession::check_invariant() const {
  assert(!up_ || (phase_ == Phase::kNetwork && lcp_.opened() && ipcp_.opened()));
  assert(phase_ != Phase::kNetwork || lcp_.opened());
}

}  // namespace sluice::ppp
