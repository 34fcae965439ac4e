#pragma once
// What a peer said to prove who it is, as a value that can travel to another thread or to RADIUS, and the
// local check.

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/secret.hpp"
#include "ppp/mschap.hpp"
#include "ppp/protocol.hpp"

namespace sluice::ppp {

/// One attempt of one session: they count up from 1 and do not begin again with a renegotiation. 0 means
/// none.
using AttemptId = StrongId<struct AttemptIdTag, std::uint32_t>;

/// One attempt. Which fields are set depends on the method.
struct AuthRequest {
  AttemptId attempt;  ///< the verdict names it
  AuthMethod method = AuthMethod::kNone;
  std::string user;      ///< as the peer sent it: escape before printing
  Secret password;       ///< PAP
  std::uint8_t id = 0;   ///< CHAP: the challenge's Identifier, part of what is hashed (RFC 1994 §4.1)
  ByteVector challenge;  ///< CHAP: the Challenge's Value; 16 octets for MS-CHAPv2
  ByteVector response;   ///< CHAP: the Response's Value; 16 octets for MD5, 49 for MS-CHAPv2 (RFC 2759 §4)
  /// EAP passed through (method kEap): the peer's whole Response (RFC 3748 §4.1), at most the MRU long.
  ByteVector eap;
  /// The proof came within EAP and is one of CHAP-MD5 or MS-CHAPv2, to be judged as such.
  bool within_eap = false;
  /// The peer is in already and proves itself again, periodically or after a renegotiation.
  bool again = false;
};

/// The answer to one attempt.
struct AuthVerdict {
  bool accepted = false;
  /// Accepted MS-CHAPv2: "S=..." (RFC 2759 §5). Otherwise a text for the peer's user, may be empty.
  std::string message;
  /// Rejected MS-CHAPv2: the number after E= (RFC 2759 §6): 691 authentication failure, 649 no permission to
  /// dial in, 646 hours, 647 disabled, 648 expired.
  unsigned error = 691;
  /// Rejected: one word for logs and the channel, and a sentence for the operator. Neither holds a secret.
  std::string cause;
  std::string detail;
  /// Rejected because nobody could judge: a peer whose IP flows already stays and is asked again in its time.
  bool unavailable = false;
  /// EAP passed through: the packet for the peer. With `more` it is a Request and nothing is decided yet: the
  /// next AuthNeeded carries the answer. Otherwise a Success or Failure; when empty, one is made here.
  ByteVector eap;
  bool more = false;
};

/// What we know of a user: a password, or its NT hash alone.
struct Credential {
  std::optional<Secret> password;
  std::optional<NtHash> nt_hash;
};

/// Checks an attempt against a credential in constant time with respect to the secret.
AuthVerdict verify(const AuthRequest& request, const Credential& credential);

}  // namespace sluice::ppp
