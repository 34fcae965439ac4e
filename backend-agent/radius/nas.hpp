#pragma once
// What every request says of this server and of the session it is about.

#include <optional>
#include <string>

#include "backend-agent/radius/authenticator.hpp"

namespace sluice::agent {

struct NasIdentity {
  std::string identifier;            ///< NAS-Identifier
  std::optional<IpAddress> address;  ///< NAS-IP-Address or NAS-IPv6-Address
};

void add_nas(radius::Draft& draft, const NasIdentity& nas);
/// User, session ids, port, true address of the client, tunnel (RFC 2868 without tags).
void add_caller(radius::Draft& draft, const std::string& user, const Caller& caller);

}  // namespace sluice::agent
