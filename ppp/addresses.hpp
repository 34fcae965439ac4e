#pragma once
// What the two ends of a link are given, and what the client is told.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.hpp"

namespace sluice::ppp {

/// IPv6 on a link. Interface identifiers are the low 64 bits of the link-local addresses (RFC 5072 §4.1).
struct Ipv6Addresses {
  std::uint64_t local_id = 0;         ///< ours; 0: chosen at random
  std::uint64_t remote_id = 0;        ///< suggested to a peer that has none; 0: chosen at random
  std::optional<Prefix> prefix{};     ///< a /64, advertised to the client (RFC 4861)
  std::optional<Prefix> delegated{};  ///< handed out when the client asks by DHCPv6 (RFC 8415 §6.3)
  std::vector<IpAddress> dns{};       ///< IPv6; told by RDNSS (RFC 8106) and DHCPv6
  bool operator==(const Ipv6Addresses&) const = default;
};

/// The address that a client makes of its link's prefix and its interface identifier (RFC 4862 §5.5.3); it
/// may have others.
std::optional<IpAddress> autoconfigured(const Ipv6Addresses& addresses);

struct Addresses {
  IpAddress local{};                     ///< ours, IPv4
  IpAddress remote{};                    ///< the client's, IPv4; unspecified: the link carries no IPv4
  std::vector<IpAddress> dns{}, nbns{};  ///< IPv4; at most two of each are told
  std::optional<Ipv6Addresses> v6{};     ///< none: IPV6CP is rejected
  /// IPv4 networks behind us, told to a client that asks by DHCPINFORM (RFC 3442). None: the option is left
  /// out.
  std::vector<Prefix> split_routes{};
  std::string domain{};  ///< DNS suffix told by DHCPINFORM and DHCPv6; may be empty
  bool operator==(const Addresses&) const = default;
};

}  // namespace sluice::ppp
