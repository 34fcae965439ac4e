#pragma once
// RADIUS servers as the judge: PAP, CHAP-MD5 (RFC 2865), MS-CHAPv2 (RFC 2548), EAP passed through (RFC 3579).
// Thread: control.

#include <map>

#include "backend-agent/radius/nas.hpp"
#include "backend-agent/radius/radius_port.hpp"

namespace sluice::agent {

/// The Access-Request for an attempt; `state` is that of the challenge it answers, or empty.
radius::Draft access_request(const AuthAttempt& attempt, const NasIdentity& nas, Bytes state);
/// What a server's answer means for the attempt that it answers.
AuthDecision decision_of(const radius::Packet& reply, ppp::AuthMethod method, const std::string& server);

class RadiusAuthenticator final : public Authenticator {
 public:
  /// `port` outlives it.
  RadiusAuthenticator(RadiusPort& port, NasIdentity nas) : port_(port), nas_(std::move(nas)) {}

  void authenticate(AuthAttempt attempt, Done done) override;
  void forget(SessionSerial session) override;

 private:
  struct Exchange {
    radius::Ticket ticket;
    ByteVector state;                   ///< of the last Access-Challenge
    std::optional<std::size_t> server;  ///< who sent it: nobody else knows what it means
  };
  void answered(SessionSerial session, ppp::AuthMethod method, const RadiusAnswer& answer, const Done& done);

  RadiusPort& port_;
  NasIdentity nas_;
  std::map<SessionSerial, Exchange> exchanges_;
};

}  // namespace sluice::agent
