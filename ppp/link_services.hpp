#pragma once
// What a server does for its client by IP on the link itself: router advertisements and neighbour discovery
// (RFC 4861, 8106), DHCPv6 with prefix delegation (RFC 8415), DHCPINFORM (RFC 2131). Packets come from the
// session; answers go out as frames of the same link.

#include <cstdint>
#include <optional>

#include "base/random.hpp"
#include "ppp/addresses.hpp"
#include "ppp/config.hpp"
#include "ppp/dhcpv6.hpp"
#include "ppp/ip_packet.hpp"
#include "ppp/outbox.hpp"
#include "ppp/snapshot.hpp"

namespace sluice::ppp {

/// fe80:: and an interface identifier (RFC 5072 §5).
IpAddress link_local(std::uint64_t interface_id);

class LinkServices {
 public:
  LinkServices(const PppConfig& config, RandomSource& random, Outbox& out, Drops& drops)
      : config_(config), random_(random), out_(out), drops_(drops) {}

  /// IPV6CP is open: advertise. `mtu` in octets of IP.
  void start(std::uint64_t local_id, std::uint64_t remote_id, std::uint16_t mtu, Instant now);
  void stop();

  /// An IPv4 packet of the client. True: it was DHCP and is dealt with.
  bool take_ipv4(Bytes packet, const Addresses& addresses);
  /// An IPv6 packet of the client that is multicast or for a link-local address: it goes no farther than
  /// here.
  void take_ipv6(Bytes packet, const Addresses& addresses, Instant now);

  void on_timeout(const Addresses& addresses, Instant now);
  std::optional<Instant> next_timeout() const;

  LinkSnapshot snapshot(Instant now) const;
  void restore(const LinkSnapshot& from, std::uint64_t local_id, std::uint64_t remote_id, std::uint16_t mtu,
               Instant now);

 private:
  void take_icmpv6(const IpView& packet, Instant now);
  void take_solicitation(const IpView& packet, Instant now);
  void take_neighbour_solicitation(const IpView& packet);
  void answer_echo(const IpView& packet);
  void take_dhcpv6(const IpView& packet, const Addresses& addresses);
  void advertise(const Addresses& addresses, Instant now);
  void plan_next(Instant now);
  Duration random_up_to(Duration limit);
  bool running() const { return local_id_ != 0; }

  const PppConfig& config_;
  RandomSource& random_;
  Outbox& out_;
  Drops& drops_;
  std::uint64_t local_id_ = 0, remote_id_ = 0;
  std::uint16_t mtu_ = 0;
  unsigned advertisements_sent_ = 0;
  std::optional<Instant> next_advertisement_, next_answer_;
  std::optional<Instant> advertised_at_;
  DelegatedLease lease_;
};

}  // namespace sluice::ppp
