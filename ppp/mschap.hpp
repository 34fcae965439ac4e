#pragma once
// MS-CHAPv2's arithmetic (RFC 2759 §8). Pure functions; sizes are fixed by the types.

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::ppp {

using NtHash = std::array<std::uint8_t, 16>;
using MsChallenge = std::array<std::uint8_t, 16>;
using NtResponse = std::array<std::uint8_t, 24>;

/// MD4 of the password in UTF-16LE (§8.3). Nothing if the text is not UTF-8.
std::optional<NtHash> nt_hash(std::string_view utf8_password);
/// First 8 octets of SHA1(peer challenge, authenticator challenge, user name) (§8.2). A "DOMAIN\" in front of
/// the name does not count (§4).
std::array<std::uint8_t, 8> challenge_hash(const MsChallenge& peer, const MsChallenge& authenticator,
                                           std::string_view user);
/// Three DES encryptions of a challenge with the 16-octet hash (§8.5).
NtResponse challenge_response(const std::array<std::uint8_t, 8>& challenge, const NtHash& hash);
/// The response a peer gives (§8.1).
NtResponse nt_response(const MsChallenge& authenticator, const MsChallenge& peer, std::string_view user,
                       const NtHash& hash);
/// "S=" and 40 upper-case hex digits (§8.7), with which the server proves that it knows the password too.
std::string authenticator_response(const NtHash& hash, const NtResponse& response, const MsChallenge& peer,
                                   const MsChallenge& authenticator, std::string_view user);

}  // namespace sluice::ppp
