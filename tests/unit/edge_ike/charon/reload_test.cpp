// Several listeners, and configurations that change under connected clients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/unit/edge_ike/charon/world.hpp"
#include "vici/client.hpp"

namespace sluice::edge::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

const auto kNat = Endpoint::parse("198.51.100.9:40000");
const auto kOtherNat = Endpoint::parse("198.51.100.9:50000");

IkeConfig config_with(std::string_view key, const std::string& listener) {
  IkeConfig config;
  config.listeners.at(0).name = listener;
  config.psks.push_back({{}, Secret(key), {}});
  return config;
}

/// The connections that charon has, once it has exactly one named `wanted`; empty if that never happens.
std::vector<std::string> connections_once(World& world, const std::string& wanted) {
  vici::Client admin(world.io.get_executor(), (world.dir.path() / "ike/vici.sock").native());
  std::vector<std::string> names;
  const auto is_there = [&] { return names == std::vector<std::string>{wanted}; };
  boost::asio::co_spawn(
      world.io,
      [&]() -> boost::asio::awaitable<void> {
        co_await admin.connect();
        while (!is_there()) {
          const auto answer = co_await admin.request("get-conns");
          if (!answer) co_return;
          const auto* list = answer->list("conns");
          names = list != nullptr ? *list : std::vector<std::string>{};
        }
      },
      boost::asio::detached);
  world.wait([&] { return is_there(); }, 5s);
  admin.close();
  return names;
}

TEST(Reload, NewKeysAndNamesKeepWhoIsConnected) {
  World world;
  Client& steady = world.add_client({}, kNat);
  Client& fresh = world.add_client({.psk = "another key"}, kOtherNat);
  world.start();
  ASSERT_TRUE(world.connect(steady)) << steady.outcome.value_or("no answer");
  ASSERT_FALSE(world.provider->reload(config_with("another key", "office")));
  ASSERT_THAT(connections_once(world, "sluice-psk-office"), ElementsAre("sluice-psk-office"))
      << "the old connection must go";
  ASSERT_TRUE(world.connect(fresh)) << fresh.outcome.value_or("no answer");
  EXPECT_TRUE(world.events.down.empty());
  EXPECT_EQ(world.plane.sas.size(), 4U);
}

TEST(Reload, WhatCannotWorkChangesNothing) {
  World world;
  Client& client = world.add_client({}, kNat);
  world.start();
  auto without_key = config_with("x", "office");
  without_key.psks.clear();
  EXPECT_THAT(world.provider->reload(std::move(without_key)).value_or(""), HasSubstr("pre-shared key"));
  auto other_ports = config_with("x", "office");
  other_ports.natt_port = 4501;
  EXPECT_THAT(world.provider->reload(std::move(other_ports)).value_or(""), HasSubstr("restart"));
  EXPECT_TRUE(world.connect(client)) << client.outcome.value_or("no answer");
}

/// Listeners at 203.0.113.1 (the world's server) and .2, each with a key.
void two_listeners(IkeConfig& config) {
  config.listeners.resize(2);
  config.listeners[0].addresses = {*IpAddress::parse("203.0.113.1")};
  config.listeners[1].name = "other";
  config.listeners[1].addresses = {*IpAddress::parse("203.0.113.2")};
  config.psks.push_back({{}, Secret(std::string_view("key of the other")), "other"});
}

class ListenerKeys : public testing::TestWithParam<int> {};

TEST_P(ListenerKeys, OpenNoOtherListener) {
  World world(two_listeners);
  Client& right = world.add_client({.version = GetParam(), .server_id = "203.0.113.1"}, kNat);
  Client& wrong = world.add_client(
      {.psk = "key of the other", .version = GetParam(), .server_id = "203.0.113.1"}, kOtherNat);
  world.start();
  wrong.dial();
  EXPECT_TRUE(world.wait([&] { return !world.events.failures.empty(); }));
  EXPECT_TRUE(world.plane.sas.empty());
  EXPECT_TRUE(world.connect(right)) << right.outcome.value_or("no answer");
}

TEST(ListenerKey, OpensNoOtherListenerForWhoeverCallsItselfLikeIts) {
  World world(two_listeners);
  Client& wrong = world.add_client(
      {.psk = "key of the other", .version = 2, .server_id = "203.0.113.1", .own_id = "203.0.113.2"}, kNat);
  world.start();
  wrong.dial();
  EXPECT_TRUE(world.wait([&] { return wrong.outcome.has_value() || !world.events.failures.empty(); }));
  EXPECT_TRUE(world.plane.sas.empty());
}

INSTANTIATE_TEST_SUITE_P(BothVersions, ListenerKeys, testing::Values(1, 2));

}  // namespace
}  // namespace sluice::edge::test
