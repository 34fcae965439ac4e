#include "edge/dataplane/early_packets.hpp"

#include <algorithm>

namespace sluice::edge {

void EarlyPackets::expect(Spi spi) {
  if (!waiting_.emplace(spi, Waiting{}).second) return;
  order_.push_back(spi);
  if (order_.size() <= kMaxSpis) return;
  waiting_.erase(order_.front());
  order_.pop_front();
}

bool EarlyPackets::hold(Spi spi, Packet packet, Instant now) {
  const auto found = waiting_.find(spi);
  if (found == waiting_.end()) return false;
  auto& waiting = found->second;
  if (!waiting.packets.empty() && now - waiting.first > kMaxWait) waiting.packets.clear();
  if (waiting.packets.size() == kMaxPerSpi) return false;
  if (waiting.packets.empty()) waiting.first = now;
  waiting.packets.push_back(std::move(packet));
  return true;
}

std::vector<EarlyPackets::Packet> EarlyPackets::take(Spi spi, Instant now) {
  const auto found = waiting_.find(spi);
  if (found == waiting_.end()) return {};
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  order_.erase(std::find(order_.begin(), order_.end(), spi));
  if (now - waiting.first > kMaxWait) return {};
  return std::move(waiting.packets);
}

}  // namespace sluice::edge
