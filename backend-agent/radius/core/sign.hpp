#pragma once
// What proves that a packet is from somebody who knows the secret: Request and Response Authenticator (RFC
// 2865 §3, 2866 §3, 5176 §2.3), Message-Authenticator (RFC 3579 §3.2), and the hiding of User-Password.

#include <optional>

#include "backend-agent/radius/core/packet.hpp"

namespace sluice::radius {

/// A request ready to send: Message-Authenticator first, whatever its code. `authenticator` is the random one
/// of Access-Request and Status-Server, and is replaced by the computed one for all other codes. Nothing when
/// the draft is not ok() or does not fit a packet.
std::optional<ByteVector> sign_request(const Draft& draft, std::uint8_t id, Authenticator& authenticator,
                                       Bytes secret);
/// An answer to the request with this id and authenticator, Message-Authenticator first.
std::optional<ByteVector> sign_reply(const Draft& draft, std::uint8_t id, Bytes request_authenticator,
                                     Bytes secret);

enum class Proof : std::uint8_t {
  kGood,
  kBadAuthenticator,
  kNoMessageAuthenticator,
  kBadMessageAuthenticator
};

/// Whether `reply` answers the request with this authenticator. Message-Authenticator is checked where it is
/// there, and missed where `demanded`. Constant time.
Proof check_reply(const Packet& reply, const Authenticator& request, Bytes secret, bool demanded);
/// Whether an Accounting-, CoA- or Disconnect-Request is genuine; a server's part. Constant time.
Proof check_request(const Packet& request, Bytes secret, bool demanded);
/// The same for an Access-Request or Status-Server, whose authenticator is random.
Proof check_access_request(const Packet& request, Bytes secret);

/// RFC 2865 §5.2; both directions of it are for at most 128 octets.
ByteVector hide_password(Bytes password, const Authenticator& authenticator, Bytes secret);
/// Padding taken off. Nothing when the size is impossible.
std::optional<Secret> reveal_password(Bytes hidden, Bytes authenticator, Bytes secret);

}  // namespace sluice::radius
