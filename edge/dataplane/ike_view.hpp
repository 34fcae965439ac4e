#pragma once
// What may be known of an IKE message without keys and state: its header (RFC 2408 §3.1, RFC 7296 §3.1), and
// the cookie in a first message of IKEv2 (RFC 7296 §2.6). Looks, never changes; no allocation.

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace sluice::edge {

inline constexpr std::size_t kIkeHeaderSize = 28;

struct IkeView {
  std::uint64_t initiator_spi = 0;  ///< never 0
  std::uint64_t responder_spi = 0;  ///< 0: the first message of a handshake
  std::uint8_t major_version = 0;   ///< 1 or 2
  std::uint8_t exchange = 0;
  bool response = false;     ///< IKEv2's flag; in IKEv1 always false
  std::uint64_t cookie = 0;  ///< the first 8 bytes of an IKEv2 cookie; 0: none

  /// Begins a handshake: Main or Aggressive Mode, or IKE_SA_INIT, and the responder has not spoken.
  bool first() const { return responder_spi == 0; }
  /// What only the receiver of an answer can know: the responder's SPI, or its cookie. 0: nothing.
  std::uint64_t token() const { return responder_spi != 0 ? responder_spi : cookie; }
};

/// A whole message, without non-ESP marker. Nothing when no IKE daemon would look at it: shorter than its
/// header or its Length, no SPI, another major version, or a first message of an exchange that begins none.
std::optional<IkeView> view_ike(Bytes message);

}  // namespace sluice::edge
