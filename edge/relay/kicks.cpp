#include "edge/relay/kicks.hpp"

#include <algorithm>

namespace sluice::edge {

bool Kicks::can_end(RelayId id) const {
  const auto at = relays_.all().find(id);
  return at != relays_.all().end() && at->second.stage == RelayStage::kBound && !at->second.ending_until;
}

std::vector<RelayId> Kicks::endable(std::span<const RelayId> relays) const {
  std::vector<RelayId> out;
  std::ranges::copy_if(relays, std::back_inserter(out),
                       [&](RelayId id) { return can_end(id) && !queued_.contains(id); });
  return out;
}

std::size_t Kicks::begin(std::span<const RelayId> relays, std::uint32_t rate, const std::string& reason) {
  const auto found = endable(relays);
  if (found.empty()) return 0;
  orders_.push_back(
      {.relays = {found.begin(), found.end()}, .rate = rate, .reason = reason, .counted = now_()});
  queued_.insert(found.begin(), found.end());
  return found.size();
}

void Kicks::tick() {
  const auto now = now_();
  for (auto& order : orders_) {
    const auto passed = std::chrono::duration<double>(now - order.counted).count();
    // What was not used is not saved up.
    order.credit = std::min(order.credit + passed * order.rate, static_cast<double>(order.rate));
    order.counted = now;
    while (!order.relays.empty() && order.credit >= 1) {
      const auto id = order.relays.front();
      order.relays.pop_front();
      queued_.erase(id);
      if (!can_end(id)) continue;  // it went by itself
      relays_.kick(id, order.reason);
      order.credit -= 1;
    }
  }
  std::erase_if(orders_, [](const Order& order) { return order.relays.empty(); });
}

}  // namespace sluice::edge
