#include "backend-agent/radius/authenticator.hpp"

namespace sluice::agent {

AuthDecision refused(std::string cause, std::string detail, std::string message, unsigned error) {
  AuthDecision out;
  out.verdict.message = std::move(message);
  out.verdict.error = error;
  out.verdict.cause = std::move(cause);
  out.verdict.detail = std::move(detail);
  return out;
}

}  // namespace sluice::agent
