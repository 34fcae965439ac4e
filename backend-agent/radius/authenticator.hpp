#pragma once
// The seam between a client's proof and whoever judges it: the users file here, RADIUS servers elsewhere.

#include <functional>
#include <optional>
#include <string>

#include "backend-agent/lns/messages.hpp"
#include "backend-agent/radius/core/grant.hpp"
#include "base/ip.hpp"
#include "ppp/verify.hpp"

namespace sluice::agent {

/// What is known of who dials, for the judge and for accounting. Escape the texts before printing.
struct Caller {
  SessionSerial session;
  std::string session_id;      ///< Acct-Session-Id: never the same twice, not even after a restart
  std::string correlation_id;  ///< joins everything of one client; Acct-Multi-Session-Id
  Endpoint client;             ///< its true address as the edge saw it
  std::string identity;        ///< its IKE identity
  std::string called;          ///< what it dialled
};

struct AuthAttempt {
  ppp::AuthRequest request;
  Caller caller;
};

struct AuthDecision {
  ppp::AuthVerdict verdict;
  radius::Grant grant;     ///< with an accepted verdict
  bool by_radius = false;  ///< who judged
};

/// Thread: control. `done` is called at most once for each attempt, at once or later, on the same thread; who
/// has called forget() meanwhile passes it over.
class Authenticator {
 public:
  using Done = std::function<void(AuthDecision)>;
  virtual ~Authenticator() = default;
  virtual void authenticate(AuthAttempt attempt, Done done) = 0;
  /// The session is gone: whatever is kept or under way for it goes too.
  virtual void forget(SessionSerial session) = 0;
};

/// A refusal. `message` is for the client's user, `detail` for the operator.
AuthDecision refused(std::string cause, std::string detail, std::string message, unsigned error = 691);

}  // namespace sluice::agent
