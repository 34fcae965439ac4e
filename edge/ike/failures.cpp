#include "edge/ike/failures.hpp"

#include <algorithm>
#include <iterator>

namespace sluice::edge {
namespace {

constexpr std::size_t kRemembered = 4096;
// RFC 2408 §3.14.1, RFC 7296 §3.10.1.
constexpr std::uint16_t kNoProposalChosen = 14, kInvalidKeyInformation = 17, kInvalidId = 18,
                        kBadCertEncoding = 19, kInvalidCertificate = 20, kCertTypeUnsupported = 21,
                        kInvalidCertAuthority = 22, kInvalidHash = 23, kAuthenticationFailed = 24,
                        kInvalidSignature = 25, kCertificateUnavailable = 28;

/// What a failure is called, and what Windows shows its user. The first row that fits counts; 0 and -1 fit
/// everything.
struct Row {
  sf_cause cause;
  int version;      ///< of IKE
  int notify;       ///< of the peer's notification, or ours
  int established;  ///< the IKE SA was up
  const char* word;
  int windows;  ///< 0: its user sees nothing, or what L2TP and PPP say
  const char* text;
};
constexpr int kAny = -1, kAnyVersion = 0;

constexpr Row kRows[]{
    {SF_CAUSE_UNREADABLE, kAnyVersion, kAny, 1, "unreadable", 0,
     "a message on an established IKE SA does not decrypt or parse"},
    {SF_CAUSE_UNREADABLE, 1, kAny, 0, "wrong_psk", 789,
     "wrong pre-shared key: the client's message does not decrypt with ours"},
    {SF_CAUSE_UNREADABLE, kAnyVersion, kAny, kAny, "unreadable", 789,
     "the client's message does not decrypt or parse"},
    {SF_CAUSE_PEER_AUTH, 1, kAny, kAny, "auth", 789,
     "authentication failed: wrong pre-shared key, a certificate that is not accepted, or an exchange that "
     "is "
     "not allowed"},
    {SF_CAUSE_PEER_AUTH, kAnyVersion, kAny, kAny, "wrong_psk", 13801,
     "authentication failed: the client's pre-shared key or certificate is not good for its identity"},
    {SF_CAUSE_LOCAL_AUTH, kAnyVersion, kAny, kAny, "local_auth", 787,
     "we could not authenticate to the client: no key or certificate for it, or it refused ours"},
    {SF_CAUSE_PROPOSAL_IKE, kAnyVersion, kAny, kAny, "ike_proposal", 789,
     "no common IKE algorithms: compare the listener's profiles with the client's proposals"},
    {SF_CAUSE_PROPOSAL_CHILD, kAnyVersion, kAny, kAny, "esp_proposal", 788,
     "no common ESP algorithms: compare the listener's profiles with the client's proposals"},
    {SF_CAUSE_SELECTORS, kAnyVersion, kAny, kAny, "selectors", 788,
     "the client asks for something other than L2TP (UDP port 1701) in transport mode"},
    {SF_CAUSE_HALF_OPEN, kAnyVersion, kAny, kAny, "timeout", 809,
     "the handshake was not finished: the client gave up, or our answers or its UDP 4500 are blocked on the "
     "way"},
    {SF_CAUSE_PEER_GONE, kAnyVersion, kAny, kAny, "no_answer", 809, "the client no longer answers"},
    {SF_CAUSE_INSTALL, kAnyVersion, kAny, kAny, "install", 789,
     "the data plane did not take the client's SAs"},
    {SF_CAUSE_PEER_ERROR, kAnyVersion, kAuthenticationFailed, kAny, "refused_auth", 787,
     "the client does not accept our authentication: its pre-shared key or the server identity it expects "
     "differs"},
    {SF_CAUSE_PEER_ERROR, 1, kInvalidHash, kAny, "refused_auth", 787,
     "the client does not accept our authentication: its pre-shared key differs"},
    {SF_CAUSE_PEER_ERROR, 1, kInvalidSignature, kAny, "refused_auth", 787,
     "the client does not accept our certificate's signature"},
    {SF_CAUSE_PEER_ERROR, kAnyVersion, kNoProposalChosen, kAny, "refused_proposal", 788,
     "the client accepts none of our algorithms"},
    {SF_CAUSE_PEER_ERROR, kAnyVersion, kInvalidId, kAny, "refused_selectors", 788,
     "the client does not accept the traffic selectors"},
    {SF_CAUSE_PEER_ERROR, 1, kBadCertEncoding, kAny, "refused_certificate", 766,
     "the client does not accept our certificate's encoding"},
    {SF_CAUSE_PEER_ERROR, 1, kInvalidCertificate, kAny, "refused_certificate", 766,
     "the client does not accept our certificate"},
    {SF_CAUSE_PEER_ERROR, 1, kCertTypeUnsupported, kAny, "refused_certificate", 766,
     "the client does not take our kind of certificate"},
    {SF_CAUSE_PEER_ERROR, 1, kInvalidCertAuthority, kAny, "refused_certificate", 766,
     "the client does not trust the CA of our certificate"},
    {SF_CAUSE_PEER_ERROR, 1, kCertificateUnavailable, kAny, "no_certificate", 766,
     "the client has no certificate that fits"},
    {SF_CAUSE_PEER_ERROR, kAnyVersion, kAny, kAny, "refused", 789,
     "the client ended the negotiation with an error notification"},
    {SF_CAUSE_PROTOCOL, 1, kInvalidKeyInformation, kAny, "no_psk", 789,
     "no pre-shared key is configured for this client's address"},
    {SF_CAUSE_PROTOCOL, kAnyVersion, kAny, kAny, "protocol", 789,
     "the client's message is not what the protocol wants at this point"},
};
constexpr Row kUnknown{SF_CAUSE_PROTOCOL, kAnyVersion, kAny, kAny, "protocol", 789, "the negotiation failed"};

const Row& row_for(const feed::Alert& alert) {
  const auto fits = [&](const Row& row) {
    return row.cause == alert.cause && (row.version == kAnyVersion || row.version == alert.ike_version) &&
           (row.notify == kAny || row.notify == alert.notify) &&
           (row.established == kAny || (row.established == 1) == alert.established);
  };
  const auto* found = std::find_if(std::begin(kRows), std::end(kRows), fits);
  return found == std::end(kRows) ? kUnknown : *found;
}

}  // namespace

std::optional<IkeFailure> FailureBook::on_alert(const feed::Alert& alert, Instant now) {
  if (!first_time(alert)) return std::nullopt;
  if (!take_token(now)) {
    ++suppressed_;
    return std::nullopt;
  }
  const Row& row = row_for(alert);
  IkeFailure out{alert.remote, alert.peer_id, row.word, row.text, row.windows};
  if (row.windows != 0) out.text += " (Windows error " + std::to_string(row.windows) + ")";
  if (alert.notify != 0 && (alert.cause == SF_CAUSE_PEER_ERROR || alert.cause == SF_CAUSE_PROTOCOL)) {
    out.text += "; IKE notification " + std::to_string(alert.notify);
  }
  if (suppressed_ > 0)
    out.text += "; " + std::to_string(std::exchange(suppressed_, 0)) + " more failures before it not shown";
  return out;
}

void FailureBook::clear() {
  told_.clear();
  order_.clear();
}

bool FailureBook::first_time(const feed::Alert& alert) {
  // A handshake fails once, whatever follows from it: the repeated message, our notification, the timeout at
  // last.
  const Key key{alert.ike_uid, alert.established ? static_cast<int>(alert.cause) : 0};
  if (!told_.insert(key).second) return false;
  order_.push_back(key);
  if (order_.size() > kRemembered) {
    told_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

bool FailureBook::take_token(Instant now) {
  if (now > refilled_) {
    const auto earned = (now - refilled_) / kRefill;
    refilled_ += earned * kRefill;
    tokens_ = static_cast<unsigned>(std::min<std::int64_t>(kBurst, std::int64_t{tokens_} + earned));
  }
  if (tokens_ == 0) return false;
  --tokens_;
  return true;
}

}  // namespace sluice::edge
