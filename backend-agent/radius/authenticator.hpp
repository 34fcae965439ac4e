#pragma once
// The seam between a client's proof and whoever judges it: the users file here, RADIUS servers elsewhere.

#include <functional>
#include <optional>
#include <string>

#include "base/ip.hpp"
#include "ppp/verify.hpp"

namespace sluice::agent {

/// One attempt and what is known of who makes it.
struct AuthAttempt {
  ppp::AuthRequest request;
  Endpoint client;            ///< the client's true address as the edge saw it
  std::string peer_identity;  ///< its IKE identity: escape before printing
  std::string correlation_id;
};

struct AuthDecision {
  ppp::AuthVerdict verdict;
  std::optional<IpAddress> address;  ///< the user's own; none: one of the pool
};

/// Thread: control. `done` is called once for each attempt, at once or later, on the same thread.
class Authenticator {
 public:
  using Done = std::function<void(AuthDecision)>;
  virtual ~Authenticator() = default;
  virtual void authenticate(AuthAttempt attempt, Done done) = 0;
};

}  // namespace sluice::agent
