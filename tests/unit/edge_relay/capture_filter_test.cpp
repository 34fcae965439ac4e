#include "edge/relay/capture_filter.hpp"

#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

using Ids = std::vector<PeerId>;

/// Two clients behind one address; the first has a session of bob's at 10.99.0.2.
struct CaptureFilterTest : ::testing::Test {
  CaptureFilterTest() {
    t.dial_in(1, "198.51.100.1:4500");
    t.dial_in(2, "198.51.100.1:40001");
    t.sccrq(t.peer_of(1), 77);
    const auto relay = agent.opened.at(0).relay;
    t.agent_says(agent, channel::TunnelAccept{relay});
    t.agent_says(agent,
                 channel::SessionUp{relay, SessionId(5), "bob", "pap", *IpAddress::parse("10.99.0.2"), 1});
  }
  std::optional<CaptureFilter> filter(const std::string& session) const {
    return capture_filter(session, t.peers, t.relays);
  }
  Tables t;
  FakeChannel& agent = t.add_agent("agent1");
};

TEST_F(CaptureFilterTest, AUserMeansHisPeer) {
  const auto found = filter("bob");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->peers, Ids{t.peer_of(1)});
  EXPECT_EQ(found->places, std::vector{*Endpoint::parse("198.51.100.1:4500")});
  EXPECT_FALSE(found->client);
}

TEST_F(CaptureFilterTest, ACorrelationIdMeansItsPeerOnceThoughItsTunnelHasItToo) {
  const auto* peer = t.peers.find(t.peer_of(1));
  ASSERT_NE(peer, nullptr);
  const auto found = filter(peer->correlation_id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->peers, Ids{t.peer_of(1)});
  const auto other = filter(t.peers.find(t.peer_of(2))->correlation_id);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->peers, Ids{t.peer_of(2)});
}

TEST_F(CaptureFilterTest, TheAddressThatAClientWasGivenMeansThatClient) {
  const auto found = filter("10.99.0.2");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->peers, Ids{t.peer_of(1)});
  EXPECT_FALSE(found->client);
}

TEST_F(CaptureFilterTest, AnyOtherAddressMeansWhoeverIsOrWillBeThere) {
  for (const auto* address : {"198.51.100.1", "203.0.113.77", "2001:db8::1"}) {
    const auto found = filter(address);
    ASSERT_TRUE(found) << address;
    EXPECT_EQ(found->client, IpAddress::parse(address));
    EXPECT_TRUE(found->peers.empty());
  }
}

TEST_F(CaptureFilterTest, NobodyIsMeantByWhatNobodyHas) {
  for (const auto* name : {"alice", "", "agent1", "198.51.100.1:4500", "ffffffffffff"}) {
    EXPECT_FALSE(filter(name)) << name;
  }
}

}  // namespace
}  // namespace sluice::edge::testing
