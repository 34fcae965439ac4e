#include "backend-agent/pool/pool.hpp"

#include <algorithm>

namespace sluice::agent {

AddressPool::AddressPool(std::vector<AddressRange> ranges, std::unordered_set<std::uint32_t> reserved,
                         Duration quarantine)
    : ranges_(std::move(ranges)), reserved_(std::move(reserved)), quarantine_(quarantine) {}

bool AddressPool::contains(std::uint32_t address) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const AddressRange& r) { return r.contains(address); });
}

void AddressPool::set_reserved(std::unordered_set<std::uint32_t> reserved) {
  // An address that is no longer anybody's own may be behind the cursor: it goes to those that rest.
  for (const std::uint32_t address : reserved_) {
    if (reserved.contains(address) || !contains(address) || used_.contains(address)) continue;
    freed_at_[address] = Instant{};
    resting_.push_front({address, Instant{}});
  }
  reserved_ = std::move(reserved);
}

std::optional<IpAddress> AddressPool::allocate(const std::string& user, Instant now) {
  if (const auto address = last_of(user)) return take(*address, user);
  if (const auto address = never_used()) return take(*address, user);
  if (const auto address = rested(now)) return take(*address, user);
  return std::nullopt;
}

/// Its own old address a user may have at once: nobody else's packets can be meant.
std::optional<std::uint32_t> AddressPool::last_of(const std::string& user) const {
  const auto found = sticky_.find(user);
  if (found == sticky_.end() || used_.contains(found->second) || reserved_.contains(found->second))
    return std::nullopt;
  return found->second;
}

std::optional<std::uint32_t> AddressPool::never_used() {
  while (range_ < ranges_.size()) {
    const AddressRange& range = ranges_[range_];
    while (next_ < range.size()) {
      const auto address = static_cast<std::uint32_t>(range.first + next_++);
      if (!reserved_.contains(address) && !used_.contains(address) && !freed_at_.contains(address))
        return address;
    }
    ++range_;
    next_ = 0;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> AddressPool::rested(Instant now) {
  while (!resting_.empty()) {
    const Resting oldest = resting_.front();
    const auto freed = freed_at_.find(oldest.address);
    const bool stale = freed == freed_at_.end() || freed->second != oldest.since;
    if (!stale && oldest.since + quarantine_ > now) return std::nullopt;
    resting_.pop_front();
    if (!stale && !reserved_.contains(oldest.address)) return oldest.address;
  }
  return std::nullopt;
}

IpAddress AddressPool::take(std::uint32_t address, const std::string& user) {
  used_.insert(address);
  freed_at_.erase(address);
  if (const auto before = last_user_.find(address); before != last_user_.end() && before->second != user) {
    const auto theirs = sticky_.find(before->second);
    if (theirs != sticky_.end() && theirs->second == address) sticky_.erase(theirs);
  }
  last_user_[address] = user;
  sticky_[user] = address;
  return IpAddress::v4(address);
}

void AddressPool::take_over(const AddressPool& former) {
  for (const auto& [address, user] : former.last_user_) {
    if (!contains(address)) continue;
    last_user_[address] = user;
    const auto theirs = former.sticky_.find(user);
    if (theirs != former.sticky_.end() && theirs->second == address) sticky_[user] = address;
  }
  for (const auto address : former.used_) {
    if (contains(address)) used_.insert(address);
  }
  for (const auto& resting : former.resting_) {
    const auto freed = former.freed_at_.find(resting.address);
    if (!contains(resting.address) || freed == former.freed_at_.end() || freed->second != resting.since)
      continue;
    freed_at_[resting.address] = resting.since;
    resting_.push_back(resting);
  }
}

bool AddressPool::claim(const IpAddress& address, const std::string& user) {
  if (!contains(address)) return true;
  if (used_.contains(address.to_v4())) return false;
  take(address.to_v4(), user);
  return true;
}

void AddressPool::release(const IpAddress& address, Instant now) {
  if (used_.erase(address.to_v4()) == 0) return;
  freed_at_[address.to_v4()] = now;
  resting_.push_back({address.to_v4(), now});
}

std::vector<std::pair<IpAddress, std::string>> AddressPool::out() const {
  std::vector<std::pair<IpAddress, std::string>> all;
  for (const auto address : used_) all.emplace_back(IpAddress::v4(address), last_user_.at(address));
  return all;
}

std::size_t AddressPool::free() const {
  std::uint64_t total = 0;
  for (const auto& range : ranges_) total += range.size();
  for (const std::uint32_t address : reserved_)
    total -= contains(address) && !used_.contains(address) ? 1U : 0U;
  return static_cast<std::size_t>(total - used_.size());
}

}  // namespace sluice::agent
