#pragma once
// What an Access-Accept gives, an Access-Reject or -Challenge says, and a CoA-Request changes, as typed
// values.

#include <chrono>
#include <string>

#include "backend-agent/radius/core/packet.hpp"

namespace sluice::radius {

struct Grant {
  std::string user;  ///< User-Name: whom to call the session's user from here on; empty: whom it asked as
  std::optional<IpAddress> address;  ///< Framed-IP-Address; none when the server leaves the choice to us
  std::string pool;                  ///< Framed-Pool
  std::vector<Prefix> routes;        ///< Framed-Route and Framed-IPv6-Route: networks behind the client
  std::optional<Prefix> ipv6_prefix, delegated_prefix;
  std::string ipv6_pool, delegated_pool;
  std::uint64_t interface_id = 0;    ///< Framed-Interface-Id; 0: none
  std::vector<IpAddress> dns, nbns;  ///< IPv4, of Microsoft's attributes
  std::vector<IpAddress> dns6;
  std::optional<std::chrono::seconds> session_timeout, idle_timeout, interim_interval;
  std::optional<std::uint64_t> rate_up, rate_down;  ///< bit/s; 0: no limit
  std::vector<ByteVector> classes;                  ///< to be echoed in accounting as they are
  std::string filter_id;
  std::string reply_message;
  ByteVector state, eap;
  std::optional<std::uint8_t> ms_chap_id;  ///< of MS-CHAP2-Success or MS-CHAP-Error
  std::string ms_success;                  ///< "S=..."
  std::string ms_error;                    ///< "E=691 R=0 ..."
  /// Attributes whose value makes no sense. Who gets such an accept must not act on it (RFC 2865 §5).
  std::vector<AttributeType> bad;
};
Grant read_grant(const Packet& packet);

/// "192.0.2.0/24 192.0.2.1 1" of RFC 2865 §5.22, "2001:db8:106:a::/64 ..." of RFC 3162 §2.5: the prefix
/// alone, since the client is the gateway. An IPv4 network without a length has that of its class.
std::optional<Prefix> parse_framed_route(std::string_view text);
/// The E= number of an MS-CHAP-Error, 691 when there is none (RFC 2548 §2.1.5).
unsigned ms_error_code(std::string_view text);

}  // namespace sluice::radius
