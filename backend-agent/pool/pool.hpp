#pragma once
// Addresses for clients: given out, taken back, rested before somebody else gets them. Thread: control.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backend-agent/pool/range.hpp"
#include "base/ip.hpp"
#include "base/time.hpp"

namespace sluice::agent {

class AddressPool {
 public:
  /// Addresses in `reserved` (our own, users' fixed ones) are never given out by allocate().
  AddressPool(std::vector<AddressRange> ranges, std::unordered_set<std::uint32_t> reserved,
              Duration quarantine);

  /// The address the user had last if it is free, else one never used, else the one that has rested longest,
  /// at least the quarantine. Nothing when there is none.
  std::optional<IpAddress> allocate(const std::string& user, Instant now);
  /// Takes an address that somebody else chose for the user. False when it is out; one that is in no range is
  /// not our concern.
  bool claim(const IpAddress& address, const std::string& user);
  /// Gives an address back; one that is not out is passed over.
  void release(const IpAddress& address, Instant now);
  /// Replaces the fixed addresses, after the users file was read again.
  void set_reserved(std::unordered_set<std::uint32_t> reserved);

  /// Goes on where another pool of the same addresses was: those that are out stay out, those that rest rest,
  /// users get theirs back. What is not of this pool's ranges is passed over.
  void take_over(const AddressPool& former);

  bool is_out(const IpAddress& address) const { return used_.contains(address.to_v4()); }
  bool contains(const IpAddress& address) const { return address.is_v4() && contains(address.to_v4()); }
  /// Those that are out, and who has them.
  std::vector<std::pair<IpAddress, std::string>> out() const;
  std::size_t used() const { return used_.size(); }
  /// It was made without a range.
  bool empty() const { return ranges_.empty(); }
  /// Addresses that are not out; those in quarantine count as free.
  std::size_t free() const;

 private:
  struct Resting {
    std::uint32_t address;
    Instant since;
  };
  std::optional<std::uint32_t> last_of(const std::string& user) const;
  std::optional<std::uint32_t> never_used();
  std::optional<std::uint32_t> rested(Instant now);
  bool contains(std::uint32_t address) const;
  IpAddress take(std::uint32_t address, const std::string& user);

  std::vector<AddressRange> ranges_;
  std::unordered_set<std::uint32_t> reserved_;
  Duration quarantine_;
  std::size_t range_ = 0;  ///< addresses before ranges_[range_].first + next_ have been out
  std::uint64_t next_ = 0;
  std::unordered_set<std::uint32_t> used_;
  std::deque<Resting> resting_;  ///< oldest first; entries of addresses out again are stale and passed over
  std::unordered_map<std::uint32_t, Instant> freed_at_;
  std::unordered_map<std::uint32_t, std::string> last_user_;
  std::unordered_map<std::string, std::uint32_t> sticky_;
};

}  // namespace sluice::agent
