#include "l2tp/observer.hpp"

#include <gtest/gtest.h>

#include "support.hpp"

namespace sluice::l2tp {
namespace {

using test::read;
using test::SeededRandom;

/// A client and an agent whose packets pass an observer.
class L2tpObserver : public ::testing::Test {
 protected:
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& p : test::drain(client)) {
        moved = true;
        seen.push_back(observer.from_client(p));
        agent.on_datagram(p, now);
      }
      for (const auto& p : test::drain(agent)) {
        moved = true;
        seen.push_back(observer.from_agent(p));
        client.on_datagram(p, now);
      }
    }
    from_client.drain(client);
    from_agent.drain(agent);
  }
  bool saw(Observation what) const { return std::find(seen.begin(), seen.end(), what) != seen.end(); }

  Instant now{};
  SeededRandom random{4};
  LacTunnel client{{.local_tunnel = TunnelId{7}, .host_name = "laptop"}, random};
  LnsTunnel agent{{.local_tunnel = TunnelId{900}}, random};
  Observer observer;
  test::Events from_client, from_agent;
  std::vector<Observation> seen;
};

TEST_F(L2tpObserver, FollowsATunnelFromSccrqToStopCcn) {
  client.connect(now);
  settle();
  EXPECT_TRUE(saw(Observation::kTunnelUp));
  EXPECT_EQ(observer.state(), ObservedState::kEstablished);
  EXPECT_EQ(observer.client_tunnel(), TunnelId{7});
  EXPECT_EQ(observer.agent_tunnel(), TunnelId{900});
  EXPECT_EQ(observer.client_host(), "laptop");

  const auto one = client.open_session(now, {.calling_number = "1"});
  const auto two = client.open_session(now);
  settle();
  EXPECT_TRUE(saw(Observation::kSessionUp));
  EXPECT_EQ(observer.sessions_up(), 2u);
  ASSERT_EQ(observer.sessions().size(), 2u);
  EXPECT_EQ(observer.sessions()[0].client, *one);
  EXPECT_EQ(observer.sessions()[0].calling_number, "1");
  EXPECT_EQ(observer.sessions()[0].tx_speed, 100'000'000u);
  EXPECT_EQ(observer.sessions()[1].client, *two);
  EXPECT_EQ(observer.sessions()[1].agent, from_agent.last<SessionUp>()->local);
  EXPECT_EQ(observer.next_ns(Side::kClient), client.control().next_ns());
  EXPECT_EQ(observer.next_ns(Side::kAgent), agent.control().next_ns());
  EXPECT_EQ(observer.expects(Side::kClient), client.control().expected());

  const PppCause cause{DisconnectCode::kEchoTimeout, 0xc021, DisconnectDirection::kAtPeer, ""};
  agent.close_session(from_agent.last<SessionUp>()->local, CallResult::kLostCarrier, "gone", now, &cause);
  settle();
  EXPECT_TRUE(saw(Observation::kSessionClosed));
  EXPECT_EQ(observer.sessions().size(), 1u);
  ASSERT_TRUE(observer.last_session_close());
  EXPECT_EQ(
      Observer::describe(*observer.last_session_close()),
      "agent: 1 call disconnected due to loss of carrier, \"gone\", PPP cause 8 LCP echo requests were not "
      "answered (at the peer), protocol 0xc021");

  client.close_tunnel(StopResult::kShuttingDown, "", now);
  settle();
  EXPECT_TRUE(saw(Observation::kTunnelClosed));
  EXPECT_EQ(observer.state(), ObservedState::kClosed);
  EXPECT_EQ(observer.sessions_up(), 0u);
  EXPECT_EQ(Observer::describe(*observer.closed()), "client: 6 requester is being shut down");
}

TEST_F(L2tpObserver, DuplicatesChangeNothing) {
  client.connect(now);
  const auto sccrq = test::drain(client).at(0);
  EXPECT_EQ(observer.from_client(sccrq), Observation::kNothing);
  agent.on_datagram(sccrq, now);
  const auto sccrp = test::drain(agent).at(0);
  observer.from_agent(sccrp);
  client.on_datagram(sccrp, now);
  const auto scccn = test::drain(client).at(0);
  EXPECT_EQ(observer.from_client(scccn), Observation::kTunnelUp);
  EXPECT_EQ(observer.from_client(scccn), Observation::kNothing);
  EXPECT_EQ(observer.from_client(sccrq), Observation::kNothing);
  EXPECT_EQ(observer.next_ns(Side::kClient), 2);
  EXPECT_EQ(observer.state(), ObservedState::kEstablished);
  EXPECT_EQ(observer.resent(Side::kClient), 2u);
  EXPECT_EQ(observer.resent(Side::kAgent), 0u);
}

TEST_F(L2tpObserver, TellsEachSidesWindow) {
  EXPECT_EQ(observer.receive_window(Side::kClient), 0);
  MessageBuilder sccrq(MessageType::kSccrq), sccrp(MessageType::kSccrp);
  sccrq.u16(AvpType::kAssignedTunnelId, 7).u16(AvpType::kReceiveWindowSize, 16);
  sccrp.u16(AvpType::kAssignedTunnelId, 900);
  observer.from_client(sccrq.finish({}, {}, 0, 0));
  observer.from_agent(sccrp.finish(TunnelId{7}, {}, 0, 1));
  EXPECT_EQ(observer.receive_window(Side::kClient), 16);
  EXPECT_EQ(observer.receive_window(Side::kAgent), 4);  // RFC 2661 §4.4.3: the default
}

TEST_F(L2tpObserver, AMessageSeenLateIsStillRead) {
  // ICRQ with Ns 2 was lost before the observer; Ns 3 came first.
  MessageBuilder hello(MessageType::kHello), icrq(MessageType::kIcrq);
  icrq.u16(AvpType::kAssignedSessionId, 44).u32(AvpType::kCallSerialNumber, 1);
  client.connect(now);
  settle();
  observer.from_client(hello.finish(TunnelId{900}, {}, 3, 1));
  observer.from_client(icrq.finish(TunnelId{900}, {}, 2, 1));
  ASSERT_EQ(observer.sessions().size(), 1u);
  MessageBuilder cdn(MessageType::kCdn);
  cdn.result(1, 0, "").u16(AvpType::kAssignedSessionId, 44);
  EXPECT_EQ(observer.from_client(cdn.finish(TunnelId{900}, {}, 4, 1)), Observation::kSessionClosed);
  observer.from_client(icrq.finish(TunnelId{900}, {}, 2, 1));
  EXPECT_TRUE(observer.sessions().empty());  // the resent ICRQ does not bring it back
}

TEST_F(L2tpObserver, FarewellIsTakenByTheClientAsTheAgentsOwn) {
  client.connect(now);
  settle();
  client.open_session(now);
  settle();
  const auto farewell = observer.farewell(StopResult::kError, "server gone", ErrorCode::kResources);
  ASSERT_TRUE(farewell);
  EXPECT_EQ(read(*farewell).second.assigned_tunnel(), TunnelId{900});
  EXPECT_FALSE(observer.farewell_acknowledged());
  client.on_datagram(*farewell, now);
  from_client.drain(client);
  const auto* down = from_client.last<TunnelDown>();
  ASSERT_TRUE(down);
  EXPECT_EQ(down->cause.by, ClosedBy::kPeer);
  EXPECT_EQ(down->cause.text, "server gone");
  for (const auto& p : test::drain(client)) observer.from_client(p);
  EXPECT_TRUE(observer.farewell_acknowledged());
}

TEST_F(L2tpObserver, FarewellReachesAClientThatMissedTheAgentsLastWord) {
  client.connect(now);
  settle();
  // The agent's HELLO passes the observer and is lost behind it.
  now += std::chrono::seconds(60);
  agent.on_timeout(now);
  for (const auto& p : test::drain(agent)) observer.from_agent(p);
  EXPECT_EQ(observer.next_ns(Side::kAgent), 2);
  EXPECT_EQ(observer.expects(Side::kClient), 1);
  for (int attempt = 0; attempt < 2; ++attempt) {
    client.on_datagram(*observer.farewell(StopResult::kError, ""), now);
    for (const auto& p : test::drain(client)) observer.from_client(p);
  }
  from_client.drain(client);
  EXPECT_TRUE(from_client.last<TunnelDown>());
  // Both farewells are in order now, the first having been held: all is acknowledged.
  EXPECT_GE(observer.expects(Side::kClient), 2);
}

TEST_F(L2tpObserver, FarewellAcknowledgesWhatTheClientSentToTheDeadAgent) {
  client.connect(now);
  settle();
  client.open_session(now);
  for (const auto& p : test::drain(client)) observer.from_client(p);  // and no agent to hear it
  client.on_datagram(*observer.farewell(StopResult::kError, ""), now);
  EXPECT_TRUE(client.control().idle());
}

TEST(L2tpObserverAlone, WithoutAnSccrqThereIsNoFarewell) {
  Observer observer;
  EXPECT_FALSE(observer.farewell(StopResult::kError, ""));
  EXPECT_FALSE(observer.farewell_acknowledged());
}

TEST(L2tpObserverAlone, HiddenIdsAreLearntFromTheHeaders) {
  SeededRandom random(1);
  const Secret secret("s");
  const std::uint8_t id[2] = {0, 7};
  Observer observer;
  MessageBuilder sccrq(MessageType::kSccrq);
  sccrq.u16(AvpType::kProtocolVersion, 0x0100).hidden(AvpType::kAssignedTunnelId, id, secret, random);
  const auto packet = sccrq.finish({}, {}, 0, 0);
  observer.from_client(packet);
  EXPECT_EQ(observer.client_tunnel(), TunnelId{});
  EXPECT_FALSE(read_sccrq(packet));
  observer.from_agent(make_zlb(TunnelId{7}, 0, 1));
  EXPECT_EQ(observer.client_tunnel(), TunnelId{7});
}

TEST(L2tpObserverAlone, WhatIsNotAControlMessageIsUnreadable) {
  Observer observer;
  EXPECT_EQ(observer.from_client(*from_hex("000200010002ff")), Observation::kUnreadable);
  EXPECT_EQ(observer.from_client(*from_hex("c803")), Observation::kUnreadable);
  auto broken = MessageBuilder(MessageType::kHello).finish(TunnelId{1}, {}, 0, 0);
  broken[13] = 3;
  EXPECT_EQ(observer.from_agent(broken), Observation::kUnreadable);
}

TEST(L2tpObserverAlone, TellsAResentSccrqFromANewStart) {
  MessageBuilder first(MessageType::kSccrq), second(MessageType::kSccrq);
  const auto sccrq = test::add_sccrq(first, 7).finish({}, {}, 0, 0);
  const auto other = test::add_sccrq(second, 8).finish({}, {}, 0, 0);
  Observer observer;
  EXPECT_FALSE(observer.starts_anew(sccrq));
  observer.from_client(sccrq);
  EXPECT_FALSE(observer.starts_anew(sccrq));
  EXPECT_TRUE(observer.starts_anew(other));
  observer.from_client(MessageBuilder(MessageType::kScccn).finish(TunnelId{9}, {}, 1, 1));
  EXPECT_FALSE(observer.starts_anew(sccrq));  // delayed on the way
  observer.from_client(MessageBuilder(MessageType::kHello).finish(TunnelId{9}, {}, 2, 1));
  observer.from_client(MessageBuilder(MessageType::kHello).finish(TunnelId{9}, {}, 3, 1));
  EXPECT_TRUE(observer.starts_anew(sccrq));  // the client began again with the same words
}

TEST(L2tpObserverAlone, ATunnelInTheMiddleOfItsLifeIsFollowedFromThere) {
  Observer observer(
      {.client = TunnelId{77},
       .agent = TunnelId{500},
       .agent_ns = 3,
       .agent_nr = 4,
       .established = true,
       .sessions = {{.client = SessionId{6}, .agent = SessionId{5}, .state = ObservedState::kEstablished}}});
  EXPECT_EQ(observer.state(), ObservedState::kEstablished);
  EXPECT_EQ(observer.sessions_up(), 1u);
  MessageBuilder cdn(MessageType::kCdn);
  cdn.u16(AvpType::kAssignedSessionId, 6).result(3, 0, "");
  const auto packet = cdn.finish(TunnelId{500}, SessionId{5}, 4, 3);
  EXPECT_EQ(observer.from_client(packet), Observation::kSessionClosed);
  EXPECT_EQ(observer.from_client(packet), Observation::kNothing) << "a resend";
  const auto farewell = observer.farewell(StopResult::kShuttingDown, "gone");
  ASSERT_TRUE(farewell);
  const auto header = parse_header(*farewell);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->tunnel, TunnelId{77});
  EXPECT_EQ(header->ns, 3);
  EXPECT_EQ(header->nr, 5);
  EXPECT_FALSE(observer.farewell_acknowledged());
  observer.from_client(MessageBuilder(MessageType::kHello).finish(TunnelId{500}, {}, 5, 4));
  EXPECT_TRUE(observer.farewell_acknowledged());
  MessageBuilder sccrq(MessageType::kSccrq);
  EXPECT_TRUE(Observer({.client = TunnelId{77}, .agent = TunnelId{500}, .established = true})
                  .starts_anew(sccrq.u16(AvpType::kAssignedTunnelId, 77).finish({}, {}, 0, 0)));
}

TEST(L2tpObserverAlone, FollowsNsAcrossTheWrap) {
  Observer observer;
  for (std::uint32_t ns = 0xfff0; ns < 0x10010; ++ns) {
    MessageBuilder hello(MessageType::kHello);
    observer.from_agent(hello.finish(TunnelId{1}, {}, static_cast<std::uint16_t>(ns), 0));
  }
  EXPECT_EQ(observer.next_ns(Side::kAgent), 0x10);
}

TEST(L2tpPlacement, ReadsAnSccrqAndNothingElse) {
  MessageBuilder b(MessageType::kSccrq);
  const auto packet = test::add_sccrq(b, 321, 6).text(AvpType::kVendorName, "v").finish({}, {}, 0, 0);
  const auto info = read_sccrq(packet);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->assigned_tunnel, TunnelId{321});
  EXPECT_EQ(info->host_name, "client");
  EXPECT_EQ(info->vendor_name, "v");
  EXPECT_EQ(info->receive_window, 6);
  EXPECT_EQ(info->protocol_version, 0x0100);
  EXPECT_FALSE(info->has_challenge);
  MessageBuilder to_a_tunnel(MessageType::kSccrq), other(MessageType::kSccrp),
      without_id(MessageType::kSccrq);
  EXPECT_FALSE(read_sccrq(test::add_sccrq(to_a_tunnel).finish(TunnelId{1}, {}, 0, 0)));
  EXPECT_FALSE(read_sccrq(test::add_sccrq(other).finish({}, {}, 0, 0)));
  EXPECT_FALSE(read_sccrq(without_id.text(AvpType::kHostName, "x").finish({}, {}, 0, 0)));
  EXPECT_FALSE(read_sccrq(make_zlb({}, 0, 0)));
  test::mutate(packet, [](const ByteVector& bytes) {
    if (const auto read_info = read_sccrq(bytes)) {
      EXPECT_TRUE(read_info->assigned_tunnel);
    }
  });
}

TEST(L2tpPlacement, ARefusalEndsTheClientsAttemptWithItsReason) {
  SeededRandom random(1);
  const Instant now{};
  LacTunnel client({.local_tunnel = TunnelId{7}}, random);
  client.connect(now);
  const auto sccrq = test::drain(client).at(0);
  const auto refusal = refuse_sccrq(*read_sccrq(sccrq), "no server available");
  EXPECT_LE(refusal.size(), 80u);
  client.on_datagram(refusal, now);
  test::Events events;
  events.drain(client);
  const auto* down = events.last<TunnelDown>();
  ASSERT_TRUE(down);
  EXPECT_EQ(describe(down->cause),
            "closed by peer: 2 general error, error 4 insufficient resources to handle this operation now, "
            "\"no server "
            "available\"");
}

}  // namespace
}  // namespace sluice::l2tp
