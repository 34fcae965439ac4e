#include <gtest/gtest.h>

#include <set>

#include "support.hpp"

namespace sluice::l2tp {
namespace {

using namespace std::chrono_literals;
using test::Events;
using test::kind_of;
using test::read;
using test::SeededRandom;

/// An LNS and, against it, either a LAC or packets made by hand.
class L2tpTunnel : public ::testing::Test {
 protected:
  static constexpr TunnelId kLnsId{100}, kLacId{77};

  LnsTunnel& lns() {
    if (!lns_) {
      config.local_tunnel = kLnsId;
      lns_.emplace(config, random);
    }
    return *lns_;
  }

  /// Sends a hand-made message with the next Ns; gives all that the LNS answers.
  std::vector<ByteVector> say(const MessageBuilder& b, SessionId session = {}) {
    const TunnelId to = peer_ns == 0 ? TunnelId{} : kLnsId;
    return put(b.finish(to, session, peer_ns++, peer_nr));
  }
  std::vector<ByteVector> put(const ByteVector& packet) {
    last = lns().on_datagram(packet, now);
    return take();
  }
  std::vector<ByteVector> take() {
    auto out = test::drain(lns());
    for (const auto& p : out) {
      const auto h = parse_header(p);
      if (!h->zlb() && h->ns == peer_nr) ++peer_nr;
    }
    events.drain(lns());
    return out;
  }
  std::vector<std::string> kinds(const std::vector<ByteVector>& packets) {
    std::vector<std::string> out;
    for (const auto& p : packets) out.push_back(kind_of(p));
    return out;
  }
  using Kinds = std::vector<std::string>;

  std::vector<ByteVector> sccrq() {
    MessageBuilder b(MessageType::kSccrq);
    return say(test::add_sccrq(b, kLacId.value()));
  }
  void connect() {
    ASSERT_EQ(kinds(sccrq()), Kinds{"SCCRP"});
    ASSERT_EQ(kinds(say(MessageBuilder(MessageType::kScccn))), Kinds{"ZLB"});
    ASSERT_TRUE(lns().established());
  }
  /// ICRQ; gives the id the LNS assigned.
  SessionId icrq(std::uint16_t remote) {
    MessageBuilder b(MessageType::kIcrq);
    const auto out = say(b.u16(AvpType::kAssignedSessionId, remote).u32(AvpType::kCallSerialNumber, 1));
    if (kinds(out) != Kinds{"ICRP"}) return {};
    const auto [header, message] = read(out[0]);
    EXPECT_EQ(header.session, SessionId{remote});
    return message.assigned_session();
  }
  std::vector<ByteVector> iccn(SessionId session) {
    MessageBuilder b(MessageType::kIccn);
    return say(b.u32(AvpType::kTxConnectSpeed, 1000).u32(AvpType::kFramingType, 1), session);
  }
  SessionId call(std::uint16_t remote = 5) {
    const SessionId id = icrq(remote);
    EXPECT_EQ(kinds(iccn(id)), Kinds{"ZLB"});
    return id;
  }
  /// Runs the clock to `until`, firing timeouts on the way.
  std::vector<ByteVector> wait(Duration time) {
    const Instant until = now + time;
    std::vector<ByteVector> out;
    while (const auto at = lns().next_timeout()) {
      if (*at > until) break;
      now = std::max(now, *at);
      lns().on_timeout(now);
      for (auto& p : take()) out.push_back(std::move(p));
    }
    now = until;
    return out;
  }
  static std::string cause_of(const ByteVector& packet) {
    return describe_reason(read(packet).second.close_cause());
  }
  ByteVector data(SessionId session, TunnelId tunnel = kLnsId) {
    ByteVector buffer(32);
    ByteWriter out(buffer);
    write_header({.tunnel = tunnel, .session = session}, 4, out);
    out.u32(0xff03c021);
    buffer.resize(out.size());
    return buffer;
  }

  SeededRandom random{1};
  TunnelConfig config;
  Instant now{};
  std::optional<LnsTunnel> lns_;
  Events events;
  Received last;
  std::uint16_t peer_ns = 0, peer_nr = 0;
};

TEST_F(L2tpTunnel, ComesUpByThreeMessagesAndACallByThreeMore) {
  const auto sccrp = sccrq();
  ASSERT_EQ(kinds(sccrp), Kinds{"SCCRP"});
  const auto [header, message] = read(sccrp[0]);
  EXPECT_EQ(header.tunnel, kLacId);
  EXPECT_EQ(header.session, SessionId{});
  EXPECT_EQ(header.ns, 0);
  EXPECT_EQ(header.nr, 1);
  // What Windows wants to see.
  EXPECT_EQ(message.u16(AvpType::kProtocolVersion), 0x0100);
  EXPECT_TRUE(message.has(AvpType::kFramingCapabilities));
  EXPECT_EQ(message.text(AvpType::kHostName), "sluice");
  EXPECT_EQ(message.assigned_tunnel(), kLnsId);
  EXPECT_EQ(message.u16(AvpType::kReceiveWindowSize), 8);
  // What macOS and iOS do not forgive.
  EXPECT_FALSE(message.has(AvpType::kChallenge));

  EXPECT_EQ(kinds(say(MessageBuilder(MessageType::kScccn))), Kinds{"ZLB"});
  const auto* up = events.last<TunnelUp>();
  ASSERT_TRUE(up);
  EXPECT_EQ(up->peer_host, "client");
  EXPECT_EQ(up->peer_window, 4);
  EXPECT_EQ(up->remote, kLacId);

  const SessionId id = icrq(5);
  ASSERT_TRUE(id);
  EXPECT_EQ(lns().sessions_up(), 0u);
  MessageBuilder b(MessageType::kIccn);
  b.u32(AvpType::kTxConnectSpeed, 64000)
      .u32(AvpType::kFramingType, 1)
      .bytes(AvpType::kLastSentLcpConfreq, ByteVector{1, 2});
  EXPECT_EQ(kinds(say(b, id)), Kinds{"ZLB"});
  const auto* session = events.last<SessionUp>();
  ASSERT_TRUE(session);
  EXPECT_EQ(session->local, id);
  EXPECT_EQ(session->remote, SessionId{5});
  EXPECT_EQ(session->call.tx_speed, 64000u);
  EXPECT_EQ(session->call.rx_speed, 64000u);  // the same where the peer leaves it out
  EXPECT_EQ(session->call.last_sent_lcp, (ByteVector{1, 2}));
}

TEST_F(L2tpTunnel, DataIsHandedOutWithoutACopy) {
  connect();
  const SessionId id = call();
  const auto packet = data(id);
  const auto got = lns().on_datagram(packet, now);
  ASSERT_TRUE(got.is_data());
  EXPECT_EQ(got.session, id);
  EXPECT_EQ(got.ppp.data(), packet.data() + 6);
  EXPECT_EQ(got.ppp.size(), 4u);
}

TEST_F(L2tpTunnel, DataForNobodyIsDroppedByReasonAndNeverAnswered) {
  connect();
  const SessionId half = icrq(5);
  EXPECT_TRUE(put(data(half)).empty());
  EXPECT_EQ(last.reason, DropReason::kSessionNotUp);
  EXPECT_TRUE(put(data(SessionId{static_cast<std::uint16_t>(half.value() + 1)})).empty());
  EXPECT_EQ(last.reason, DropReason::kUnknownSession);
  EXPECT_TRUE(put(data(half, TunnelId{999})).empty());
  EXPECT_EQ(last.reason, DropReason::kUnknownTunnel);
  const auto stray = MessageBuilder(MessageType::kHello).finish(TunnelId{999}, {}, peer_ns, peer_nr);
  EXPECT_TRUE(put(stray).empty());
  EXPECT_EQ(last.reason, DropReason::kUnknownTunnel);
  EXPECT_EQ(lns().control().expected(), peer_ns);
}

TEST_F(L2tpTunnel, FramesDataInPlaceInFrontOfThePayload) {
  connect();
  const SessionId id = call();
  ByteVector buffer(kDataHeadroom + 4, 0xee);
  buffer[kDataHeadroom] = 0x42;
  const auto packet = lns().frame_data(id, buffer, kDataHeadroom);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->data() + packet->size(), buffer.data() + buffer.size());
  EXPECT_EQ(to_hex(*packet), "0002004d000542eeeeee");
  EXPECT_FALSE(lns().frame_data(SessionId{1}, buffer, kDataHeadroom));
  EXPECT_FALSE(lns().frame_data(id, buffer, kDataHeadroom - 1));
  EXPECT_FALSE(lns().frame_data(id, buffer, buffer.size() + 1));
}

TEST_F(L2tpTunnel, FramesDataWithLengthAndSequenceWhereAsked) {
  config.length_in_data = true;
  connect();
  const SessionId id = icrq(5);
  MessageBuilder b(MessageType::kIccn);
  say(b.u32(AvpType::kTxConnectSpeed, 1).u32(AvpType::kFramingType, 1).empty(AvpType::kSequencingRequired),
      id);
  ASSERT_TRUE(events.last<SessionUp>()->call.sequencing_required);
  for (std::uint16_t ns = 0; ns < 3; ++ns) {
    ByteVector buffer(kDataHeadroom + 4, 0xee);
    const auto packet = lns().frame_data(id, buffer, kDataHeadroom);
    ASSERT_TRUE(packet);
    const auto h = parse_header(*packet);
    EXPECT_TRUE(h->has_length && h->has_sequence);
    EXPECT_EQ(load_be16(packet->data() + 2), packet->size());
    EXPECT_EQ(h->ns, ns);
    EXPECT_EQ(h->payload.size(), 4u);
  }
}

TEST_F(L2tpTunnel, AResentSccrqIsAcknowledgedAndMakesNothingNew) {
  MessageBuilder b(MessageType::kSccrq);
  const auto packet = test::add_sccrq(b, kLacId.value()).finish({}, {}, 0, 0);
  EXPECT_EQ(kinds(put(packet)), Kinds{"SCCRP"});
  EXPECT_EQ(kinds(put(packet)), Kinds{"ZLB"});
  EXPECT_EQ(last.reason, DropReason::kDuplicate);
  EXPECT_EQ(lns().state(), TunnelState::kWaitConnect);
}

TEST_F(L2tpTunnel, NothingButAnSccrqOpensATunnel) {
  for (const auto type : {MessageType::kSccrp, MessageType::kScccn, MessageType::kHello, MessageType::kIcrq,
                          MessageType::kStopCcn}) {
    EXPECT_TRUE(put(MessageBuilder(type).finish({}, {}, 0, 0)).empty());
    EXPECT_TRUE(put(MessageBuilder(type).finish(kLnsId, {}, 0, 0)).empty());
    EXPECT_EQ(last.reason, DropReason::kWrongState);
  }
  EXPECT_TRUE(put(make_zlb({}, 0, 0)).empty());
  EXPECT_EQ(lns().state(), TunnelState::kIdle);
  EXPECT_FALSE(lns().next_timeout());
  connect();  // and all that left no trace
}

TEST_F(L2tpTunnel, AnotherProtocolVersionIsRefusedWithOurs) {
  MessageBuilder b(MessageType::kSccrq);
  b.u16(AvpType::kProtocolVersion, 0x0200)
      .u32(AvpType::kFramingCapabilities, 3)
      .text(AvpType::kHostName, "x")
      .u16(AvpType::kAssignedTunnelId, kLacId.value());
  const auto out = say(b);
  ASSERT_EQ(kinds(out), Kinds{"StopCCN"});
  const auto code = read(out[0]).second.result_code();
  EXPECT_EQ(code->result, 5);
  EXPECT_EQ(code->error, 0x0100);
  EXPECT_FALSE(events.last<TunnelDown>()->was_up);
}

TEST_F(L2tpTunnel, AChallengeIsAnsweredWithASecretAndRefusedWithout) {
  for (const bool known : {false, true}) {
    TunnelConfig c{.local_tunnel = kLnsId};
    if (known) c.secret = std::make_shared<const Secret>(Secret("shared"));
    LnsTunnel tunnel(c, random);
    MessageBuilder b(MessageType::kSccrq);
    test::add_sccrq(b).bytes(AvpType::kChallenge, as_bytes("who are you"));
    tunnel.on_datagram(b.finish({}, {}, 0, 0), now);
    const auto out = test::drain(tunnel);
    ASSERT_EQ(out.size(), 1u);
    const auto [header, message] = read(out[0]);
    EXPECT_EQ(message.type(), known ? MessageType::kSccrp : MessageType::kStopCcn);
    if (known) {
      const auto expected = challenge_response(2, as_bytes("shared"), as_bytes("who are you"));
      EXPECT_TRUE(equal(message.bytes(AvpType::kChallengeResponse), expected));
    } else {
      EXPECT_EQ(message.result_code()->result, 4);
    }
  }
}

TEST_F(L2tpTunnel, AWrongChallengeResponseEndsTheTunnel) {
  config.demand_authentication = true;
  config.secret = std::make_shared<const Secret>(Secret("shared"));
  const auto sccrp = sccrq();
  ASSERT_TRUE(read(sccrp[0]).second.has(AvpType::kChallenge));
  MessageBuilder b(MessageType::kScccn);
  const auto out = say(b.bytes(AvpType::kChallengeResponse, ByteVector(16, 7)));
  ASSERT_EQ(kinds(out), Kinds{"StopCCN"});
  EXPECT_EQ(read(out[0]).second.result_code()->result, 4);
  EXPECT_EQ(last.reason, DropReason::kAuthentication);
}

TEST_F(L2tpTunnel, AMessageOutOfPlaceEndsTheTunnelWithResult7) {
  const struct {
    MessageType type;
    bool established;
  } cases[] = {{MessageType::kSccrp, false}, {MessageType::kSccrp, true}, {MessageType::kScccn, true}};
  for (const auto& c : cases) {
    lns_.reset();
    peer_ns = peer_nr = 0;
    if (c.established) {
      connect();
    } else {
      sccrq();
    }
    MessageBuilder b(c.type);
    test::add_sccrq(b);
    const auto out = say(b);
    ASSERT_EQ(kinds(out), Kinds{"StopCCN"});
    EXPECT_EQ(read(out[0]).second.result_code()->result, 7) << cause_of(out[0]);
    EXPECT_EQ(lns().state(), TunnelState::kClosing);
    EXPECT_EQ(events.last<TunnelDown>()->was_up, c.established);
  }
}

TEST_F(L2tpTunnel, ACallBeforeTheTunnelIsUpIsOutOfPlace) {
  sccrq();
  MessageBuilder b(MessageType::kIcrq);
  EXPECT_EQ(kinds(say(b.u16(AvpType::kAssignedSessionId, 1).u32(AvpType::kCallSerialNumber, 1))),
            Kinds{"StopCCN"});
}

TEST_F(L2tpTunnel, AnUnknownMandatoryAvpEndsTheTunnelInATunnelMessage) {
  connect();
  MessageBuilder b(MessageType::kHello);
  const auto out = say(b.raw({.mandatory = true, .vendor = 9, .type = 1}));
  ASSERT_EQ(kinds(out), Kinds{"StopCCN"});
  EXPECT_EQ(cause_of(out[0]),
            "2 general error, error 8 unknown AVP with the M bit set, \"HELLO: unknown mandatory AVP 9:1\"");
  EXPECT_EQ(last.reason, DropReason::kUnknownMandatoryAvp);
}

TEST_F(L2tpTunnel, AnUnknownMandatoryAvpInASessionsMessageEndsThatSessionOnly) {
  connect();
  const SessionId other = call(4);
  const SessionId id = icrq(5);
  MessageBuilder b(MessageType::kIccn);
  const auto out = say(
      b.u32(AvpType::kTxConnectSpeed, 1).u32(AvpType::kFramingType, 1).raw({.mandatory = true, .type = 99}),
      id);
  ASSERT_EQ(kinds(out), Kinds{"CDN"});
  EXPECT_EQ(read(out[0]).first.session, SessionId{5});
  EXPECT_EQ(read(out[0]).second.result_code()->error, 8);
  EXPECT_EQ(events.last<SessionDown>()->local, id);
  EXPECT_TRUE(lns().established());
  EXPECT_TRUE(lns().on_datagram(data(other), now).is_data());
}

TEST_F(L2tpTunnel, AnUnknownMandatoryAvpInAnIcrqRefusesTheCall) {
  connect();
  MessageBuilder b(MessageType::kIcrq);
  const auto out = say(b.u16(AvpType::kAssignedSessionId, 9)
                           .u32(AvpType::kCallSerialNumber, 1)
                           .raw({.mandatory = true, .type = 99}));
  ASSERT_EQ(kinds(out), Kinds{"CDN"});
  EXPECT_EQ(read(out[0]).first.session, SessionId{9});
  EXPECT_EQ(lns().sessions(), 0u);
}

TEST_F(L2tpTunnel, AnUnknownMessageEndsTheTunnelOnlyIfMandatory) {
  connect();
  EXPECT_EQ(kinds(say(MessageBuilder(999, false))), Kinds{"ZLB"});
  EXPECT_EQ(last.reason, DropReason::kIgnoredMessage);
  EXPECT_EQ(kinds(say(MessageBuilder(999, true))), Kinds{"StopCCN"});
  EXPECT_EQ(last.reason, DropReason::kUnknownMessage);
}

TEST_F(L2tpTunnel, AVpsThatDoNotAddUpEndTheTunnel) {
  connect();
  auto packet = MessageBuilder(MessageType::kHello).finish(kLnsId, {}, peer_ns++, peer_nr);
  packet.push_back(0);
  store_be16(packet.data() + 2, static_cast<std::uint16_t>(packet.size()));
  EXPECT_EQ(kinds(put(packet)), Kinds{"StopCCN"});
  EXPECT_EQ(last.reason, DropReason::kAvpStructure);
}

TEST_F(L2tpTunnel, OutgoingCallsAreRefusedForGood) {
  connect();
  MessageBuilder b(MessageType::kOcrq);
  b.u16(AvpType::kAssignedSessionId, 31).u32(AvpType::kCallSerialNumber, 1).u32(AvpType::kMinimumBps, 1);
  b.u32(AvpType::kMaximumBps, 1).u32(AvpType::kBearerType, 1).u32(AvpType::kFramingType, 1);
  const auto out = say(b);
  ASSERT_EQ(kinds(out), Kinds{"CDN"});
  EXPECT_EQ(read(out[0]).first.session, SessionId{31});
  EXPECT_EQ(read(out[0]).second.result_code()->result, 5);
  EXPECT_TRUE(lns().established());
}

TEST_F(L2tpTunnel, CallsBeyondTheLimitAreRefusedForNow) {
  config.max_sessions = 2;
  connect();
  call(1);
  call(2);
  MessageBuilder b(MessageType::kIcrq);
  const auto out = say(b.u16(AvpType::kAssignedSessionId, 3).u32(AvpType::kCallSerialNumber, 1));
  ASSERT_EQ(kinds(out), Kinds{"CDN"});
  EXPECT_EQ(read(out[0]).second.result_code()->result, 4);
  EXPECT_EQ(lns().sessions_up(), 2u);
}

TEST_F(L2tpTunnel, SessionIdsAreDistinctAndRestAfterUse) {
  connect();
  std::set<SessionId> seen;
  for (std::uint16_t i = 1; i <= 60; ++i) {
    const SessionId id = call(i);
    EXPECT_TRUE(seen.insert(id).second);
    lns().close_session(id, CallResult::kAdministrative, "", now);
    take();
    peer_nr = lns().control().next_ns();
    put(make_zlb(kLnsId, peer_ns, peer_nr));
    now += 100ms;
  }
}

TEST_F(L2tpTunnel, AnIcrqForAnIdInUseEndsThatCall) {
  connect();
  const SessionId id = call(5);
  MessageBuilder b(MessageType::kIcrq);
  const auto out = say(b.u16(AvpType::kAssignedSessionId, 5).u32(AvpType::kCallSerialNumber, 2));
  ASSERT_EQ(kinds(out), Kinds{"CDN"});
  EXPECT_EQ(events.last<SessionDown>()->local, id);
  EXPECT_EQ(lns().sessions(), 0u);
}

TEST_F(L2tpTunnel, ASecondIccnEndsTheCall) {
  connect();
  const SessionId id = call(5);
  EXPECT_EQ(kinds(iccn(id)), Kinds{"CDN"});
  EXPECT_TRUE(events.last<SessionDown>()->was_up);
}

TEST_F(L2tpTunnel, MessagesForUnknownSessionsAreAcknowledgedAndNoMore) {
  connect();
  for (const auto type : {MessageType::kIccn, MessageType::kCdn, MessageType::kIcrp, MessageType::kOccn}) {
    MessageBuilder b(type);
    b.u32(AvpType::kTxConnectSpeed, 1).u32(AvpType::kFramingType, 1);
    if (type == MessageType::kIcrp) b.u16(AvpType::kAssignedSessionId, 4);
    EXPECT_EQ(kinds(say(b, SessionId{12345})), Kinds{"ZLB"}) << message_name(b.type_number());
    EXPECT_EQ(last.reason, DropReason::kUnknownSession);
  }
  EXPECT_TRUE(lns().established());
}

TEST_F(L2tpTunnel, ThePeersCdnEndsTheSessionWithItsCause) {
  connect();
  const SessionId id = call(5);
  MessageBuilder b(MessageType::kCdn);
  b.result(3, 0, "bye").u16(AvpType::kAssignedSessionId, 5).ppp_cause({DisconnectCode::kNormal, 0xc021});
  EXPECT_EQ(kinds(say(b, id)), Kinds{"ZLB"});
  const auto* down = events.last<SessionDown>();
  ASSERT_TRUE(down);
  EXPECT_TRUE(down->was_up);
  EXPECT_EQ(describe(down->cause),
            "closed by peer: 3 call disconnected for administrative reasons, \"bye\", PPP cause 3 normal "
            "disconnection "
            "by LCP Terminate-Request, protocol 0xc021");
  EXPECT_EQ(lns().on_datagram(data(id), now).reason, DropReason::kUnknownSession);
}

TEST_F(L2tpTunnel, ACdnBeforeOurIdIsKnownIsFoundByThePeersId) {
  connect();
  const SessionId id = icrq(5);
  MessageBuilder b(MessageType::kCdn);
  say(b.result(1, 0, "").u16(AvpType::kAssignedSessionId, 5));
  EXPECT_EQ(events.last<SessionDown>()->local, id);
  EXPECT_FALSE(events.last<SessionDown>()->was_up);
}

TEST_F(L2tpTunnel, CloseSessionTellsThePeerWhyAndTheTunnelStays) {
  connect();
  const SessionId id = call(5);
  const PppCause cause{DisconnectCode::kAuthenticationFailed, 0xc223, DisconnectDirection::kAtPeer, ""};
  lns().close_session(id, CallResult::kAdministrative, "wrong password", now, &cause);
  const auto out = take();
  ASSERT_EQ(kinds(out), Kinds{"CDN"});
  const auto [header, message] = read(out[0]);
  EXPECT_EQ(header.session, SessionId{5});
  EXPECT_EQ(message.assigned_session(), id);
  EXPECT_EQ(message.ppp_cause()->code, DisconnectCode::kAuthenticationFailed);
  EXPECT_EQ(events.last<SessionDown>()->cause.by, ClosedBy::kLocal);
  EXPECT_TRUE(lns().established());
  ByteVector buffer(kDataHeadroom + 1);
  EXPECT_FALSE(lns().frame_data(id, buffer, kDataHeadroom));
}

TEST_F(L2tpTunnel, ThePeersStopCcnIsAcknowledgedForAFullCycle) {
  connect();
  call(5);
  MessageBuilder b(MessageType::kStopCcn);
  b.u16(AvpType::kAssignedTunnelId, kLacId.value()).result(6, 0, "");
  const auto packet = b.finish(kLnsId, {}, peer_ns++, peer_nr);
  EXPECT_EQ(kinds(put(packet)), Kinds{"ZLB"});
  EXPECT_EQ(events.count<SessionDown>(), 1u);
  ASSERT_EQ(events.count<TunnelDown>(), 1u);
  EXPECT_EQ(describe(events.last<TunnelDown>()->cause), "closed by peer: 6 requester is being shut down");
  EXPECT_TRUE(std::holds_alternative<TunnelDown>(events.all.back()));
  wait(30s);
  EXPECT_FALSE(lns().finished());
  EXPECT_EQ(kinds(put(packet)), Kinds{"ZLB"});  // its resend is acknowledged again
  wait(1s);
  EXPECT_TRUE(lns().finished());
  EXPECT_TRUE(put(packet).empty());
  EXPECT_FALSE(lns().next_timeout());
  EXPECT_EQ(events.count<TunnelDown>(), 1u);
}

TEST_F(L2tpTunnel, CloseTunnelIsOverOnceAcknowledged) {
  connect();
  call(5);
  lns().close_tunnel(StopResult::kShuttingDown, "maintenance", now);
  const auto out = take();
  ASSERT_EQ(kinds(out), Kinds{"StopCCN"});
  const auto [header, message] = read(out[0]);
  EXPECT_EQ(message.assigned_tunnel(), kLnsId);
  EXPECT_EQ(message.result_code()->result, 6);
  EXPECT_EQ(events.count<SessionDown>(), 1u);
  EXPECT_EQ(events.count<TunnelDown>(), 1u);
  EXPECT_FALSE(lns().finished());
  put(make_zlb(kLnsId, peer_ns, peer_nr));
  wait(0s);
  EXPECT_TRUE(lns().finished());
  lns().close_tunnel(StopResult::kGeneral, "again", now);
  EXPECT_TRUE(take().empty());
}

TEST_F(L2tpTunnel, CloseTunnelIsOverAfterACycleOfSilence) {
  connect();
  lns().close_tunnel(StopResult::kGeneral, "", now);
  EXPECT_EQ(take().size(), 1u);
  EXPECT_EQ(wait(31s).size(), 5u);
  EXPECT_TRUE(lns().finished());
}

TEST_F(L2tpTunnel, AStopCcnPassesMessagesThatWait) {
  connect();
  const SessionId a = call(1), b = call(2), c = call(3);
  for (const auto id : {a, b, c}) lns().close_session(id, CallResult::kAdministrative, "", now);
  lns().close_tunnel(StopResult::kShuttingDown, "", now);
  const auto out = take();
  EXPECT_EQ(kinds(out).back(), "StopCCN");
  std::uint16_t ns = parse_header(out.front())->ns;
  for (const auto& p : out) EXPECT_EQ(parse_header(p)->ns, ns++);
}

TEST_F(L2tpTunnel, HelloGoesOutOnlyAfterIdleTime) {
  connect();
  const SessionId id = call(5);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(wait(50s).empty());
    put(data(id));  // data counts as a sign of life
  }
  const auto out = wait(60s);
  ASSERT_EQ(kinds(out), Kinds{"HELLO"});
  put(make_zlb(kLnsId, peer_ns, peer_nr));
  EXPECT_TRUE(wait(59s).empty());
  EXPECT_EQ(wait(1s).size(), 1u);
}

TEST_F(L2tpTunnel, ASilentPeerIsGivenUpAfterHelloAndItsRetries) {
  connect();
  call(5);
  const auto out = wait(91s);
  EXPECT_EQ(out.size(), 6u);
  EXPECT_TRUE(lns().finished());
  EXPECT_EQ(events.last<TunnelDown>()->cause.by, ClosedBy::kTimeout);
  EXPECT_EQ(events.last<SessionDown>()->cause.by, ClosedBy::kTimeout);
}

TEST_F(L2tpTunnel, AClientThatNeverAcknowledgesHelloStaysWhileItsDataFlows) {
  connect();
  const SessionId id = call(5);
  wait(60s);
  for (int i = 0; i < 60; ++i) {
    wait(10s);
    put(data(id));
    ASSERT_TRUE(lns().established()) << i;
  }
  lns().close_session(id, CallResult::kAdministrative, "", now);
  EXPECT_EQ(kinds(take()), Kinds{"CDN"});  // and it still hears what it is told
}

TEST_F(L2tpTunnel, HalfOpenTunnelsAndCallsEndInTime) {
  sccrq();
  put(make_zlb(kLnsId, peer_ns, peer_nr));
  const auto out = wait(60s);
  ASSERT_EQ(kinds(out), Kinds{"StopCCN"});
  EXPECT_EQ(events.last<TunnelDown>()->cause.by, ClosedBy::kTimeout);

  lns_.reset();
  peer_ns = peer_nr = 0;
  connect();
  icrq(5);
  put(make_zlb(kLnsId, peer_ns, peer_nr));
  const auto call_out = wait(60s);
  ASSERT_FALSE(call_out.empty());
  EXPECT_EQ(kind_of(call_out[0]), "CDN");
  EXPECT_EQ(read(call_out[0]).second.result_code()->result, 10);
}

TEST_F(L2tpTunnel, MessagesOutOfOrderAreDeliveredInOrder) {
  sccrq();
  MessageBuilder scccn(MessageType::kScccn), icrq_message(MessageType::kIcrq);
  icrq_message.u16(AvpType::kAssignedSessionId, 5).u32(AvpType::kCallSerialNumber, 1);
  EXPECT_TRUE(put(icrq_message.finish(kLnsId, {}, 2, 1)).empty());
  EXPECT_EQ(kinds(put(scccn.finish(kLnsId, {}, 1, 1))), Kinds{"ICRP"});
}

TEST_F(L2tpTunnel, AFloodOfControlMessagesIsShed) {
  config.max_control_per_second = 10;
  connect();
  for (int i = 0; i < 20; ++i) put(make_zlb(kLnsId, peer_ns, peer_nr));
  EXPECT_EQ(last.reason, DropReason::kControlRate);
  now += 1s;
  put(make_zlb(kLnsId, peer_ns, peer_nr));
  EXPECT_NE(last.reason, DropReason::kControlRate);
}

TEST_F(L2tpTunnel, SetLinkInfoIsHandedOut) {
  connect();
  const SessionId id = call(5);
  MessageBuilder b(MessageType::kSli);
  EXPECT_EQ(kinds(say(b.bytes(AvpType::kAccm, *from_hex("0000000000ffffffffff")), id)), Kinds{"ZLB"});
  const auto* info = events.last<LinkInfo>();
  ASSERT_TRUE(info);
  EXPECT_EQ(info->local, id);
  EXPECT_EQ(info->send_accm, 0x000000ffu);
  EXPECT_EQ(info->receive_accm, 0xffffffffu);
}

TEST_F(L2tpTunnel, HiddenAvpsAreUnderstoodWithTheSecret) {
  config.secret = std::make_shared<const Secret>(Secret("shared"));
  connect();
  MessageBuilder b(MessageType::kIcrq);
  std::uint8_t id[2] = {0, 9};
  b.hidden(AvpType::kAssignedSessionId, id, *config.secret, random).u32(AvpType::kCallSerialNumber, 1);
  const auto out = say(b);
  ASSERT_EQ(kinds(out), Kinds{"ICRP"});
  EXPECT_EQ(read(out[0]).first.session, SessionId{9});
}

TEST_F(L2tpTunnel, NoMutationOfAnyMessageLeavesAnInconsistentTunnel) {
  // The state machine asserts its invariants after each datagram.
  std::vector<ByteVector> script;
  MessageBuilder sccrq_message(MessageType::kSccrq);
  script.push_back(test::add_sccrq(sccrq_message, kLacId.value()).finish({}, {}, 0, 0));
  script.push_back(MessageBuilder(MessageType::kScccn).finish(kLnsId, {}, 1, 1));
  script.push_back(MessageBuilder(MessageType::kIcrq)
                       .u16(AvpType::kAssignedSessionId, 5)
                       .u32(AvpType::kCallSerialNumber, 1)
                       .finish(kLnsId, {}, 2, 1));
  script.push_back(MessageBuilder(MessageType::kStopCcn).result(1, 0, "x").finish(kLnsId, {}, 3, 2));
  std::size_t runs = 0;
  for (std::size_t step = 0; step < script.size(); ++step) {
    test::mutate(script[step], [&](const ByteVector& bytes) {
      SeededRandom fresh(7);
      LnsTunnel tunnel({.local_tunnel = kLnsId}, fresh);
      for (std::size_t i = 0; i < step; ++i) tunnel.on_datagram(script[i], now), test::drain(tunnel);
      tunnel.on_datagram(bytes, now);
      // No answer is longer than a short StopCCN.
      for (const auto& p : test::drain(tunnel)) EXPECT_LE(p.size(), 200u);
      ++runs;
    });
  }
  EXPECT_GT(runs, 1000u);
}

TEST(L2tpLac, AsksToConnectAndCallsThenCloses) {
  SeededRandom random(5);
  Instant now{};
  LacTunnel lac({.local_tunnel = TunnelId{7}}, random);
  LnsTunnel lns({.local_tunnel = TunnelId{8}}, random);
  Events at_lac, at_lns;
  const auto settle = [&] {
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& p : test::drain(lac)) moved = true, lns.on_datagram(p, now);
      for (const auto& p : test::drain(lns)) moved = true, lac.on_datagram(p, now);
    }
    at_lac.drain(lac);
    at_lns.drain(lns);
  };
  EXPECT_FALSE(lac.open_session(now));
  lac.connect(now);
  settle();
  ASSERT_TRUE(lac.established() && lns.established());
  const auto id = lac.open_session(now, {.calling_number = "100", .called_number = "200"});
  ASSERT_TRUE(id);
  settle();
  ASSERT_TRUE(at_lns.last<SessionUp>() && at_lac.last<SessionUp>());
  EXPECT_EQ(at_lns.last<SessionUp>()->call.calling_number, "100");
  EXPECT_EQ(at_lns.last<SessionUp>()->call.called_number, "200");
  EXPECT_EQ(at_lns.last<SessionUp>()->remote, *id);
  EXPECT_EQ(at_lac.last<SessionUp>()->remote, at_lns.last<SessionUp>()->local);

  ByteVector buffer(kDataHeadroom + 3, 9);
  const auto packet = lac.frame_data(*id, buffer, kDataHeadroom);
  ASSERT_TRUE(packet);
  EXPECT_TRUE(lns.on_datagram(*packet, now).is_data());

  lac.close_tunnel(StopResult::kGeneral, "done", now);
  settle();
  EXPECT_EQ(at_lns.last<TunnelDown>()->cause.by, ClosedBy::kPeer);
  EXPECT_EQ(at_lns.last<SessionDown>()->was_up, true);
  lac.on_timeout(now);
  EXPECT_TRUE(lac.finished());
}

TEST(L2tpLac, BothSidesAuthenticateWithTheSameSecretOnly) {
  SeededRandom random(6);
  const Instant now{};
  for (const bool same : {true, false}) {
    TunnelConfig c{.local_tunnel = TunnelId{7}, .demand_authentication = true};
    c.secret = std::make_shared<const Secret>(Secret("one"));
    LacTunnel lac(c, random);
    c.local_tunnel = TunnelId{8};
    if (!same) c.secret = std::make_shared<const Secret>(Secret("two"));
    LnsTunnel lns(c, random);
    lac.connect(now);
    for (int i = 0; i < 4; ++i) {
      for (const auto& p : test::drain(lac)) lns.on_datagram(p, now);
      for (const auto& p : test::drain(lns)) lac.on_datagram(p, now);
    }
    EXPECT_EQ(lac.established(), same);
    EXPECT_EQ(lns.established(), same);
  }
}

TEST(L2tpLac, IncomingCallsTowardsAClientAreRefused) {
  SeededRandom random(8);
  const Instant now{};
  LacTunnel lac({.local_tunnel = TunnelId{7}}, random);
  lac.connect(now);
  test::drain(lac);
  MessageBuilder sccrp(MessageType::kSccrp);
  lac.on_datagram(test::add_sccrq(sccrp, 50).finish(TunnelId{7}, {}, 0, 1), now);
  test::drain(lac);
  ASSERT_TRUE(lac.established());
  MessageBuilder icrq(MessageType::kIcrq);
  icrq.u16(AvpType::kAssignedSessionId, 3).u32(AvpType::kCallSerialNumber, 1);
  lac.on_datagram(icrq.finish(TunnelId{7}, {}, 1, 2), now);
  const auto out = test::drain(lac);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(read(out[0]).second.result_code()->result, 5);
}

}  // namespace
}  // namespace sluice::l2tp
