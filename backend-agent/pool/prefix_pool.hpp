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
  /// Whether no part of it is out; one that is not of this pool is not our concern. False, too, for one of
  /// more than kMaxClaim parts.
  bool is_free(const Prefix& prefix) const;
  /// Takes a prefix of any length that somebody else chose for the user; is_free() said that it may.
  void claim(const Prefix& prefix, const std::string& user);
  /// Gives it back; what is not out or not of this pool is passed over.
  void release(const Prefix& prefix, Instant now);
  /// Users' own prefixes, never given out by allocate(). Those of more than kMaxClaim parts are passed over.
  void set_reserved(const std::vector<Prefix>& prefixes);
  /// What is out of another pool and of our networks is out of this one.
  void take_over(const PrefixPool& former);
  static constexpr std::uint32_t kMaxClaim = 1U << 20;
  bool empty() const { return bases_.empty(); }
  bool contains(const IpAddress& address) const;
  std::size_t used() const { return numbers_.used(); }

 private:
  struct Base {
    Prefix prefix;
    std::uint32_t first = 0;  ///< number of its first part among all
    std::uint32_t count = 0;
  };
  /// Numbers of parts; both ends belong to it.
  struct Parts {
    std::uint32_t first = 0, last = 0;
  };
  std::optional<Prefix> prefix_of(std::uint32_t number) const;
  /// Where the prefix and our networks meet.
  std::vector<Parts> parts_of(const Prefix& prefix) const;
  static std::vector<Base> number(const std::vector<Prefix>& bases, std::uint8_t length);
  static AddressPool numbers_for(const std::vector<Base>& bases, Duration quarantine);

  std::uint8_t length_;
  std::vector<Base> bases_;
  AddressPool numbers_;  ///< the prefixes' numbers, from 0, as if they were addresses
};

}  // namespace sluice::agent
