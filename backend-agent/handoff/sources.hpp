#pragma once
// Addresses that tunnels come from at the server: each its own, so that servers which tell peers apart by
// address keep working. In turn, so that one that became free rests as long as may be. Thread: the data
// worker.

#include <optional>
#include <unordered_set>

#include "backend-agent/pool/range.hpp"

namespace sluice::agent {

/// What of the addresses is this worker's; at least as many addresses as workers.
inline AddressRange share_of(const AddressRange& range, std::uint32_t worker, std::uint32_t workers) {
  const std::uint64_t size = std::uint64_t{range.last} - range.first + 1;
  const auto start = [&](std::uint32_t of) {
    return static_cast<std::uint32_t>(range.first + size * of / workers);
  };
  return {start(worker), start(worker + 1) - 1};
}

class Sources {
 public:
  explicit Sources(AddressRange range) : range_(range), next_(range.first) {}

  std::optional<IpAddress> take() {
    const std::uint64_t size = std::uint64_t{range_.last} - range_.first + 1;
    if (used_.size() >= size) return std::nullopt;
    while (used_.contains(next_)) advance();
    const IpAddress out = IpAddress::v4(next_);
    used_.insert(next_);
    advance();
    return out;
  }
  void give_back(const IpAddress& address) { used_.erase(address.to_v4()); }
  std::size_t used() const { return used_.size(); }

 private:
  void advance() { next_ = next_ == range_.last ? range_.first : next_ + 1; }

  AddressRange range_;
  std::uint32_t next_;
  std::unordered_set<std::uint32_t> used_;
};

}  // namespace sluice::agent
