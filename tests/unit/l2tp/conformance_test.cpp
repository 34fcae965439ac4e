// Requirements of RFC 2661 that no other test shows; docs/l2tp-conformance.md lists them all.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support.hpp"

namespace sluice::l2tp {
namespace {

using namespace std::chrono_literals;
using test::Events;
using test::kind_of;
using test::read;
using test::SeededRandom;

/// A client and a server without a network between them; every packet either sends is kept.
class Pair {
 public:
  explicit Pair(TunnelConfig lac_config = {}, TunnelConfig lns_config = {}) {
    lac_config.local_tunnel = kLac;
    lns_config.local_tunnel = kLns;
    lac.emplace(lac_config, random);
    lns.emplace(lns_config, random);
  }
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& p : test::drain(*lac)) moved = true, lns->on_datagram(p, now), sent.push_back(std::move(p));
      for (auto& p : test::drain(*lns)) moved = true, lac->on_datagram(p, now), sent.push_back(std::move(p));
    }
    at_lac.drain(*lac);
    at_lns.drain(*lns);
  }
  SessionId call() {
    lac->connect(now);
    settle();
    EXPECT_TRUE(lac->established() && lns->established());
    const auto id =
        lac->open_session(now, {.bearer_type = 1, .calling_number = "100", .called_number = "200"});
    settle();
    return id.value_or(SessionId{});
  }
  /// Both clocks to `now + time`, timers on the way included.
  void wait(Duration time) {
    const Instant until = now + time;
    for (;;) {
      std::optional<Instant> next;
      for (const auto& at : {lac->next_timeout(), lns->next_timeout()}) {
        if (at && (!next || *at < *next)) next = at;
      }
      if (!next || *next > until) break;
      now = std::max(now, *next);
      lac->on_timeout(now);
      lns->on_timeout(now);
      settle();
    }
    now = until;
  }
  std::vector<ByteVector> of(MessageType type) const {
    std::vector<ByteVector> out;
    for (const auto& p : sent) {
      const auto h = parse_header(p);
      if (h->control && !h->zlb() && read(p).second.is(type)) out.push_back(p);
    }
    return out;
  }

  static constexpr TunnelId kLac{77}, kLns{100};
  SeededRandom random{1};
  Instant now{};
  std::optional<LacTunnel> lac;
  std::optional<LnsTunnel> lns;
  Events at_lac, at_lns;
  std::vector<ByteVector> sent;
};

TunnelConfig with_secret(bool demand) {
  TunnelConfig config{.demand_authentication = demand};
  config.secret = std::make_shared<const Secret>(Secret("shared"));
  return config;
}

// §3.1, §4.1, §4.4, §6: every message of both roles, in one life with authentication, a refused call and
// HELLOs.
TEST(L2tpConformance, EveryMessageSentHasTheRightFlagsLengthAvpsAndBits) {
  Pair pair(with_secret(true), with_secret(true));
  const SessionId id = pair.call();
  pair.wait(200s);
  const PppCause ppp{DisconnectCode::kNormal, 0xc021, DisconnectDirection::kGlobal, "bye"};
  pair.lac->close_session(id, CallResult::kAdministrative, "bye", pair.now, &ppp);
  pair.settle();
  pair.lns->close_tunnel(StopResult::kShuttingDown, "maintenance", pair.now);
  pair.settle();

  std::set<std::uint16_t> types;
  for (const auto& packet : pair.sent) {
    EXPECT_EQ(load_be16(packet.data()), 0xc802) << "T, L and S set, everything else clear, version 2";
    EXPECT_EQ(load_be16(packet.data() + 2), packet.size());
    const auto header = parse_header(packet);
    if (header->zlb()) continue;
    const auto message = parse_message(header->payload);
    ASSERT_TRUE(message.ok());
    EXPECT_FALSE(message->fault()) << describe_packet(packet);
    EXPECT_TRUE(message->type_mandatory());
    types.insert(message->type_number());
    for (const Avp& avp : message->avps()) {
      const AvpInfo* info = avp_info(avp.type);
      ASSERT_TRUE(info && avp.vendor == 0 && avp.usable) << describe(avp);
      EXPECT_FALSE(avp.reserved || avp.hidden) << info->name;
      EXPECT_EQ(avp.mandatory, info->mandatory) << info->name;
      const bool text = info->value == AvpValue::kText || info->value == AvpValue::kResultCode;
      const auto body = info->value == AvpValue::kResultCode
                            ? avp.value.subspan(std::min<std::size_t>(4, avp.value.size()))
                            : avp.value;
      if (text) {
        EXPECT_TRUE(std::all_of(body.begin(), body.end(), [](auto c) { return c >= 0x20 && c < 0x7f; }));
      }
    }
  }
  EXPECT_EQ(types, (std::set<std::uint16_t>{1, 2, 3, 4, 6, 10, 11, 12, 14}));
}

// §6.4, §6.12: what must be in these is not demanded of a peer (whoever says goodbye is let go), but is sent.
TEST(L2tpConformance, StopCcnAndCdnCarryResultAndTheIdFirstAssigned) {
  Pair pair;
  const SessionId id = pair.call();
  pair.lac->close_session(id, CallResult::kAdministrative, "", pair.now);
  pair.settle();
  pair.lac->close_tunnel(StopResult::kGeneral, "", pair.now);
  pair.settle();
  ASSERT_EQ(pair.of(MessageType::kCdn).size(), 1u);
  ASSERT_EQ(pair.of(MessageType::kStopCcn).size(), 1u);
  const auto cdn = read(pair.of(MessageType::kCdn)[0]);
  EXPECT_TRUE(cdn.second.result_code());
  EXPECT_EQ(cdn.second.assigned_session(), id);
  const auto stop = read(pair.of(MessageType::kStopCcn)[0]);
  EXPECT_TRUE(stop.second.result_code());
  EXPECT_EQ(stop.second.assigned_tunnel(), Pair::kLac);
  EXPECT_EQ(stop.second.assigned_tunnel(), read(pair.of(MessageType::kSccrq)[0]).second.assigned_tunnel());
  EXPECT_EQ(stop.first.session, SessionId{});
}

// §4.4.3, §4.4.4, §5.3
TEST(L2tpConformance, HeadersNameThePeersIdsOnceKnownAndZeroBefore) {
  Pair pair;
  const SessionId id = pair.call();
  const auto header_of = [&](MessageType type) { return *parse_header(pair.of(type).at(0)); };
  EXPECT_EQ(header_of(MessageType::kSccrq).tunnel, TunnelId{});
  EXPECT_EQ(header_of(MessageType::kSccrp).tunnel, Pair::kLac);
  EXPECT_EQ(header_of(MessageType::kScccn).tunnel, Pair::kLns);
  EXPECT_EQ(header_of(MessageType::kIcrq).session, SessionId{});
  EXPECT_EQ(header_of(MessageType::kIcrp).session, id);
  const SessionId at_lns = pair.at_lns.last<SessionUp>()->local;
  EXPECT_EQ(header_of(MessageType::kIccn).session, at_lns);
  ByteVector buffer(kDataHeadroom + 1);
  const auto data = parse_header(*pair.lac->frame_data(id, buffer, kDataHeadroom));
  EXPECT_EQ(data->tunnel, Pair::kLns);
  EXPECT_EQ(data->session, at_lns);
  EXPECT_TRUE(id && at_lns);
}

// §3.1: Nr of a data message is reserved; P and O change nothing about the payload.
TEST(L2tpConformance, DataIsTakenWhateverItsNrPriorityAndOffset) {
  Pair pair;
  pair.call();
  const SessionId id = pair.at_lns.last<SessionUp>()->local;
  for (unsigned bits = 0; bits < 8; ++bits) {
    const Header header{.has_sequence = (bits & 1) != 0,
                        .has_offset = (bits & 2) != 0,
                        .priority = (bits & 4) != 0,
                        .tunnel = Pair::kLns,
                        .session = id,
                        .ns = 3,
                        .nr = 0xabcd,
                        .offset_size = static_cast<std::uint16_t>((bits & 2) != 0 ? 5 : 0)};
    ByteVector packet(40);
    ByteWriter out(packet);
    write_header(header, 2, out);
    out.u16(0xc021);
    packet.resize(out.size());
    const auto got = pair.lns->on_datagram(packet, pair.now);
    ASSERT_TRUE(got.is_data()) << bits;
    EXPECT_EQ(to_hex(got.ppp), "c021");
  }
}

// §4.1, §4.2: what came after RFC 2661 never ends a connection with a peer that does not know it.
TEST(L2tpConformance, NoAvpOfALaterRfcIsSentMandatory) {
  for (std::uint16_t type = static_cast<std::uint16_t>(AvpType::kSequencingRequired) + 1; type < 200;
       ++type) {
    if (const auto* info = avp_info(type)) {
      EXPECT_FALSE(info->mandatory) << info->name;
    }
  }
}

// §4.3
TEST(L2tpConformance, AHiddenAvpIsRevealedByTheNearestRandomVectorInFrontOfIt) {
  SeededRandom random(4);
  const Secret secret("shared");
  const auto packet = MessageBuilder(MessageType::kHello)
                          .hidden(AvpType::kCallingNumber, as_bytes("first"), secret, random)
                          .hidden(AvpType::kCalledNumber, as_bytes("second"), secret, random)
                          .finish({}, {}, 0, 0);
  const auto message = read(packet, &secret);
  EXPECT_EQ(message.second.text(AvpType::kCallingNumber), "first");
  EXPECT_EQ(message.second.text(AvpType::kCalledNumber), "second");
}

TEST(L2tpConformance, AHiddenAvpWithoutARandomVectorInFrontIsNotUnderstood) {
  SeededRandom random(4);
  const Secret secret("shared");
  const auto with = MessageBuilder(MessageType::kHello)
                        .hidden(AvpType::kCalledNumber, as_bytes("100"), secret, random)
                        .finish({}, {}, 0, 0);
  // The same AVP with its vector behind it.
  ByteReader in(parse_header(with)->payload);
  ASSERT_TRUE(read_avp(in).ok());  // Message Type
  const Avp vector = *read_avp(in), number = *read_avp(in);
  MessageBuilder turned(MessageType::kHello);
  const auto packet = turned.raw(number).raw(vector).finish({}, {}, 0, 0);
  const auto message = read(packet, &secret);
  EXPECT_FALSE(message.second.has(AvpType::kCalledNumber));
  ASSERT_TRUE(message.second.fault());
  EXPECT_EQ(message.second.fault()->reason, DropReason::kHiddenAvp);
}

// §4.4.1
TEST(L2tpConformance, EachHiddenAvpHasARandomVectorOfSixteenOctetsOfItsOwn) {
  SeededRandom random(4);
  const Secret secret("shared");
  MessageBuilder b(MessageType::kHello);
  for (int i = 0; i < 3; ++i) b.hidden(AvpType::kCalledNumber, as_bytes("100"), secret, random);
  const auto packet = b.finish({}, {}, 0, 0);
  std::set<std::string> vectors, hidden;
  const auto message = read(packet);
  for (const Avp& avp : message.second.avps()) {
    if (avp.is(AvpType::kRandomVector)) {
      EXPECT_EQ(avp.value.size(), 16u);
    }
    (avp.is(AvpType::kRandomVector) ? vectors : hidden).insert(to_hex(avp.value));
  }
  EXPECT_EQ(vectors.size(), 3u);
  EXPECT_EQ(hidden.size(), 3u);
}

// §4.4.4
TEST(L2tpConformance, EachCallHasASerialNumberOfItsOwn) {
  Pair pair;
  pair.call();
  for (int i = 0; i < 5; ++i) pair.lac->open_session(pair.now), pair.settle();
  std::set<std::uint32_t> serials;
  for (const auto& p : pair.of(MessageType::kIcrq)) {
    serials.insert(read(p).second.u32(AvpType::kCallSerialNumber).value());
  }
  EXPECT_EQ(serials.size(), 6u);
}

// §4.3, §4.4: H only where the RFC allows it.
TEST(L2tpConformance, AnAvpThatMustNotBeHiddenIsRefusedHidden) {
  SeededRandom random(4);
  const Secret secret("shared");
  MessageBuilder b(MessageType::kHello);
  const auto packet = b.hidden(AvpType::kResultCode, ByteVector{0, 1}, secret, random).finish({}, {}, 0, 0);
  const auto message = read(packet, &secret);
  EXPECT_FALSE(message.second.has(AvpType::kResultCode));
  EXPECT_EQ(message.second.fault()->reason, DropReason::kMalformedAvp);
}

// §4.4.3: Receive Window Size
TEST(L2tpConformance, WithoutAReceiveWindowSizeThePeerIsTakenToHaveFour) {
  SeededRandom random(1);
  LnsTunnel lns({.local_tunnel = TunnelId{100}}, random);
  MessageBuilder b(MessageType::kSccrq);
  b.u16(AvpType::kProtocolVersion, 0x0100)
      .u32(AvpType::kFramingCapabilities, 3)
      .text(AvpType::kHostName, "x")
      .u16(AvpType::kAssignedTunnelId, 5);
  lns.on_datagram(b.finish({}, {}, 0, 0), {});
  ASSERT_EQ(test::drain(lns).size(), 1u);
  lns.on_datagram(MessageBuilder(MessageType::kScccn).finish(TunnelId{100}, {}, 1, 1), {});
  Events events;
  events.drain(lns);
  ASSERT_TRUE(events.last<TunnelUp>());
  EXPECT_EQ(events.last<TunnelUp>()->peer_window, 4);
}

// §5.8
TEST(L2tpConformance, FourMessagesMayBeUnderWayToAPeerThatTakesFour) {
  ControlConnection c(1, {});
  c.set_peer_window(4);
  const auto hello = MessageBuilder(MessageType::kHello).finish({}, {}, 0, 0);
  for (int i = 0; i < 20; ++i) c.send(hello, {});
  std::uint16_t acknowledged = 0;
  for (int i = 0; i < 5; ++i) {
    while (c.poll_transmit()) {
    }
    acknowledged = c.next_ns();
    const Header zlb{.control = true,
                     .has_length = true,
                     .has_sequence = true,
                     .tunnel = {},
                     .session = {},
                     .ns = 0,
                     .nr = acknowledged,
                     .payload = {}};
    c.on_packet(zlb, {});
  }
  while (c.poll_transmit()) {
  }
  EXPECT_EQ(c.in_flight(), 4);
}

TEST(L2tpConformance, AcknowledgementIsNotWithheldWhileOurOwnMessagesWait) {
  ControlConnection c(4, {});
  c.set_peer_window(1);
  const auto hello = MessageBuilder(MessageType::kHello).finish({}, {}, 0, 0);
  c.send(hello, {});
  c.send(hello, {});
  ASSERT_TRUE(c.poll_transmit());
  ASSERT_FALSE(c.poll_transmit());  // the window is full
  const auto avps = *from_hex("8008000000000006");
  const Header in{.control = true,
                  .has_length = true,
                  .has_sequence = true,
                  .tunnel = {},
                  .session = {},
                  .ns = 0,
                  .nr = 0,
                  .payload = avps};
  EXPECT_EQ(c.on_packet(in, {}), ControlConnection::Verdict::kDeliver);
  const auto zlb = c.poll_transmit();
  ASSERT_TRUE(zlb);
  EXPECT_TRUE(parse_header(*zlb)->zlb());
  EXPECT_EQ(parse_header(*zlb)->nr, 1);
}

TEST(L2tpConformance, RetransmissionIsConfigurable) {
  TunnelConfig config{.local_tunnel = TunnelId{9}};
  config.retransmission = {.first = 3s, .cap = 10s, .tries = 2};
  SeededRandom random(1);
  LacTunnel lac(config, random);
  Instant now{};
  lac.connect(now);
  std::vector<Duration> at;
  while (!lac.finished()) {
    for (const auto& p : test::drain(lac)) {
      EXPECT_EQ(kind_of(p), "SCCRQ");
      at.push_back(now - Instant{});
    }
    if (const auto next = lac.next_timeout()) now = *next;
    lac.on_timeout(now);
  }
  EXPECT_EQ(at, (std::vector<Duration>{0s, 3s, 9s}));
}

// §5.5, §6.5
TEST(L2tpConformance, AHelloIsAcknowledgedAtOnceAndNoneIsExpected) {
  TunnelConfig quiet;
  quiet.hello_interval = {};
  Pair pair(quiet, quiet);
  pair.call();
  pair.sent.clear();
  pair.wait(std::chrono::hours(10));
  EXPECT_TRUE(pair.sent.empty());
  EXPECT_TRUE(pair.lac->established() && pair.lns->established());
  const auto hello =
      MessageBuilder(MessageType::kHello)
          .finish(Pair::kLns, {}, pair.lns->control().expected(), pair.lns->control().next_ns());
  pair.lns->on_datagram(hello, pair.now);
  const auto out = test::drain(*pair.lns);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(kind_of(out[0]), "ZLB");
}

// §5.4
TEST(L2tpConformance, TheClientFollowsTheServersUseOfSequenceNumbers) {
  Pair pair;
  const SessionId id = pair.call();
  const auto sequenced = [&] {
    ByteVector buffer(kDataHeadroom + 1);
    const auto packet = pair.lac->frame_data(id, buffer, kDataHeadroom);
    return parse_header(*packet)->has_sequence ? int{parse_header(*packet)->ns} : -1;
  };
  const auto from_server = [&](bool with) {
    ByteVector packet(24);
    ByteWriter out(packet);
    write_header({.has_sequence = with, .tunnel = Pair::kLac, .session = id, .ns = 7}, 1, out);
    out.u8(0);
    packet.resize(out.size());
    EXPECT_TRUE(pair.lac->on_datagram(packet, pair.now).is_data());
  };
  EXPECT_EQ(sequenced(), -1);
  from_server(true);
  EXPECT_EQ(sequenced(), 0);
  EXPECT_EQ(sequenced(), 1);
  from_server(false);
  EXPECT_EQ(sequenced(), -1);
  from_server(true);
  EXPECT_EQ(sequenced(), 2) << "numbers go on where they stopped";
}

TEST(L2tpConformance, RequiredSequenceNumbersStayWhateverThePeerSends) {
  TunnelConfig config;
  config.sequencing = true;
  Pair pair(config, {});
  const SessionId id = pair.call();
  const auto& up = *pair.at_lns.last<SessionUp>();
  EXPECT_TRUE(up.call.sequencing_required);
  ByteVector plain(8);
  ByteWriter out(plain);
  write_header({.tunnel = Pair::kLac, .session = id}, 1, out);
  plain.resize(out.size() + 1);
  EXPECT_TRUE(pair.lac->on_datagram(plain, pair.now).is_data());
  for (Tunnel* tunnel : {static_cast<Tunnel*>(&*pair.lac), static_cast<Tunnel*>(&*pair.lns)}) {
    for (std::uint16_t ns = 0; ns < 3; ++ns) {
      ByteVector buffer(kDataHeadroom + 1);
      const auto local = tunnel == &*pair.lac ? id : up.local;
      const auto header = parse_header(*tunnel->frame_data(local, buffer, kDataHeadroom));
      EXPECT_TRUE(header->has_sequence);
      EXPECT_EQ(header->ns, ns);
      EXPECT_EQ(header->nr, 0);
    }
  }
}

/// A client whose SCCRQ is on its way, against answers made by hand.
struct Dialling {
  Dialling() : lac({.local_tunnel = TunnelId{7}}, random) {
    lac.connect({});
    test::drain(lac);
  }
  std::vector<ByteVector> hear(const MessageBuilder& b) {
    lac.on_datagram(b.finish(TunnelId{7}, {}, ns++, 1), {});
    return test::drain(lac);
  }
  SeededRandom random{3};
  LacTunnel lac;
  std::uint16_t ns = 0;
};

// §4.4.3 Framing Capabilities
TEST(L2tpConformance, AClientCallsOnlyWithAFramingThatTheServerOffers) {
  for (const std::uint32_t offered : {1u, 2u, 3u}) {
    Dialling d;
    MessageBuilder sccrp(MessageType::kSccrp);
    sccrp.u16(AvpType::kProtocolVersion, 0x0100)
        .u32(AvpType::kFramingCapabilities, offered)
        .text(AvpType::kHostName, "x")
        .u16(AvpType::kAssignedTunnelId, 50);
    d.hear(sccrp);
    ASSERT_TRUE(d.lac.open_session({}));
    d.lac.on_datagram(make_zlb(TunnelId{7}, 1, 2), {});
    const auto icrq = test::drain(d.lac);
    ASSERT_EQ(kind_of(icrq.at(0)), "ICRQ");
    const auto id = read(icrq[0]).second.assigned_session();
    MessageBuilder icrp(MessageType::kIcrp);
    d.lac.on_datagram(icrp.u16(AvpType::kAssignedSessionId, 8).finish(TunnelId{7}, id, 1, 3), {});
    const auto iccn = test::drain(d.lac);
    ASSERT_EQ(kind_of(iccn.at(0)), "ICCN");
    EXPECT_EQ(read(iccn[0]).second.u32(AvpType::kFramingType).value() & ~offered, 0u) << offered;
  }
}

// §6.2, §7.2.1: SCCRP not acceptable
TEST(L2tpConformance, AnSccrpThatLacksSomethingOrIsOfAnotherVersionEndsTheAttempt) {
  const AvpType required[] = {AvpType::kProtocolVersion, AvpType::kFramingCapabilities, AvpType::kHostName};
  for (int leave_out = 0; leave_out <= 3; ++leave_out) {
    Dialling d;
    MessageBuilder sccrp(MessageType::kSccrp);
    if (leave_out != 0) sccrp.u16(required[0], leave_out == 3 ? 0x0300 : 0x0100);
    if (leave_out != 1) sccrp.u32(required[1], 3);
    if (leave_out != 2) sccrp.text(required[2], "x");
    const auto out = d.hear(sccrp.u16(AvpType::kAssignedTunnelId, 50));
    ASSERT_EQ(out.size(), 1u) << leave_out;
    EXPECT_EQ(kind_of(out[0]), "StopCCN");
    EXPECT_EQ(parse_header(out[0])->tunnel, TunnelId{50});
    EXPECT_FALSE(d.lac.established());
  }
}

// §7.2.1: the originator too
TEST(L2tpConformance, TheClientCleansUpWhenTheServerStops) {
  Pair pair;
  pair.call();
  pair.lns->close_tunnel(StopResult::kShuttingDown, "", pair.now);
  pair.settle();
  EXPECT_EQ(pair.lac->sessions(), 0u);
  EXPECT_EQ(pair.at_lac.count<SessionDown>(), 1u);
  EXPECT_EQ(pair.at_lac.count<TunnelDown>(), 1u);
  EXPECT_EQ(kind_of(pair.sent.back()), "ZLB");
  pair.wait(31s);
  EXPECT_TRUE(pair.lac->finished() && pair.lns->finished());
}

// §6.9 to §6.11: the messages of outgoing calls are checked like all others before they are refused.
TEST(L2tpConformance, EachAvpThatMustBePresentIsMissedInEveryMessage) {
  for (std::uint16_t type = 0; type < 40; ++type) {
    const MessageInfo* info = message_info(type);
    if (!info) continue;
    for (std::size_t leave_out = 0; leave_out < info->required_count; ++leave_out) {
      MessageBuilder b(info->type);
      for (std::size_t i = 0; i < info->required_count; ++i) {
        const auto* avp = avp_info(static_cast<std::uint16_t>(info->required[i]));
        if (i != leave_out)
          b.bytes(info->required[i], ByteVector(std::max<std::size_t>(avp->min_size, 1), 1));
      }
      const auto packet = b.finish({}, {}, 0, 0);
      const auto message = read(packet);
      ASSERT_TRUE(message.second.fault()) << info->name << " " << leave_out;
      EXPECT_EQ(message.second.fault()->reason, DropReason::kMissingAvp);
      EXPECT_EQ(message.second.fault()->attribute, static_cast<std::uint16_t>(info->required[leave_out]));
    }
  }
}

// §6.14
TEST(L2tpConformance, SetLinkInfoMayComeAgainAtAnyTime) {
  Pair pair;
  const SessionId id = pair.call();
  std::uint16_t ns = pair.lac->control().expected();
  for (const char* accm : {"000000000000ffffffff", "0000ffffffff000a0000"}) {
    MessageBuilder b(MessageType::kSli);
    b.bytes(AvpType::kAccm, *from_hex(accm));
    pair.lac->on_datagram(b.finish(Pair::kLac, id, ns++, pair.lac->control().next_ns()), pair.now);
  }
  pair.at_lac.drain(*pair.lac);
  EXPECT_EQ(pair.at_lac.count<LinkInfo>(), 2u);
  EXPECT_EQ(pair.at_lac.last<LinkInfo>()->receive_accm, 0x000a0000u);
}

// §7.1 without an id to answer to: nothing is said, nothing is kept.
TEST(L2tpConformance, AnSccrqWithoutATunnelIdIsNotAnswered) {
  SeededRandom random(1);
  LnsTunnel lns({.local_tunnel = TunnelId{100}}, random);
  MessageBuilder b(MessageType::kSccrq);
  b.u16(AvpType::kProtocolVersion, 0x0100)
      .u32(AvpType::kFramingCapabilities, 3)
      .text(AvpType::kHostName, "x");
  lns.on_datagram(b.finish({}, {}, 0, 0), {});
  EXPECT_TRUE(test::drain(lns).empty());
  EXPECT_TRUE(lns.finished());
  EXPECT_FALSE(lns.next_timeout());
}

// §7.1: an AVP that is mandatory and malformed ends what it is about.
TEST(L2tpConformance, AMalformedMandatoryAvpEndsItsSessionOrItsTunnel) {
  for (const bool of_session : {false, true}) {
    Pair pair;
    pair.call();
    const SessionId id = pair.at_lns.last<SessionUp>()->local;
    MessageBuilder b(of_session ? MessageType::kSli : MessageType::kHello);
    b.bytes(of_session ? AvpType::kAccm : AvpType::kReceiveWindowSize, ByteVector{1});
    const auto& control = pair.lns->control();
    pair.lns->on_datagram(
        b.finish(Pair::kLns, of_session ? id : SessionId{}, control.expected(), control.next_ns()), pair.now);
    const auto out = test::drain(*pair.lns);
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(kind_of(out[0]), of_session ? "CDN" : "StopCCN");
    EXPECT_EQ(pair.lns->established(), of_session);
  }
}

}  // namespace
}  // namespace sluice::l2tp
