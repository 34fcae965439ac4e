#pragma once
// The little of IP, UDP and ICMPv6 that the services on a link need.

#include <optional>

#include "base/ip.hpp"

namespace sluice::ppp {

inline constexpr std::uint8_t kUdpProtocol = 17;
inline constexpr std::uint8_t kIcmpv6Protocol = 58;

/// A whole IP packet without options or extension headers.
struct IpView {
  IpAddress source, destination;
  std::uint8_t protocol = 0;
  std::uint8_t hop_limit = 0;
  Bytes payload;
};
/// Nothing when lengths do not fit or it is a fragment. IPv4 options are passed over; in IPv6 `protocol` is
/// that of the first header behind the fixed one.
std::optional<IpView> parse_ip(Bytes packet);

/// The checksum of UDP and ICMPv6 with its pseudo-header (RFC 768, RFC 8200 §8.1); 0 over a packet that holds
/// a right one.
std::uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                 Bytes payload);

struct UdpView {
  std::uint16_t source_port = 0, destination_port = 0;
  Bytes data;
};
/// Nothing when lengths or checksum are wrong.
std::optional<UdpView> parse_udp(const IpView& packet);
ByteVector make_udp(const Endpoint& source, const Endpoint& destination, Bytes data);

/// `message` is whole but for its checksum.
ByteVector make_icmpv6(const IpAddress& source, const IpAddress& destination, Bytes message);

}  // namespace sluice::ppp
