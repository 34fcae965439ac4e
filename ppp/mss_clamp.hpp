#pragma once
// Lowers the MSS that TCP peers announce, so that full segments fit the link and nobody depends on ICMP (RFC
// 9293 §3.7.1).

#include "base/bytes.hpp"

namespace sluice::ppp {

/// Lowers the MSS option of a TCP SYN (IPv4, or IPv6 behind extension headers) to what fits `mtu` octets of
/// IP, and mends the checksum (RFC 1624). Everything else, and everything malformed, is left as it is. True
/// if it changed.
bool clamp_mss(MutableBytes ip_packet, std::uint16_t mtu);

}  // namespace sluice::ppp
