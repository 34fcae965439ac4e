#pragma once
// The Internet checksum (RFC 1071). Sums are kept in the order the bytes lie in memory; RFC 1071 §2(B) allows
// it.

#include "base/bytes.hpp"

namespace sluice::agent {

/// Adds bytes to a running sum; every part but the last must have an even length.
std::uint64_t add_to_sum(std::uint64_t sum, Bytes bytes);
/// Adds a 16-bit number as it would stand on the wire.
std::uint64_t add_to_sum(std::uint64_t sum, std::uint16_t value);
/// The folded sum as a number, not complemented: 0xffff over whole headers and data whose checksum is right.
std::uint16_t fold_sum(std::uint64_t sum);
/// The sum of the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1) of an IPv4 or IPv6 packet that is whole.
std::uint64_t pseudo_sum(Bytes ip, std::uint8_t protocol, std::size_t transport_size);

}  // namespace sluice::agent
