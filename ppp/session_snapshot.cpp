// A session as a value, and back.

#include "ppp/session.hpp"

namespace sluice::ppp {
namespace {

/// Nothing that a peer or a judge says is longer: it came in one datagram.
constexpr std::size_t kMaxText = 65'535;

bool bounded(const SessionSnapshot& from) {
  return from.down_cause.size() <= kMaxText && from.down_text.size() <= kMaxText &&
         (!from.proven_user || from.proven_user->size() <= kMaxText) && from.early_ipcp.size() <= kMaxText &&
         from.early_ipv6cp.size() <= kMaxText;
}

}  // namespace

SessionSnapshot PppSession::snapshot(Instant now) const {
  SessionSnapshot out;
  out.phase = static_cast<std::uint8_t>(phase_);
  out.up = up_;
  out.ipv6_up = ipv6_up_;
  out.address_asked = address_asked_;
  out.proven_user = proven_user_;
  out.addresses = addresses_;
  out.early_ipcp = early_ipcp_;
  out.early_ipv6cp = early_ipv6cp_;
  out.down_cause = down_cause_;
  out.down_text = down_text_;
  out.lcp = lcp_.snapshot(now);
  out.auth = auth_.snapshot(now);
  out.ipcp = ipcp_.snapshot(now);
  out.ipv6cp = ipv6cp_.snapshot(now);
  out.link = link_.snapshot(now);
  return out;
}

bool PppSession::restore(const SessionSnapshot& from, Instant now) {
  if (phase_ != Phase::kDead || !down_cause_.empty()) return false;
  addresses_ = from.addresses;
  const bool whole = lcp_.restore(from.lcp, now) && auth_.restore(from.auth, now) &&
                     ipcp_.restore(from.ipcp, now) && ipv6cp_.restore(from.ipv6cp, now) && plausible(from);
  if (!whole) {
    down_cause_ = "bad-snapshot";  // neither start() nor restore() works any more
    return false;
  }
  phase_ = static_cast<Phase>(from.phase);
  up_ = from.up;
  ipv6_up_ = from.ipv6_up;
  address_asked_ = from.address_asked;
  proven_user_ = from.proven_user;
  early_ipcp_ = from.early_ipcp;
  early_ipv6cp_ = from.early_ipv6cp;
  down_cause_ = from.down_cause;
  down_text_ = from.down_text;
  if (ipv6_up_ && config_->role == Role::kServer) {
    link_.restore(from.link, ipv6cp_.local_id(), ipv6cp_.remote_id(), mtu(), now);
  }
  if (phase_ == Phase::kNetwork && awaits_addresses()) {
    address_asked_ = true;
    events_.push(AddressNeeded{auth_.user()});
  }
  check_invariant();
  return true;
}

/// Whether the layers, restored already, fit one another: nothing gets in by a value that it would not get in
/// by itself.
bool PppSession::plausible(const SessionSnapshot& from) const {
  if (from.phase == 0 || from.phase > static_cast<std::uint8_t>(Phase::kTerminate)) return false;
  if (!bounded(from)) return false;
  const Phase phase = static_cast<Phase>(from.phase);
  const bool server = config_->role == Role::kServer;
  const bool network = phase == Phase::kNetwork;
  if ((network || phase == Phase::kAuthenticate) && !lcp_.opened()) return false;
  if (phase == Phase::kTerminate && lcp_.state() < CpState::kClosed) return false;
  if (network && server) {
    const bool proven = auth_.state() == Auth::State::kAccepted || (from.auth.again && from.proven_user);
    if (!proven || auth_.method() == AuthMethod::kNone || auth_.method() != lcp_.auth()) return false;
    if (from.ipcp.cp.state > static_cast<std::uint8_t>(CpState::kStarting) && !wants_ipv4()) return false;
    if (from.ipv6cp.cp.state > static_cast<std::uint8_t>(CpState::kStarting) && !wants_ipv6()) return false;
    if (from.up && (!from.addresses || from.ipcp.addresses != *from.addresses)) return false;
  }
  const bool asks_v6 = from.addresses && from.addresses->v6;
  if (from.ipv6_up && server && !asks_v6) return false;
  return (!from.up || (network && ipcp_.opened())) && (!from.ipv6_up || (network && ipv6cp_.opened()));
}

}  // namespace sluice::ppp
