#pragma once
// The two messages that an IKE probe needs: an IKE_SA_INIT request such as an initiator begins with, and what
// came back (RFC 7296 §1.2, §2.6, §3). No I/O.

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/random.hpp"

namespace sluice::edge {

/// What makes one request; a repetition with a cookie is the same but for the cookie.
struct SaInit {
  std::uint64_t initiator_spi = 0;     ///< not 0
  std::array<std::uint8_t, 32> key{};  ///< X25519 public value: any 32 bytes are one (RFC 7748 §5)
  std::array<std::uint8_t, 32> nonce{};
  ByteVector cookie;  ///< empty: none; at most 64 bytes
};
SaInit random_sa_init(RandomSource& random);

/// The request: AES-GCM and AES-CBC proposals with X25519, so that most configurations take one.
ByteVector write_sa_init(const SaInit& init);

enum class SaInitOutcome : std::uint8_t {
  kAccepted,  ///< security association, key exchange and nonce
  kRefused,   ///< an error notification
  kCookie,    ///< it wants the request again, with this cookie
};
struct SaInitAnswer {
  SaInitOutcome outcome = SaInitOutcome::kRefused;
  std::uint16_t notify = 0;  ///< with kRefused: its type, RFC 7296 §3.10.1
  ByteVector cookie;         ///< with kCookie
};

/// A whole datagram without non-ESP marker. Nothing when it is no answer to the handshake of this SPI, or
/// is malformed.
std::optional<SaInitAnswer> read_sa_init_answer(Bytes datagram, std::uint64_t initiator_spi);

}  // namespace sluice::edge
