#include "ppp/link_services.hpp"

#include <gtest/gtest.h>

#include "ppp/dhcp_inform.hpp"
#include "ppp/dns_name.hpp"
#include "ppp/router_advert.hpp"
#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using namespace std::chrono_literals;
using test::ip;

constexpr std::uint64_t kServerId = 0x11, kClientId = 0x22;

/// The services of one link; the test is the client.
struct Services {
  Services() { link.start(kServerId, kClientId, 1400, now); }
  /// The IP packets sent since the last call.
  std::vector<ByteVector> sent() {
    std::vector<ByteVector> packets;
    while (auto frame = out.pop()) packets.emplace_back(frame->begin() + 4, frame->end());
    return packets;
  }
  void wait(Duration duration) {
    const Instant end = now + duration;
    while (link.next_timeout() && *link.next_timeout() <= end) {
      now = *link.next_timeout();
      link.on_timeout(addresses, now);
    }
    now = end;
  }
  std::optional<ByteVector> ask(const ByteVector& packet) {
    link.take_ipv6(packet, addresses, now);
    auto answers = sent();
    if (answers.empty()) return std::nullopt;
    return answers.back();
  }
  /// The DHCPv6 message that answers `message`; empty if none does.
  ByteVector dhcp(const ByteVector& message) {
    const auto answer = ask(make_udp({link_local(kClientId), 546}, {ip("ff02::1:2"), 547}, message));
    if (!answer) return {};
    const auto packet = parse_ip(*answer);
    const auto udp = parse_udp(*packet);
    EXPECT_TRUE(udp);
    EXPECT_EQ(udp->source_port, 547);
    EXPECT_EQ(udp->destination_port, 546);
    EXPECT_EQ(packet->destination, link_local(kClientId));
    return {udp->data.begin(), udp->data.end()};
  }
  std::uint64_t bad() { return drops.read(Drop::kBadLinkPacket); }

  PppConfig config = test::server_config();
  Drops drops;
  test::SeededRandom random{3};
  Outbox out;
  Addresses addresses = test::addresses_with_ipv6();
  Instant now{1h};
  LinkServices link{config, random, out, drops};
};

ByteVector solicitation(const IpAddress& from = link_local(kClientId)) {
  return make_icmpv6(from, ip("ff02::2"), ByteVector{kRouterSolicitation, 0, 0, 0, 0, 0, 0, 0});
}

// ---- router advertisements

TEST(LinkServices, AnAdvertisementSaysPrefixMtuServersAndDomain) {  // RFC 4861 §4.2, RFC 8106 §5
  Services s;
  s.wait(0s);
  const auto sent = s.sent();
  ASSERT_EQ(sent.size(), 1U);
  const auto packet = parse_ip(sent[0]);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->source, link_local(kServerId));
  EXPECT_EQ(packet->destination, ip("ff02::1"));
  EXPECT_EQ(packet->hop_limit, 255);
  EXPECT_EQ(transport_checksum(packet->source, packet->destination, 58, packet->payload), 0);
  ByteReader in(packet->payload);
  EXPECT_EQ(in.u8(), kRouterAdvertisement);
  in.skip(3);
  EXPECT_EQ(in.u8(), 64);
  EXPECT_EQ(in.u8(), 0x40) << "other configuration by DHCPv6, addresses not";
  EXPECT_EQ(in.u16(), 1800);
  in.skip(8);
  EXPECT_EQ(in.u32(), 0x030440c0U) << "prefix information of /64, on link, autonomous";
  EXPECT_EQ(in.u32(), 86400U) << "valid";
  EXPECT_EQ(in.u32(), 14400U) << "preferred";
  in.skip(4);
  EXPECT_TRUE(equal(in.bytes(16), ip("2001:db8:1:7::").bytes()));
  EXPECT_EQ(in.u32(), 0x05010000U);
  EXPECT_EQ(in.u32(), 1400U);
  EXPECT_EQ(in.u32(), 0x19030000U);
  EXPECT_EQ(in.u32(), 1800U);
  EXPECT_TRUE(equal(in.bytes(16), ip("2001:db8::53").bytes()));
  EXPECT_EQ(in.u32(), 0x1f030000U);
  EXPECT_EQ(in.u32(), 1800U);
  const ByteVector name = encode_dns_name("corp.example");
  EXPECT_TRUE(equal(in.bytes(name.size()), name));
  EXPECT_EQ(in.remaining(), 16 - name.size());
  EXPECT_TRUE(in.ok());
}

TEST(LinkServices, AdvertisesThriceSoonThenByTheInterval) {  // RFC 4861 §6.2.4
  Services s;
  s.wait(33s);
  EXPECT_EQ(s.sent().size(), 3U);
  s.wait(1h);
  const auto later = s.sent().size();
  EXPECT_GE(later, 5U);
  EXPECT_LE(later, 9U);
}

TEST(LinkServices, ASolicitationIsAnsweredOnceWithinHalfASecond) {  // RFC 4861 §6.2.6
  Services s;
  s.wait(4s);
  s.sent();
  EXPECT_FALSE(s.ask(solicitation()));
  EXPECT_FALSE(s.ask(solicitation()));
  s.wait(500ms);
  EXPECT_EQ(s.sent().size(), 1U);
  s.ask(solicitation(ip("::")));
  s.wait(2400ms);
  EXPECT_TRUE(s.sent().empty()) << "no two within 3 s";
  s.wait(1s);
  EXPECT_EQ(s.sent().size(), 1U);
}

TEST(LinkServices, SolicitationsThatDoNotAddUpAreDropped) {  // RFC 4861 §6.1.1
  Services s;
  s.wait(0s);
  s.sent();
  ByteVector hops = solicitation();
  hops[7] = 64;
  ByteVector sum = solicitation();
  sum[42] ^= 1;
  const ByteVector code =
      make_icmpv6(link_local(kClientId), ip("ff02::2"), ByteVector{kRouterSolicitation, 1, 0, 0, 0, 0, 0, 0});
  const ByteVector empty_option =
      make_icmpv6(link_local(kClientId), ip("ff02::2"),
                  ByteVector{kRouterSolicitation, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0});
  const ByteVector unspecified_with_link_layer = make_icmpv6(
      ip("::"), ip("ff02::2"), ByteVector{kRouterSolicitation, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0});
  std::uint64_t bad = 0;
  for (const auto& packet : {hops, sum, code, empty_option, unspecified_with_link_layer}) {
    EXPECT_FALSE(s.ask(packet));
    EXPECT_EQ(s.bad(), ++bad);
  }
  s.wait(3s);
  EXPECT_TRUE(s.sent().empty());
}

TEST(LinkServices, OurOwnAddressIsDefendedAndAnswersPings) {  // RFC 4861 §7.2.4, RFC 4862 §5.4, RFC 4443 §4.2
  Services s;
  ByteVector ask{kNeighbourSolicitation, 0, 0, 0, 0, 0, 0, 0};
  const IpAddress own = link_local(kServerId);
  ask.insert(ask.end(), own.bytes().begin(), own.bytes().end());
  auto answer = s.ask(make_icmpv6(link_local(kClientId), own, ask));
  ASSERT_TRUE(answer);
  auto packet = parse_ip(*answer);
  EXPECT_EQ(packet->destination, link_local(kClientId));
  EXPECT_EQ(load_be32(packet->payload.data() + 4), 0xe0000000U);
  answer = s.ask(make_icmpv6(ip("::"), ip("ff02::1:ff00:11"), ask));
  ASSERT_TRUE(answer);
  EXPECT_EQ(parse_ip(*answer)->destination, ip("ff02::1"));

  const ByteVector ping{kEchoRequest6, 0, 0, 0, 0, 1, 0, 2, 'h', 'i'};
  answer = s.ask(make_icmpv6(link_local(kClientId), own, ping));
  ASSERT_TRUE(answer);
  packet = parse_ip(*answer);
  EXPECT_EQ(packet->payload[0], kEchoReply6);
  EXPECT_EQ(as_text(packet->payload.subspan(8)), "hi");
  EXPECT_FALSE(s.ask(make_icmpv6(link_local(kClientId), ip("ff02::1"), ping)));
}

TEST(LinkServices, AClientLookingForItsOwnAddressMeetsNobody) {  // RFC 4862 §5.4
  Services s;
  ByteVector ask{kNeighbourSolicitation, 0, 0, 0, 0, 0, 0, 0};
  const IpAddress theirs = link_local(kClientId);
  ask.insert(ask.end(), theirs.bytes().begin(), theirs.bytes().end());
  EXPECT_FALSE(s.ask(make_icmpv6(ip("::"), ip("ff02::1:ff00:22"), ask)));
  EXPECT_EQ(s.bad(), 0U);
}

// ---- DHCPv6

const ByteVector kClientDuid{0, 3, 0, 1, 2, 3, 4, 5, 6, 7};

struct Dhcp {
  explicit Dhcp(std::uint8_t type) : message{type, 0xab, 0xcd, 0xef} {}
  Dhcp& option(std::uint16_t code, Bytes value) {
    message.resize(message.size() + 4);
    store_be16(message.data() + message.size() - 4, code);
    store_be16(message.data() + message.size() - 2, static_cast<std::uint16_t>(value.size()));
    message.insert(message.end(), value.begin(), value.end());
    return *this;
  }
  Dhcp& client() { return option(1, kClientDuid); }
  Dhcp& server(const ByteVector& reply);
  Dhcp& ia(std::uint16_t code, std::uint8_t iaid, Bytes inner = {}) {
    ByteVector value{0, 0, 0, iaid, 0, 0, 0, 0, 0, 0, 0, 0};
    value.insert(value.end(), inner.begin(), inner.end());
    return option(code, value);
  }
  ByteVector message;
};

/// The value of an option in a reply, or within an IA.
std::optional<ByteVector> find(Bytes options, std::uint16_t wanted) {
  ByteReader in(options);
  while (!in.at_end()) {
    const std::uint16_t code = in.u16();
    const Bytes value = in.bytes(in.u16());
    if (!in.ok()) return std::nullopt;
    if (code == wanted) return ByteVector(value.begin(), value.end());
  }
  return std::nullopt;
}
std::optional<ByteVector> in_reply(const ByteVector& reply, std::uint16_t wanted) {
  return reply.size() < 4 ? std::nullopt : find(Bytes(reply).subspan(4), wanted);
}
Dhcp& Dhcp::server(const ByteVector& reply) {
  return option(2, *in_reply(reply, 2));
}
/// The prefix of an IA_PD with its valid lifetime; none: its status.
std::string delegation(const ByteVector& reply) {
  const auto ia = in_reply(reply, 25);
  if (!ia) return "no IA_PD";
  if (const auto prefix = find(Bytes(*ia).subspan(12), 26)) {
    const Prefix p{*IpAddress::from_bytes(Bytes(*prefix).subspan(9, 16)), (*prefix)[8]};
    return p.to_string() + " for " + std::to_string(load_be32(prefix->data() + 4));
  }
  const auto status = find(Bytes(*ia).subspan(12), 13);
  return status ? "status " + std::to_string(load_be16(status->data())) : "nothing";
}

TEST(Dhcpv6, APrefixIsDelegatedRenewedAndReleased) {  // RFC 8415 §18.3
  Services s;
  const auto advertise = s.dhcp(Dhcp(1).client().ia(25, 9).message);
  ASSERT_FALSE(advertise.empty());
  EXPECT_EQ(advertise[0], 2);
  EXPECT_EQ(ByteVector(advertise.begin() + 1, advertise.begin() + 4), (ByteVector{0xab, 0xcd, 0xef}));
  EXPECT_EQ(in_reply(advertise, 1), kClientDuid);
  EXPECT_EQ(delegation(advertise), "2001:db8:100::/56 for 7200");
  for (const std::uint8_t type : {std::uint8_t{3}, std::uint8_t{5}}) {  // Request, Renew
    const auto reply = s.dhcp(Dhcp(type).client().server(advertise).ia(25, 9).message);
    ASSERT_FALSE(reply.empty());
    EXPECT_EQ(reply[0], 7);
    EXPECT_EQ(delegation(reply), "2001:db8:100::/56 for 7200");
  }
  EXPECT_EQ(delegation(s.dhcp(Dhcp(6).client().ia(25, 9).message)), "2001:db8:100::/56 for 7200") << "Rebind";
  EXPECT_TRUE(s.link.snapshot(s.now).prefix_bound);
  const auto released = s.dhcp(Dhcp(8).client().server(advertise).ia(25, 9).message);
  ASSERT_TRUE(in_reply(released, 13));
  EXPECT_EQ(load_be16(in_reply(released, 13)->data()), 0);
  EXPECT_FALSE(s.link.snapshot(s.now).prefix_bound);
  EXPECT_EQ(delegation(s.dhcp(Dhcp(8).client().server(advertise).ia(25, 9).message)), "status 3")
      << "NoBinding";
}

TEST(Dhcpv6, RapidCommitIsOneExchange) {  // RFC 8415 §18.3.1
  Services s;
  const auto reply = s.dhcp(Dhcp(1).client().option(14, {}).ia(25, 1).message);
  ASSERT_FALSE(reply.empty());
  EXPECT_EQ(reply[0], 7);
  EXPECT_TRUE(in_reply(reply, 14));
  EXPECT_EQ(delegation(reply), "2001:db8:100::/56 for 7200");
}

TEST(Dhcpv6, AForeignPrefixInARenewalIsTakenAway) {  // RFC 8415 §18.3.4
  Services s;
  const auto advertise = s.dhcp(Dhcp(1).client().ia(25, 9).message);
  ByteVector held{0, 26, 0, 25, 0, 0, 0, 9, 0, 0, 0, 9, 56};
  const IpAddress network = ip("2001:db8:200::");
  held.insert(held.end(), network.bytes().begin(), network.bytes().end());
  const auto reply = s.dhcp(Dhcp(5).client().server(advertise).ia(25, 9, held).message);
  const auto ia = *in_reply(reply, 25);
  ASSERT_EQ(ia.size(), 12U + 29 + 29);
  EXPECT_EQ(load_be32(ia.data() + 12 + 29 + 4), 0U) << "preferred";
  EXPECT_EQ(load_be32(ia.data() + 12 + 29 + 8), 0U) << "valid";
}

TEST(Dhcpv6, OnlyOneAssociationGetsThePrefixAndAddressesAreNotGiven) {
  Services s;
  const auto advertise = s.dhcp(Dhcp(1).client().ia(3, 1).ia(25, 9).message);
  const auto addresses = in_reply(advertise, 3);
  ASSERT_TRUE(addresses);
  EXPECT_EQ(load_be16(find(Bytes(*addresses).subspan(12), 13)->data()), 2) << "NoAddrsAvail";
  s.dhcp(Dhcp(3).client().server(advertise).ia(25, 9).message);
  EXPECT_EQ(delegation(s.dhcp(Dhcp(3).client().server(advertise).ia(25, 10).message)), "status 6");
  s.addresses.v6->delegated.reset();
  EXPECT_EQ(delegation(s.dhcp(Dhcp(3).client().server(advertise).ia(25, 9).message)), "status 6");
}

TEST(Dhcpv6, InformationRequestsGetServersAndDomain) {  // RFC 8415 §18.3.6
  Services s;
  const auto reply = s.dhcp(Dhcp(11).option(6, ByteVector{0, 23, 0, 24}).message);
  ASSERT_FALSE(reply.empty());
  EXPECT_EQ(reply[0], 7);
  const auto servers = in_reply(reply, 23);
  ASSERT_TRUE(servers);
  EXPECT_TRUE(equal(*servers, ip("2001:db8::53").bytes()));
  EXPECT_EQ(*in_reply(reply, 24), encode_dns_name("corp.example"));
  const auto only = s.dhcp(Dhcp(11).option(6, ByteVector{0, 24}).message);
  EXPECT_FALSE(in_reply(only, 23)) << "what is not asked for is left out";
}

TEST(Dhcpv6, MessagesThatMustBeDiscardedAre) {  // RFC 8415 §16
  Services s;
  const auto advertise = s.dhcp(Dhcp(1).client().ia(25, 9).message);
  const ByteVector other{0, 3, 0, 27, 9, 9, 9, 9, 9, 9, 9, 9};
  const std::vector<ByteVector> void_messages{
      Dhcp(1).ia(25, 9).message,                                // Solicit without a client
      Dhcp(1).client().option(2, other).ia(25, 9).message,      // Solicit to one server
      Dhcp(3).client().ia(25, 9).message,                       // Request to no server
      Dhcp(3).client().option(2, other).ia(25, 9).message,      // Request to another one
      Dhcp(5).client().ia(25, 9).message,                       // Renew to no server
      Dhcp(6).client().server(advertise).ia(25, 9).message,     // Rebind to one server
      Dhcp(8).client().ia(25, 9).message,                       // Release to no server
      Dhcp(11).client().ia(25, 9).message,                      // Information-request with an IA
      Dhcp(4).client().message,                                 // Confirm: nothing is known of addresses
      Dhcp(2).client().message,                                 // Advertise
      Dhcp(7).client().message,                                 // Reply
      Dhcp(10).client().message,                                // Reconfigure
      Dhcp(12).client().message,                                // Relay-forward
      Dhcp(1).client().option(25, ByteVector{1, 2, 3}).message  // IA_PD too short
  };
  std::uint64_t bad = s.bad();
  for (const auto& message : void_messages) {
    EXPECT_TRUE(s.dhcp(message).empty()) << int{message[0]};
    EXPECT_EQ(s.bad(), ++bad);
  }
}

TEST(Dhcpv6, EveryTruncationAndBitFlipIsHandled) {
  const std::vector<IpAddress> dns{ip("2001:db8::53")};
  const std::string domain = "corp.example";
  const ByteVector duid(12, 1);
  ByteVector held{0, 26, 0, 25, 0, 0, 0, 9, 0, 0, 0, 9, 56};
  held.resize(29, 1);
  const ByteVector whole = Dhcp(6).client().ia(25, 9, held).option(6, ByteVector{0, 23}).message;
  const Dhcpv6Offer offer{duid, Prefix::parse("2001:db8:100::/56"), dns, domain};
  DelegatedLease lease;
  ASSERT_TRUE(answer_dhcpv6(whole, offer, lease));
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    (void)answer_dhcpv6(Bytes(whole).first(cut), offer, lease);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    ByteVector flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    (void)answer_dhcpv6(flipped, offer, lease);
  }
}

// ---- DHCPINFORM

ByteVector inform(Bytes options, std::uint8_t type = 8, const IpAddress& client = ip("10.99.0.7")) {
  ByteVector message(240);
  message[0] = 1;
  message[1] = 8;
  message[2] = 6;
  store_be32(message.data() + 4, 0xdecafbad);
  store_be32(message.data() + 12, client.to_v4());
  std::fill(message.begin() + 28, message.begin() + 34, std::uint8_t{0x52});
  store_be32(message.data() + 236, 0x63825363);
  for (const std::uint8_t b : {std::uint8_t{53}, std::uint8_t{1}, type}) message.push_back(b);
  message.insert(message.end(), options.begin(), options.end());
  message.push_back(255);
  return message;
}
std::optional<ByteVector> dhcp_option(Bytes message, std::uint8_t wanted) {
  ByteReader in(message.subspan(240));
  std::optional<ByteVector> out;
  while (!in.at_end()) {
    const std::uint8_t code = in.u8();
    if (code == 255) break;
    const Bytes value = in.bytes(in.u8());
    if (code != wanted || !in.ok()) continue;
    if (!out) out.emplace();
    out->insert(out->end(), value.begin(), value.end());  // RFC 3396
  }
  return out;
}
Addresses with_routes() {
  Addresses out = test::addresses_with_ipv6();
  out.split_routes = {*Prefix::parse("10.0.0.0/8"), *Prefix::parse("192.168.4.0/23"),
                      *Prefix::parse("0.0.0.0/0")};
  return out;
}

TEST(DhcpInform, IsAnsweredWithServersDomainAndRoutes) {  // RFC 2131 §4.3.5, RFC 3442
  const auto reply = answer_inform(inform(ByteVector{55, 5, 6, 15, 44, 121, 249}), with_routes());
  ASSERT_TRUE(reply);
  const Bytes message = reply->message;
  EXPECT_EQ(reply->to, ip("10.99.0.7"));
  EXPECT_EQ(message[0], 2);
  EXPECT_EQ(load_be32(message.data() + 4), 0xdecafbadU);
  EXPECT_EQ(load_be32(message.data() + 16), 0U) << "yiaddr";
  EXPECT_EQ(message[28], 0x52) << "chaddr";
  EXPECT_EQ(dhcp_option(message, 53), ByteVector{5});
  EXPECT_EQ(dhcp_option(message, 54), (ByteVector{10, 99, 0, 1}));
  EXPECT_FALSE(dhcp_option(message, 51)) << "no lease time";
  EXPECT_EQ(dhcp_option(message, 6), (ByteVector{9, 9, 9, 9, 1, 1, 1, 1}));
  EXPECT_EQ(as_text(*dhcp_option(message, 15)), "corp.example");
  EXPECT_EQ(dhcp_option(message, 44), (ByteVector{10, 0, 0, 53}));
  const ByteVector routes{8,  10,  10,  99, 0,  1,         // 10.0.0.0/8
                          23, 192, 168, 4,  10, 99, 0, 1,  // 192.168.4.0/23
                          0,  10,  99,  0,  1};            // default
  EXPECT_EQ(dhcp_option(message, 121), routes);
  EXPECT_EQ(dhcp_option(message, 249), routes);
  EXPECT_GE(message.size(), 300U);
}

TEST(DhcpInform, OnlyWhatIsAskedForIsSaid) {
  const auto reply = answer_inform(inform(ByteVector{55, 1, 249}), with_routes());
  ASSERT_TRUE(reply);
  EXPECT_TRUE(dhcp_option(reply->message, 249));
  EXPECT_FALSE(dhcp_option(reply->message, 121));
  EXPECT_FALSE(dhcp_option(reply->message, 6));
  const auto plain = answer_inform(inform(ByteVector{55, 1, 249}), test::addresses());
  ASSERT_TRUE(plain);
  EXPECT_FALSE(dhcp_option(plain->message, 249)) << "no split routes, no option";
}

TEST(DhcpInform, ManyRoutesGoOnInAnotherOption) {  // RFC 3396
  Addresses addresses = test::addresses();
  for (std::uint32_t i = 0; i < 60; ++i)
    addresses.split_routes.push_back({IpAddress::v4(0x0a000000U + i * 256), 24});
  const auto reply = answer_inform(inform(ByteVector{55, 1, 121}), addresses);
  ASSERT_TRUE(reply);
  EXPECT_EQ(dhcp_option(reply->message, 121)->size(), 60U * 8);
}

TEST(DhcpInform, OtherMessagesAndOtherClientsAreNotAnswered) {
  EXPECT_FALSE(answer_inform(inform({}, 1), with_routes())) << "DHCPDISCOVER";
  EXPECT_FALSE(answer_inform(inform({}, 8, ip("10.99.0.8")), with_routes()));
  const ByteVector whole = inform(ByteVector{55, 2, 6, 249});
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    (void)answer_inform(Bytes(whole).first(cut), with_routes());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    ByteVector flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    (void)answer_inform(flipped, with_routes());
  }
}

// ---- through a session

TEST(LinkServices, ASessionAnswersItsClientAndForwardsTheRest) {
  PppConfig client = test::client_config();
  client.want_ipv6 = true;
  test::Pair pair(std::move(client), test::server_config());
  pair.given = with_routes();
  pair.start();
  ASSERT_TRUE(pair.run_until([&] { return pair.client_up && pair.client_v6 && pair.server_v6; }));
  const auto up = [&](const ByteVector& packet) {
    ByteVector frame{0xff, 0x03, 0x00, static_cast<std::uint8_t>(packet[0] >> 4 == 4 ? 0x21 : 0x57)};
    frame.insert(frame.end(), packet.begin(), packet.end());
    const bool forwarded = !pair.server_session.on_frame(frame, pair.now).empty();
    pair.pump();
    return forwarded;
  };
  pair.run_until([&] { return !pair.client_ip.empty(); });
  ASSERT_FALSE(pair.client_ip.empty()) << "the first advertisement";
  pair.client_ip.clear();

  const auto own = ip("10.99.0.7");
  EXPECT_FALSE(up(make_udp({own, 68}, {ip("255.255.255.255"), 67}, inform(ByteVector{55, 1, 249}))));
  ASSERT_EQ(pair.client_ip.size(), 1U);
  auto answer = parse_ip(pair.client_ip[0]);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->source, ip("10.99.0.1"));
  EXPECT_EQ(answer->destination, own);
  EXPECT_EQ(parse_udp(*answer)->destination_port, 68);
  EXPECT_TRUE(up(make_udp({own, 1068}, {ip("10.1.1.1"), 67}, ByteVector(20)))) << "a DHCP server elsewhere";

  pair.client_ip.clear();
  const IpAddress mine = link_local(pair.client_v6->addresses.local_id);
  EXPECT_FALSE(up(make_udp({mine, 546}, {ip("ff02::1:2"), 547}, Dhcp(1).client().ia(25, 9).message)));
  ASSERT_EQ(pair.client_ip.size(), 1U);
  EXPECT_FALSE(up(
      make_icmpv6(link_local(0x1234), ip("ff02::2"), ByteVector{kRouterSolicitation, 0, 0, 0, 0, 0, 0, 0})));
  EXPECT_EQ(pair.server_drops.read(Drop::kWrongSource), 1U);
}

}  // namespace
}  // namespace sluice::ppp
