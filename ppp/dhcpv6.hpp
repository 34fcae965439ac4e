#pragma once
// A DHCPv6 server for one client on a point-to-point link (RFC 8415): prefix delegation, name servers and
// search domain. Addresses come from router advertisements, so IA_NA is answered with NoAddrsAvail.

#include <optional>
#include <string>
#include <vector>

#include "base/ip.hpp"

namespace sluice::ppp {

inline constexpr std::uint16_t kDhcpv6ClientPort = 546, kDhcpv6ServerPort = 547;

/// What there is to give.
struct Dhcpv6Offer {
  Bytes duid;  ///< ours (§11)
  std::optional<Prefix> delegated;
  const std::vector<IpAddress>& dns;
  const std::string& domain;
};
/// The IA_PD that holds the prefix, while one does.
struct DelegatedLease {
  bool bound = false;
  std::uint32_t iaid = 0;
};

/// The answer to a client's message. Nothing when the message is to be discarded (§16, §18.3): malformed, for
/// another server, or of a kind that has no answer here.
std::optional<ByteVector> answer_dhcpv6(Bytes message, const Dhcpv6Offer& offer, DelegatedLease& lease);

}  // namespace sluice::ppp
