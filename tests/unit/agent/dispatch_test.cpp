#include "backend-agent/lns/dispatch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/agent/edge_end.hpp"

namespace sluice::agent {
namespace {

using testing::ElementsAre;

constexpr std::uint32_t kWorkers = 3;

/// What each worker was given.
std::map<std::uint32_t, std::vector<Command>> dispatched(Command command) {
  std::map<std::uint32_t, std::vector<Command>> out;
  dispatch(std::move(command), kWorkers,
           [&](std::uint32_t worker, Command part) { out[worker].push_back(std::move(part)); });
  return out;
}
std::vector<std::uint32_t> receivers(Command command) {
  std::vector<std::uint32_t> out;
  for (const auto& [worker, commands] : dispatched(std::move(command)))
    out.insert(out.end(), commands.size(), worker);
  return out;
}

TEST(Dispatch, TunnelIsTheWorkersThatTheEdgeNamed) {
  OpenTunnel open;
  open.spec.agent_worker = 2;
  EXPECT_THAT(receivers(open), ElementsAre(2U));
}

TEST(Dispatch, WhatConcernsASessionGoesToTheWorkerInItsSerial) {
  for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
    const SessionSerial session = serial_of(worker, 77);
    EXPECT_EQ(worker_of(session), worker);
    EXPECT_THAT(receivers(AuthDecided{session, {}, {}, {}, {}}), ElementsAre(worker));
    EXPECT_THAT(receivers(ChangePolicy{session, {}}), ElementsAre(worker));
    EXPECT_THAT(receivers(AskCounters{session}), ElementsAre(worker));
    EXPECT_THAT(receivers(EndSession{session, "admin-reset", ""}), ElementsAre(worker));
  }
}

TEST(Dispatch, NoTwoWorkersMakeTheSameSerial) {
  EXPECT_NE(serial_of(0, 1), serial_of(1, 1));
  EXPECT_EQ(worker_of(serial_of(63, (1ULL << 48) - 1)), 63U);
}

TEST(Dispatch, WhatNamesATunnelOrAChannelOnlyGoesToAll) {
  const TunnelKey key{ChannelId(1), RelayId(2)};
  EXPECT_THAT(receivers(CloseTunnel{key, "over"}), ElementsAre(0U, 1U, 2U));
  EXPECT_THAT(receivers(RebindTunnel{key, {ChannelId(2), RelayId(9)}, 1}), ElementsAre(0U, 1U, 2U));
  EXPECT_THAT(receivers(RemoveChannel{ChannelId(1), "gone"}), ElementsAre(0U, 1U, 2U));
  EXPECT_THAT(receivers(HoldChannel{ChannelId(1)}), ElementsAre(0U, 1U, 2U));
  EXPECT_THAT(receivers(DescribeTunnels{ChannelId(1)}), ElementsAre(0U, 1U, 2U));
  EXPECT_THAT(receivers(CloseAll{"stopping"}), ElementsAre(0U, 1U, 2U));
  const auto told = dispatched(CloseTunnel{key, "over"});
  EXPECT_EQ(std::get<CloseTunnel>(told.at(2).at(0)).text, "over");
}

TEST(Dispatch, KeysGoToTheOneWorkerThatUsesThem) {
  InstallPaths install{ChannelId(4), *Endpoint::parse("192.0.2.1:4601"), *IpAddress::parse("192.0.2.2"), {}};
  for (std::uint32_t edge = 0; edge < 2; ++edge) {
    for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
      auto keys = test::path_keys(edge, 0x1000 + 16 * edge + 2 * worker, 1);
      keys.path.agent_worker = worker;
      install.keys.push_back(std::move(keys));
    }
  }
  const auto told = dispatched(std::move(install));
  ASSERT_EQ(told.size(), kWorkers);
  for (const auto& [worker, commands] : told) {
    ASSERT_EQ(commands.size(), 1U);
    const auto& part = std::get<InstallPaths>(commands[0]);
    EXPECT_EQ(part.channel, ChannelId(4));
    EXPECT_EQ(part.edge.port, 4601);
    ASSERT_EQ(part.keys.size(), 2U);
    for (const auto& keys : part.keys) EXPECT_EQ(keys.path.agent_worker, worker);
  }
}

}  // namespace
}  // namespace sluice::agent
