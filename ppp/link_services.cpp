#include "ppp/link_services.hpp"

#include <algorithm>
#include <array>

#include "ppp/dhcp_inform.hpp"
#include "ppp/router_advert.hpp"

namespace sluice::ppp {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;

/// RFC 4861 §10.
constexpr unsigned kInitialAdvertisements = 3;
constexpr Duration kInitialInterval = seconds(16);
constexpr Duration kMinBetween = seconds(3);
constexpr Duration kMaxAnswerDelay = std::chrono::milliseconds(500);
/// §6.2.1: a router's lifetime is three intervals, and no more than 9000 s.
constexpr std::int64_t kMaxRouterLifetime = 9000;
constexpr std::uint16_t kDuidLinkLayer = 3, kHardwareEui64 = 27;

IpAddress all_nodes() {
  return *IpAddress::from_bytes(
      std::array<std::uint8_t, 16>{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

/// RFC 8415 §11.4 over the interface identifier, which lives as long as the link.
std::array<std::uint8_t, 12> duid_of(std::uint64_t local_id) {
  std::array<std::uint8_t, 12> duid{};
  store_be16(duid.data(), kDuidLinkLayer);
  store_be16(duid.data() + 2, kHardwareEui64);
  store_be64(duid.data() + 4, local_id);
  return duid;
}

}  // namespace

std::optional<IpAddress> autoconfigured(const Ipv6Addresses& addresses) {
  if (!addresses.prefix || addresses.remote_id == 0) return std::nullopt;
  std::array<std::uint8_t, 16> raw{};
  std::copy_n(addresses.prefix->network.bytes().begin(), 8, raw.begin());
  store_be64(raw.data() + 8, addresses.remote_id);
  return IpAddress::from_bytes(raw);
}

IpAddress link_local(std::uint64_t interface_id) {
  std::array<std::uint8_t, 16> bytes{0xfe, 0x80};
  store_be64(bytes.data() + 8, interface_id);
  return *IpAddress::from_bytes(bytes);
}

void LinkServices::start(std::uint64_t local_id, std::uint64_t remote_id, std::uint16_t mtu, Instant now) {
  stop();
  local_id_ = local_id;
  remote_id_ = remote_id;
  mtu_ = mtu;
  next_advertisement_ = now;
}

void LinkServices::stop() {
  local_id_ = remote_id_ = 0;
  advertisements_sent_ = 0;
  next_advertisement_.reset();
  next_answer_.reset();
  advertised_at_.reset();
  lease_ = {};
}

Duration LinkServices::random_up_to(Duration limit) {
  return limit * (random_.u32() >> 16) / 0xffff;
}

std::optional<Instant> LinkServices::next_timeout() const {
  if (!next_answer_ || !next_advertisement_) return next_answer_ ? next_answer_ : next_advertisement_;
  return std::min(*next_answer_, *next_advertisement_);
}

void LinkServices::on_timeout(const Addresses& addresses, Instant now) {
  const auto next = next_timeout();
  if (next && now >= *next) advertise(addresses, now);
}

/// All go to all nodes: there is one on this link.
void LinkServices::advertise(const Addresses& addresses, Instant now) {
  next_answer_.reset();
  if (!addresses.v6 || !running()) return next_advertisement_.reset();
  const auto interval = duration_cast<seconds>(config_.advertisement_interval).count();
  RouterAdvert advert{.dns = addresses.v6->dns, .domain = addresses.domain};
  advert.router_lifetime =
      static_cast<std::uint16_t>(std::min(3 * std::max<std::int64_t>(interval, 4), kMaxRouterLifetime));
  advert.dns_lifetime = advert.router_lifetime;
  advert.other_config = !addresses.v6->dns.empty() || addresses.v6->delegated.has_value();
  advert.prefix = addresses.v6->prefix;
  advert.mtu = mtu_;
  out_.send(kIpv6, make_icmpv6(link_local(local_id_), all_nodes(), write_router_advert(advert)));
  advertised_at_ = now;
  if (advertisements_sent_ < kInitialAdvertisements) ++advertisements_sent_;
  plan_next(now);
}

/// RFC 4861 §6.2.4: at random between three quarters of the interval and all of it, the first ones sooner.
void LinkServices::plan_next(Instant now) {
  const Duration most = config_.advertisement_interval;
  Duration wait = most * 3 / 4 + random_up_to(most / 4);
  if (advertisements_sent_ < kInitialAdvertisements) wait = std::min(wait, kInitialInterval);
  next_advertisement_ = now + std::max(wait, kMinBetween);
}

bool LinkServices::take_ipv4(Bytes packet, const Addresses& addresses) {
  constexpr std::size_t kShortest = 28;
  constexpr std::uint8_t kUdp = kUdpProtocol;
  if (packet.size() < kShortest || packet[9] != kUdp) return false;
  const auto ip = parse_ip(packet);
  if (!ip) return false;
  const bool here = ip->destination == addresses.local || ip->destination.to_v4() == 0xffffffff;
  if (!here || ip->payload.size() < 4 || load_be16(ip->payload.data() + 2) != kDhcpServerPort) return false;
  const auto udp = parse_udp(*ip);
  const auto reply = udp ? answer_inform(udp->data, addresses) : std::nullopt;
  if (!reply) {
    drops_.add(Drop::kBadLinkPacket);
    return true;
  }
  out_.send(kIpv4,
            make_udp({addresses.local, kDhcpServerPort}, {reply->to, kDhcpClientPort}, reply->message));
  return true;
}

void LinkServices::take_ipv6(Bytes packet, const Addresses& addresses, Instant now) {
  const auto ip = parse_ip(packet);
  if (!ip || !running()) return drops_.add(Drop::kBadLinkPacket);
  if (ip->protocol == kIcmpv6Protocol) return take_icmpv6(*ip, now);
  if (ip->protocol == kUdpProtocol) return take_dhcpv6(*ip, addresses);
  drops_.add(Drop::kLinkScope);
}

void LinkServices::take_icmpv6(const IpView& packet, Instant now) {
  if (packet.payload.size() < 8) return drops_.add(Drop::kBadLinkPacket);
  switch (packet.payload[0]) {
    case kRouterSolicitation:
      return take_solicitation(packet, now);
    case kNeighbourSolicitation:
      return take_neighbour_solicitation(packet);
    case kEchoRequest6:
      return answer_echo(packet);
    default:
      return drops_.add(Drop::kLinkScope);
  }
}

/// RFC 4861 §6.2.6: after a random while, and not more often than each 3 s.
void LinkServices::take_solicitation(const IpView& packet, Instant now) {
  if (!is_router_solicitation(packet)) return drops_.add(Drop::kBadLinkPacket);
  if (next_answer_) return;
  Instant at = now + random_up_to(kMaxAnswerDelay);
  if (advertised_at_) at = std::max(at, *advertised_at_ + kMinBetween);
  next_answer_ = at;
}

void LinkServices::take_neighbour_solicitation(const IpView& packet) {
  const auto target = solicited_neighbour(packet);
  if (!target) return drops_.add(Drop::kBadLinkPacket);
  const IpAddress own = link_local(local_id_);
  if (*target != own) return;  // the client making sure of its own address, or asking for others: nobody here
  const bool duplicate = packet.source.is_unspecified();
  out_.send(kIpv6, make_icmpv6(own, duplicate ? all_nodes() : packet.source,
                               write_neighbour_advert(own, !duplicate)));
}

/// RFC 4443 §4.2, for our link-local address only.
void LinkServices::answer_echo(const IpView& packet) {
  const IpAddress own = link_local(local_id_);
  const auto sum = transport_checksum(packet.source, packet.destination, kIcmpv6Protocol, packet.payload);
  if (packet.destination != own || packet.source.is_unspecified()) return drops_.add(Drop::kLinkScope);
  if (sum != 0 || packet.payload.size() + 40 > mtu_) return drops_.add(Drop::kBadLinkPacket);
  ByteVector reply(packet.payload.begin(), packet.payload.end());
  reply[0] = kEchoReply6;
  out_.send(kIpv6, make_icmpv6(own, packet.source, reply));
}

void LinkServices::take_dhcpv6(const IpView& packet, const Addresses& addresses) {
  const auto udp = parse_udp(packet);
  if (!udp) return drops_.add(Drop::kBadLinkPacket);
  // RFC 8415 §13: clients send from link-local addresses.
  const bool wanted = udp->destination_port == kDhcpv6ServerPort && packet.source == link_local(remote_id_);
  if (!wanted || !addresses.v6) return drops_.add(Drop::kLinkScope);
  const auto duid = duid_of(local_id_);
  const Dhcpv6Offer offer{duid, addresses.v6->delegated, addresses.v6->dns, addresses.domain};
  const auto reply = answer_dhcpv6(udp->data, offer, lease_);
  if (!reply) return drops_.add(Drop::kBadLinkPacket);
  out_.send(kIpv6,
            make_udp({link_local(local_id_), kDhcpv6ServerPort}, {packet.source, kDhcpv6ClientPort}, *reply));
}

LinkSnapshot LinkServices::snapshot(Instant now) const {
  LinkSnapshot out;
  out.advertisements_sent = advertisements_sent_;
  out.next_advertisement = time_left(next_advertisement_, now);
  out.next_answer = time_left(next_answer_, now);
  out.ever_advertised = advertised_at_.has_value();
  // Of the last one only that it was within 3 s matters.
  if (advertised_at_) out.advertised_ago = std::min(now - *advertised_at_, kMinBetween);
  out.prefix_bound = lease_.bound;
  out.prefix_iaid = lease_.iaid;
  return out;
}

void LinkServices::restore(const LinkSnapshot& from, std::uint64_t local_id, std::uint64_t remote_id,
                           std::uint16_t mtu, Instant now) {
  start(local_id, remote_id, mtu, now);
  advertisements_sent_ = std::min<unsigned>(from.advertisements_sent, kInitialAdvertisements);
  next_advertisement_ = timer_from(from.next_advertisement, now);
  next_answer_ = timer_from(from.next_answer, now);
  if (from.ever_advertised)
    advertised_at_ = now - std::clamp(from.advertised_ago, Duration::zero(), kMinBetween);
  lease_ = {from.prefix_bound, from.prefix_iaid};
}

}  // namespace sluice::ppp
