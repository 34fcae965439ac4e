#pragma once
// Which agents an operator has drained, or the whole edge, and how many tunnels are to be ended when. No I/O,
// no clock. Thread: control.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::edge {

/// One agent, or the edge, goes out of service.
struct DrainOrder {
  std::string agent;             ///< empty: the edge
  std::uint32_t since = 0;       ///< seconds since the epoch
  std::uint32_t deadline = 0;    ///< likewise; by then nothing is left. 0: tunnels end by themselves
  std::uint32_t kick_rate = 10;  ///< tunnels ended each second, 1..kMaxKickRate
  std::uint32_t began_with = 0;  ///< tunnels that were there
  bool operator==(const DrainOrder&) const = default;
};
inline constexpr std::uint32_t kMaxKickRate = 1000;

class Drains {
 public:
  /// In place of an order for the same agent.
  void begin(DrainOrder order);
  /// False when there is none.
  bool undo(const std::string& agent);
  const DrainOrder* find(const std::string& agent) const;
  bool drains_edge() const { return find("") != nullptr; }
  std::vector<DrainOrder> all() const;
  bool empty() const { return drains_.empty(); }

  /// How many of the `left` tunnels that are not ending yet are to be ended now. `now_ms`: milliseconds since
  /// the epoch. Call it each 100 ms or so.
  std::uint32_t due(const std::string& agent, std::uint32_t left, std::int64_t now_ms);
  /// Tunnels are being ended.
  bool ending(const std::string& agent) const;

  /// All orders, to be read by orders_of(): a line that names the format, then one for each.
  std::string to_text() const;

 private:
  struct Drain {
    DrainOrder order;
    bool ending = false;
    double credit = 0;  ///< tunnels that may be ended
    std::int64_t counted_ms = 0;
  };
  std::map<std::string, Drain> drains_;
};

/// Nothing when that is not what to_text() writes.
std::optional<std::vector<DrainOrder>> orders_of(std::string_view text);
/// What certificates may name an agent.
bool is_agent_name(std::string_view name);

}  // namespace sluice::edge
