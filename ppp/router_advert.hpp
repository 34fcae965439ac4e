#pragma once
// ICMPv6 of neighbour discovery (RFC 4861 §4), as far as a router on a point-to-point link needs it.

#include <optional>
#include <string>
#include <vector>

#include "ppp/ip_packet.hpp"

namespace sluice::ppp {

inline constexpr std::uint8_t kEchoRequest6 = 128, kEchoReply6 = 129;
inline constexpr std::uint8_t kRouterSolicitation = 133, kRouterAdvertisement = 134;
inline constexpr std::uint8_t kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136;

/// Times in seconds.
struct RouterAdvert {
  std::uint16_t router_lifetime = 1800;
  bool other_config = false;       ///< DHCPv6 has more to say (§4.2)
  std::optional<Prefix> prefix{};  ///< for addresses of the client's own making (RFC 4862)
  std::uint32_t valid = 86400, preferred = 14400;
  std::uint32_t mtu = 0;
  const std::vector<IpAddress>& dns;  ///< RFC 8106 §5.1
  const std::string& domain;          ///< RFC 8106 §5.2
  std::uint32_t dns_lifetime = 1800;
};
/// The ICMPv6 message, its checksum left 0.
ByteVector write_router_advert(const RouterAdvert& advert);

/// The checks of §6.1.1.
bool is_router_solicitation(const IpView& packet);
/// The target, after the checks of §7.1.1.
std::optional<IpAddress> solicited_neighbour(const IpView& packet);
/// An advertisement of `target`, which is ours (§4.4); a PPP link has no link-layer addresses to tell.
ByteVector write_neighbour_advert(const IpAddress& target, bool solicited);

}  // namespace sluice::ppp
