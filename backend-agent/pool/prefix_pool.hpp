#pragma once
// IPv6 prefixes of one length out of larger ones, given out as AddressPool gives addresses: sticky by user,
// rested before somebody else gets them. Thread: control.

#include <optional>
#include <string>
#include <vector>

#include "backend-agent/pool/pool.hpp"

namespace sluice::agent {

class PrefixPool {
 public:
  /// `length` is of what is given out; no base is longer.
  PrefixPool(std::vector<Prefix> bases, std::uint8_t length, Duration quarantine);

  std::optional<Prefix> allocate(const std::string& user, Instant now);
  /// One that is not of this pool is passed over.
  void release(const Prefix& prefix, Instant now);
  bool empty() const { return bases_.empty(); }
  bool contains(const IpAddress& address) const;
  std::size_t used() const { return numbers_.used(); }

 private:
  struct Base {
    Prefix prefix;
    std::uint32_t first = 0;  ///< number of its first part among all
    std::uint32_t count = 0;
  };
  static std::vector<Base> number(const std::vector<Prefix>& bases, std::uint8_t length);
  static AddressPool numbers_for(const std::vector<Base>& bases, Duration quarantine);

  std::uint8_t length_;
  std::vector<Base> bases_;
  AddressPool numbers_;  ///< the prefixes' numbers, from 0, as if they were addresses
};

}  // namespace sluice::agent
