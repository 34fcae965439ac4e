// Rates and layout of `sluicectl top`.
#include "edge/ctl/top_frame.hpp"

#include <gmock/gmock.h>

namespace sluice::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using vici::Message;

Message session(const std::string& correlation, std::uint64_t bytes_in, std::uint64_t bytes_out,
                const std::string& stage = "up") {
  Message out;
  out.add("correlation", correlation).add("stage", stage).add("up-since", 1000);
  out.add("client-host", "198.51.100.7").add("client-port", 4500);
  out.open("l2tp").add("relay", 1).add("agent-session", 2);
  out.open("ppp")
      .add("agent", "agent1")
      .add("user", "user-of-" + correlation)
      .add("assigned-ip", "10.99.0.2");
  out.open("traffic")
      .add("packets-in", bytes_in / 100)
      .add("bytes-in", bytes_in)
      .add("packets-out", 0)
      .add("bytes-out", bytes_out);
  return out;
}

Look look(double at, std::uint64_t bytes, std::uint64_t drops, Rows sessions) {
  Look out;
  out.at = at;
  out.time = 2000;
  out.version.add("edge-name", "edge1");
  out.stats.add("ready", true).add("sessions", sessions.size()).add("drops", drops);
  out.stats.open("uptime").add("running-seconds", 60);
  out.stats.open("traffic")
      .add("packets-in", bytes / 100)
      .add("bytes-in", bytes)
      .add("packets-out", 0)
      .add("bytes-out", 0);
  Message agent;
  agent.add("name", "agent1").add("state", "up").add("agent-host", "2001:db8::1").add("agent-port", 4600);
  for (int i = 0; i < 5; ++i) out.backends.push_back(agent);
  out.sessions = std::move(sessions);
  out.drops = {Message().add("stage", "esp").add("reason", "replayed").add("count", drops)};
  return out;
}

std::vector<std::string> correlations(const TopFrame& frame) {
  std::vector<std::string> out;
  for (const auto& each : frame.sessions) out.push_back(each.correlation);
  return out;
}

TEST(TopFrames, HaveRatesByDifference) {
  const auto before =
      look(10, 1000, 5, {session("a", 100, 0), session("b", 0, 0), session("c", 0, 0, "tunnel")});
  const auto now = look(
      12, 3000, 9, {session("a", 300, 0), session("b", 0, 1000), session("c", 0, 0), session("d", 0, 0)});
  const auto frame = compare(before, now);
  EXPECT_DOUBLE_EQ(frame.interval, 2);
  EXPECT_DOUBLE_EQ(frame.bits_in, 8000);
  EXPECT_DOUBLE_EQ(frame.packets, 10);
  EXPECT_DOUBLE_EQ(frame.drops, 2);
  EXPECT_DOUBLE_EQ(frame.logins, 1);  // c and d, in two seconds
  EXPECT_THAT(correlations(frame), ElementsAre("b", "a", "c", "d"));
  EXPECT_DOUBLE_EQ(frame.sessions[0].bits_out, 4000);
  EXPECT_DOUBLE_EQ(frame.sessions[1].bits_in, 800);
  EXPECT_DOUBLE_EQ(frame.reasons[0].rate, 2);
}

TEST(TopFrames, HaveNoRatesAtFirstAndNoneBelowZero) {
  const auto first = compare(std::nullopt, look(10, 1000, 5, {session("a", 100, 100)}));
  EXPECT_DOUBLE_EQ(first.interval, 0);
  EXPECT_DOUBLE_EQ(first.bits_in + first.drops + first.logins + first.sessions[0].bits_in, 0);
  // A daemon that began anew counts from zero.
  const auto anew =
      compare(look(10, 1000, 5, {session("a", 100, 100)}), look(11, 10, 1, {session("a", 1, 1)}));
  EXPECT_DOUBLE_EQ(anew.bits_in + anew.drops + anew.sessions[0].bits_in, 0);
}

TEST(TopFrames, AreOrderedAsAsked) {
  auto frame = compare(look(1, 0, 0, {session("a", 0, 0), session("b", 0, 0), session("c", 0, 0)}),
                       look(2, 0, 0, {session("a", 50, 0), session("b", 0, 90), session("c", 20, 20)}));
  order(frame.sessions, TopSort::kIn);
  EXPECT_THAT(correlations(frame), ElementsAre("a", "c", "b"));
  order(frame.sessions, TopSort::kOut);
  EXPECT_THAT(correlations(frame), ElementsAre("b", "c", "a"));
  order(frame.sessions, TopSort::kUser);
  EXPECT_THAT(correlations(frame), ElementsAre("a", "b", "c"));
}

TEST(TopScreens, FitEverySize) {
  Rows many;
  for (int i = 0; i < 300; ++i) many.push_back(session("c-" + std::to_string(i), 0, 0));
  const auto frame = compare(std::nullopt, look(1, 0, 0, many));
  TopScreen screen;
  screen.trouble = "no answer, trying again: " + std::string(300, 'x');
  for (const std::size_t columns : {1u, 2u, 7u, 20u, 40u, 80u, 200u}) {
    for (const std::size_t rows : {1u, 2u, 3u, 5u, 8u, 24u, 50u}) {
      for (const auto view : {TopView::kOverview, TopView::kAgents, TopView::kSessions, TopView::kDrops}) {
        for (const bool help : {false, true}) {
          screen.view = view;
          screen.help = help;
          const auto lines = draw(frame, screen, {columns, rows}, false);
          EXPECT_LE(lines.size(), rows);
          EXPECT_GE(lines.size(), std::min<std::size_t>(rows, 4));
          for (const auto& line : lines)
            EXPECT_LE(line.size(), columns) << columns << "x" << rows << ": " << line;
        }
      }
    }
  }
}

TEST(TopScreens, ShowAgentsAndAsManySessionsAsThereIsRoomFor) {
  Rows many;
  for (int i = 0; i < 100; ++i) many.push_back(session("c-" + std::to_string(i), 0, 0));
  const auto frame = compare(std::nullopt, look(1, 0, 0, many));
  const auto lines = draw(frame, {}, {80, 24}, false);
  ASSERT_EQ(lines.size(), 24u);
  EXPECT_THAT(lines[0], StartsWith("edge1  ready  up 1m 00s"));
  EXPECT_THAT(lines[1], StartsWith("sessions 100 "));
  EXPECT_EQ(lines[3], "");
  EXPECT_THAT(lines[4], StartsWith("NAME"));
  EXPECT_THAT(lines[9], StartsWith("agent1"));
  EXPECT_EQ(lines[10], "");
  EXPECT_EQ(lines[11], "sessions by traffic");
  EXPECT_THAT(lines[12], StartsWith("USER"));
  EXPECT_THAT(lines[23], HasSubstr("198.51.100.7:4500"));
  EXPECT_EQ(draw(frame, {}, {0, 0}, false).size(), 113u);  // without limit: all of them
}

TEST(TopScreens, ColourAddsNothingToTheWidth) {
  const auto frame = compare(std::nullopt, look(1, 0, 0, {session("a", 0, 0)}));
  const auto plain = draw(frame, {}, {60, 20}, false);
  const auto coloured = draw(frame, {}, {60, 20}, true);
  ASSERT_EQ(plain.size(), coloured.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    std::string bare;
    for (std::size_t at = 0; at < coloured[i].size(); ++at) {
      if (coloured[i][at] == '\x1b') {
        at = coloured[i].find('m', at);
      } else {
        bare += coloured[i][at];
      }
    }
    EXPECT_EQ(bare, plain[i]);
  }
}

TEST(TopScreens, EscapeWhatPeersChose) {
  Message named;
  named.add("correlation", "a").add("stage", "up");
  named.open("ppp").add("user", "\x1b[2J\n");
  const auto frame = compare(std::nullopt, look(1, 0, 0, {named}));
  for (const auto& line : draw(frame, {}, {80, 24}, false)) {
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_EQ(line.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace sluice::ctl
