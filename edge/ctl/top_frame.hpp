#pragma once
// What `sluicectl top` shows: rates from two looks at the daemon, and how they lie on a screen. Pure.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "edge/ctl/row.hpp"
#include "edge/ctl/table.hpp"

namespace sluice::ctl {

/// The daemon's answers at one time.
struct Look {
  double at = 0;           ///< seconds of a clock that does not jump
  std::uint64_t time = 0;  ///< seconds since the epoch
  vici::Message version, stats;
  Rows backends, sessions, drops;
};

struct TopSession {
  std::string correlation, user, client, ip, agent;  ///< fit to be shown
  std::uint64_t up_since = 0;
  double bits_in = 0, bits_out = 0, packets = 0;  ///< a second
};
struct TopDrop {
  std::string stage, reason;
  std::uint64_t count = 0;
  double rate = 0;
};
struct TopFrame {
  std::uint64_t time = 0;
  double interval = 0;  ///< seconds that the rates are over; 0: there are none yet
  vici::Message version, stats;
  double bits_in = 0, bits_out = 0, packets = 0, drops = 0, logins = 0;  ///< a second
  Rows backends;
  std::vector<TopSession> sessions;
  std::vector<TopDrop> reasons;
};
/// A counter that is smaller than before (the daemon began anew) has the rate 0.
TopFrame compare(const std::optional<Look>& before, const Look& now);

enum class TopView : std::uint8_t { kOverview, kAgents, kSessions, kDrops };
enum class TopSort : std::uint8_t { kTraffic, kIn, kOut, kUser, kNewest, kCount };
void order(std::vector<TopSession>& sessions, TopSort by);

struct TopScreen {
  TopView view = TopView::kOverview;
  TopSort sort = TopSort::kTraffic;
  bool paused = false, help = false;
  std::string trouble;  ///< why what is shown is old; empty: it is not
};
struct TopSize {
  std::size_t columns = 80, rows = 24;  ///< 0: no limit
};
/// Lines without their ends, none longer than the screen is wide, no more than it has rows.
std::vector<std::string> draw(const TopFrame& frame, const TopScreen& screen, TopSize size, bool colour);

/// As in docs/schema/top-1.json, without "schema".
nlohmann::ordered_json to_json(const TopFrame& frame);

}  // namespace sluice::ctl
