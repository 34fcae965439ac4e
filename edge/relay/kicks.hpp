#pragma once
// Tunnels that an operator wants ended, a few each second. No I/O; thread: control.

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "edge/relay/relays.hpp"

namespace sluice::edge {

class Kicks {
 public:
  Kicks(Relays& relays, std::function<Instant()> now) : relays_(relays), now_(std::move(now)) {}

  /// Those of `relays` that can be ended and that nobody ends yet.
  std::vector<RelayId> endable(std::span<const RelayId> relays) const;
  /// Ends those, `rate` (at least 1) a second, the first at the next tick(). How many.
  std::size_t begin(std::span<const RelayId> relays, std::uint32_t rate, const std::string& reason);
  /// Call each 100 ms or so.
  void tick();
  std::size_t left() const { return queued_.size(); }

 private:
  struct Order {
    std::deque<RelayId> relays;
    std::uint32_t rate = 1;
    std::string reason;
    double credit = 1;  ///< tunnels that may be ended
    Instant counted{};
  };
  bool can_end(RelayId id) const;

  Relays& relays_;
  std::function<Instant()> now_;
  std::vector<Order> orders_;
  std::set<RelayId> queued_;
};

}  // namespace sluice::edge
