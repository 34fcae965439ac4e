#pragma once
// DHCPINFORM (RFC 2131 §4.3.5): a client that has its address from IPCP asks for the rest, above all for
// routes.

#include <optional>

#include "ppp/addresses.hpp"

namespace sluice::ppp {

inline constexpr std::uint16_t kDhcpServerPort = 67, kDhcpClientPort = 68;

struct InformReply {
  IpAddress to;  ///< the client's own address (ciaddr)
  ByteVector message;
};
/// The DHCPACK to a DHCPINFORM: name servers (6), domain (15), NetBIOS servers (44), classless routes (121,
/// RFC 3442, and Microsoft's 249), each if asked for. Nothing when it is another message or malformed.
std::optional<InformReply> answer_inform(Bytes message, const Addresses& addresses);

}  // namespace sluice::ppp
