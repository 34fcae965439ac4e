#include "edge/ike/failures.hpp"

#include <algorithm>

namespace sluice::edge {
namespace {

constexpr std::size_t kRemembered = 4096;
constexpr std::uint16_t kNoProposalChosen = 14, kInvalidKeyInformation = 17, kInvalidId = 18,
                        kAuthenticationFailed = 24;

struct Explanation {
  const char* cause;
  const char* text;
};

Explanation explain_refusal(std::uint16_t notify) {
  switch (notify) {
    case kAuthenticationFailed:
      return {"refused_auth",
              "the client does not accept our authentication: its pre-shared key or the server identity it "
              "expects differs (Windows error 787)"};
    case kNoProposalChosen:
      return {"refused_proposal", "the client accepts none of our algorithms (Windows error 788)"};
    case kInvalidId:
      return {"refused_selectors", "the client does not accept the traffic selectors (Windows error 788)"};
    default:
      return {"refused", "the client ended the negotiation with an error notification (Windows error 789)"};
  }
}

Explanation explain(const feed::Alert& alert) {
  switch (alert.cause) {
    case SF_CAUSE_UNREADABLE:
      if (alert.established)
        return {"unreadable", "a message on an established IKE SA does not decrypt or parse"};
      if (alert.ike_version == 1) {
        return {"wrong_psk",
                "wrong pre-shared key: the client's message does not decrypt with ours (Windows error 789)"};
      }
      return {"unreadable", "the client's message does not decrypt or parse (Windows error 789)"};
    case SF_CAUSE_PEER_AUTH:
      if (alert.ike_version == 1) {
        return {"auth",
                "authentication failed: wrong pre-shared key, or an exchange that is not allowed (Windows "
                "error 789)"};
      }
      return {"wrong_psk",
              "authentication failed: the client's pre-shared key is not ours for its identity (Windows "
              "error 13801 or 789)"};
    case SF_CAUSE_LOCAL_AUTH:
      return {"local_auth",
              "we could not authenticate to the client: no pre-shared key for it, or it refused ours "
              "(Windows error 787)"};
    case SF_CAUSE_PROPOSAL_IKE:
      return {"ike_proposal",
              "no common IKE algorithms: compare ike_proposals with the client's (Windows error 788 or 789)"};
    case SF_CAUSE_PROPOSAL_CHILD:
      return {"esp_proposal",
              "no common ESP algorithms: compare esp_proposals with the client's (Windows error 788)"};
    case SF_CAUSE_SELECTORS:
      return {"selectors",
              "the client asks for something other than L2TP (UDP port 1701) in transport mode (Windows "
              "error 788)"};
    case SF_CAUSE_HALF_OPEN:
      return {"timeout",
              "the handshake was not finished: the client gave up, or our answers or its UDP 4500 are "
              "blocked on the way (Windows error 809)"};
    case SF_CAUSE_PEER_GONE:
      return {"no_answer", "the client no longer answers (Windows error 809)"};
    case SF_CAUSE_INSTALL:
      return {"install", "the data plane did not take the client's SAs (Windows error 789)"};
    case SF_CAUSE_PEER_ERROR:
      return explain_refusal(alert.notify);
    case SF_CAUSE_PROTOCOL:
      if (alert.ike_version == 1 && alert.notify == kInvalidKeyInformation) {
        return {"no_psk", "no pre-shared key is configured for this client's address (Windows error 789)"};
      }
      return {"protocol",
              "the client's message is not what the protocol wants at this point (Windows error 789)"};
  }
  return {"protocol", "the negotiation failed (Windows error 789)"};
}

}  // namespace

std::optional<IkeFailure> FailureBook::on_alert(const feed::Alert& alert, Instant now) {
  if (!first_time(alert)) return std::nullopt;
  if (!take_token(now)) {
    ++suppressed_;
    return std::nullopt;
  }
  const Explanation explanation = explain(alert);
  IkeFailure out{alert.remote, alert.peer_id, explanation.cause, explanation.text};
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
