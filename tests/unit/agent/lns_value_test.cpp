// A tunnel with its sessions is written as one value, its Lns dies, and another one goes on with it.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/agent/lns_world.hpp"

namespace sluice::agent {
namespace {

using namespace std::chrono_literals;
using test::Dialler;
using test::kInside;
using test::LnsWorld;
using test::spec;

ppp::PppConfig client_with(ppp::AuthMethod method) {
  auto out = ppp::test::client_config();
  out.auth = {method};
  out.want_ipv6 = true;
  return out;
}

/// A client that is in, with all that a session may have.
struct Up {
  Up() : Up(ppp::AuthMethod::kMsChapV2) {}
  explicit Up(ppp::AuthMethod method) : client(world.dial(1)) {
    world.auth = {method};
    client.config = std::make_shared<const ppp::PppConfig>(client_with(method));
    world.v6 = ppp::Ipv6Addresses{.prefix = Prefix::parse("fd00:1:2:3::/64"),
                                  .delegated = Prefix::parse("fd00:9::/48")};
    world.policy.routes = {*Prefix::parse("10.7.0.0/16")};
    world.settle();
    EXPECT_EQ(world.opened.size(), 1U);
  }
  TunnelValue value() { return *world.lns->snapshot(client.key, world.here()); }
  bool reaches(const ByteVector& packet) {
    world.tun.clear();
    world.deliver(client.key, client.ip(packet));
    return world.tun.size() == 1 && world.tun[0] == packet;
  }
  bool is_reached(const ByteVector& packet) {
    const auto out = world.from_inside(packet);
    return out && out->key == client.key && client.take(out->l2tp, world.now) == packet;
  }
  LnsWorld world;
  Dialler& client;
};

class LnsMoves : public testing::TestWithParam<ppp::AuthMethod> {};
INSTANTIATE_TEST_SUITE_P(Lns, LnsMoves,
                         testing::Values(ppp::AuthMethod::kPap, ppp::AuthMethod::kChapMd5,
                                         ppp::AuthMethod::kMsChapV2, ppp::AuthMethod::kEap),
                         [](const auto& p) {
                           std::string name(to_string(p.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(LnsMoves, ALiveSessionGoesOnInAnotherLns) {
  Up up(GetParam());
  const IpAddress mine = up.client.up->addresses.local;
  ASSERT_TRUE(up.reaches(test::ipv4(mine, kInside)));
  up.world.move(up.client);
  EXPECT_EQ(up.world.lns->sessions_up(), 1U);
  EXPECT_TRUE(up.reaches(test::ipv4(mine, kInside)));
  EXPECT_TRUE(up.is_reached(test::ipv4(kInside, mine)));
  const IpAddress behind = *IpAddress::parse("10.7.3.4");
  EXPECT_TRUE(up.reaches(test::ipv4(behind, kInside)));
  EXPECT_TRUE(up.is_reached(test::ipv4(kInside, behind)));
  EXPECT_TRUE(up.is_reached(test::ipv6("fd00::1", "fd00:9:0:5::1")));
  // Hellos, echoes and advertisements of an hour, with a move every few minutes.
  for (int i = 0; i < 12; ++i) {
    up.world.run(5min);
    up.world.move(up.client);
  }
  EXPECT_TRUE(up.world.gone.empty()) << up.world.gone[0].cause;
  EXPECT_FALSE(up.client.down);
  EXPECT_EQ(up.world.asked_count, 1U) << "who is in proves himself once";
  EXPECT_EQ(up.world.opened.size(), 1U) << "what was told is not told again";
  EXPECT_TRUE(up.is_reached(test::ipv4(kInside, mine)));
  up.client.ppp->stop("test", "bye", up.world.now);
  up.world.settle();
  ASSERT_EQ(up.world.gone.size(), 1U);
  EXPECT_EQ(up.world.gone[0].cause, "user-request");
  EXPECT_EQ(up.world.gone[0].packets_in, 3U);
  EXPECT_EQ(up.world.lns->sessions_up(), 0U);
}

TEST_P(LnsMoves, ATunnelMayMoveBetweenAnyTwoPackets) {
  LnsWorld world;
  Dialler& client = world.dial(1);
  client.config = std::make_shared<const ppp::PppConfig>(client_with(GetParam()));
  world.auth = {GetParam()};
  world.each_packet = [&] { world.move(client); };
  world.run(5min);
  EXPECT_GT(world.moves, 20U);
  EXPECT_TRUE(world.gone.empty()) << world.gone[0].cause;
  ASSERT_EQ(world.opened.size(), 1U);
  ASSERT_TRUE(client.up);
  client.l2tp.close_tunnel(l2tp::StopResult::kGeneral, "", world.now);
  world.run(2min);
  EXPECT_EQ(world.gone.size(), 1U);
  ASSERT_EQ(world.tunnels_gone.size(), 1U);
  EXPECT_TRUE(world.tunnels_gone[0].by_client);
}

TEST(LnsValue, AChallengeThatWasDueIsPutByTheNewLns) {
  Up up;
  up.world.rechallenge = 10min;
  up.world.move(up.client);  // to one that asks again and again
  up.client.ppp->stop("test", "bye", up.world.now);
  up.world.settle();
  Dialler& other = up.world.dial(2);
  up.world.run(6min);
  up.world.move(other);
  ASSERT_EQ(up.world.asked_count, 2U);
  up.world.run(5min);
  EXPECT_EQ(up.world.asked_count, 3U);
  EXPECT_EQ(up.world.gone.size(), 1U);
}

TEST(LnsValue, LimitsAndTimeoutsCountFromWhereTheyWere) {
  LnsWorld world;
  world.policy = {.rate_up = 8'000, .session_timeout = 600s, .idle_timeout = 100s};
  Dialler& client = world.dial(1);
  const auto send = [&] {
    world.deliver(client.key, client.ip(test::ipv4(client.up->addresses.local, kInside)));
  };
  world.run(90s);
  send();
  world.run(90s);
  world.move(client);
  world.run(9s);
  EXPECT_TRUE(world.gone.empty());
  send();
  world.run(99s);
  EXPECT_TRUE(world.gone.empty());
  world.run(2s);
  ASSERT_EQ(world.gone.size(), 1U);
  EXPECT_EQ(world.gone[0].cause, "idle-timeout");
}

TEST(LnsValue, AnEndUnderWayIsBroughtToItsEnd) {
  Up up;
  up.world.lns->close_all("the server is stopping", up.world.here());
  up.world.cut = true;
  up.world.settle();
  up.world.move(up.client);
  up.world.cut = false;
  up.world.run(2min);
  EXPECT_TRUE(up.world.lns->empty());
  EXPECT_NE(up.client.stop.find("the server is stopping"), std::string::npos);
}

TEST(LnsValue, WhatIsSomebodyElsesHereIsRefusedAndNobodyIsHarmed) {
  Up up;
  const TunnelValue value = up.value();
  const auto fault = [&](const TunnelKey& key, const TunnelValue& v) {
    const auto out = up.world.lns->restore(key, 3, v, up.world.here());
    return out ? std::string("none") : std::string(to_string(out.error()));
  };
  const TunnelKey other{ChannelId(1), RelayId(9)};
  EXPECT_EQ(fault(up.client.key, value), "relay-in-use");
  EXPECT_EQ(fault(other, value), "tunnel-here");
  TunnelValue strange = value;
  strange.correlation_id = "another";
  EXPECT_EQ(fault(other, strange), "address-in-use");
  for (const char* claimed : {"10.7.0.0/16", "fd00:9::/48"}) {
    SCOPED_TRACE(claimed);
    strange.sessions[0].assigned.remote = *IpAddress::parse("10.99.0.200");
    strange.sessions[0].assigned.v6.reset();
    strange.sessions[0].policy.routes = {*Prefix::parse(claimed)};
    EXPECT_EQ(fault(other, strange), "address-in-use");
  }
  EXPECT_EQ(up.world.lns->tunnels(), 1U);
  EXPECT_EQ(up.world.lns->sessions_up(), 1U);
  EXPECT_TRUE(up.is_reached(test::ipv4(kInside, up.client.up->addresses.local)));
  EXPECT_EQ(fault(other, TunnelValue{}), "bad-l2tp");
}

TEST(LnsValue, ValuesThatContradictThemselvesAreRefused) {
  Up up;
  const TunnelValue good = up.value();
  using Lie = std::function<void(TunnelValue&)>;
  const std::vector<std::pair<RestoreFault, Lie>> lies{
      {RestoreFault::kBadSessions, [](auto& v) { v.sessions.clear(); }},
      {RestoreFault::kBadSessions, [](auto& v) { v.sessions.push_back(v.sessions[0]); }},
      {RestoreFault::kBadSessions, [](auto& v) { v.sessions[0].id = SessionId(9); }},
      {RestoreFault::kBadSessions, [](auto& v) { v.l2tp.sessions[0].state = 1; }},
      {RestoreFault::kBadL2tp, [](auto& v) { v.l2tp.peer.local = TunnelId(0); }},
      {RestoreFault::kBadL2tp, [](auto& v) { v.l2tp.peer.remote = TunnelId(0); }},
      {RestoreFault::kBadL2tp, [](auto& v) { v.down = true; }},
      {RestoreFault::kBadPpp, [](auto& v) { v.sessions[0].ppp.phase = 0; }},
      {RestoreFault::kBadPpp, [](auto& v) { v.sessions[0].ppp.auth.method = ppp::AuthMethod::kNone; }},
      {RestoreFault::kBadState, [](auto& v) { v.sessions[0].was_up = false; }},
      {RestoreFault::kBadState, [](auto& v) { v.sessions[0].began_ago.reset(); }},
      {RestoreFault::kBadState, [](auto& v) { v.sessions[0].last_packet_ago.reset(); }},
      {RestoreFault::kBadState,
       [](auto& v) { v.sessions[0].assigned.remote = *IpAddress::parse("10.0.0.1"); }},
      {RestoreFault::kBadState, [](auto& v) { v.sessions[0].assigned.v6.reset(); }},
      {RestoreFault::kBadState,
       [](auto& v) { v.sessions[0].owned.push_back(*Prefix::parse("10.8.0.0/16")); }},
      {RestoreFault::kBadState,
       [](auto& v) { v.sessions[0].policy.routes.push_back(*Prefix::parse("0.0.0.0/0")); }},
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    LnsWorld world;
    TunnelValue value = good;
    lies[i].second(value);
    const auto out = world.lns->restore(up.client.key, 3, value, world.here());
    ASSERT_FALSE(out) << "lie " << i;
    EXPECT_EQ(to_string(out.error()), to_string(lies[i].first)) << "lie " << i;
    EXPECT_TRUE(world.lns->empty());
    world.lns->end_session({SessionSerial(1), "test", "nobody is left"}, world.here());
  }
  LnsWorld world;
  EXPECT_TRUE(world.lns->restore(up.client.key, 3, good, world.here()));
}

}  // namespace
}  // namespace sluice::agent
