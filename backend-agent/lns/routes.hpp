#pragma once
// Which session has an address: by the longest prefix. A lookup for each prefix length in use, host addresses
// first. Thread: the data worker.

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/ip.hpp"

namespace sluice::agent {

/// `address` without the bits beyond the first `length`.
inline IpAddress masked(const IpAddress& address, std::uint8_t length) {
  std::array<std::uint8_t, 16> bytes{};
  const Bytes from = address.bytes();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const int keep = std::clamp(static_cast<int>(length) - static_cast<int>(8 * i), 0, 8);
    bytes[i] = static_cast<std::uint8_t>(from[i] & (0xff00U >> static_cast<unsigned>(keep)));
  }
  return *IpAddress::from_bytes(Bytes(bytes).first(from.size()));
}

template <class Owner>
class Routes {
 public:
  /// Whoever had it before has it no more.
  void add(const Prefix& prefix, Owner* owner) {
    table(prefix).owners[masked(prefix.network, prefix.length)] = owner;
  }
  /// Only if it is still that owner's.
  void remove(const Prefix& prefix, const Owner* owner) {
    auto& owners = table(prefix).owners;
    const auto found = owners.find(masked(prefix.network, prefix.length));
    if (found != owners.end() && found->second == owner) owners.erase(found);
  }
  /// Whoever has exactly that network.
  Owner* owner(const Prefix& prefix) const {
    for (const auto& table : tables_) {
      if (table.v6 != prefix.network.is_v6() || table.length != prefix.length) continue;
      const auto found = table.owners.find(masked(prefix.network, prefix.length));
      return found == table.owners.end() ? nullptr : found->second;
    }
    return nullptr;
  }
  Owner* find(const IpAddress& address) const {
    for (const auto& table : tables_) {
      if (table.v6 != address.is_v6() || table.owners.empty()) continue;
      const auto found = table.owners.find(masked(address, table.length));
      if (found != table.owners.end()) return found->second;
    }
    return nullptr;
  }

 private:
  struct Table {
    bool v6 = false;
    std::uint8_t length = 0;
    std::unordered_map<IpAddress, Owner*> owners;
  };
  /// The table of a family and length; the longest first.
  Table& table(const Prefix& prefix) {
    const bool v6 = prefix.network.is_v6();
    auto at = std::find_if(tables_.begin(), tables_.end(),
                           [&](const Table& t) { return t.v6 == v6 && t.length <= prefix.length; });
    if (at == tables_.end() || at->length != prefix.length) at = tables_.insert(at, {v6, prefix.length, {}});
    return *at;
  }

  std::vector<Table> tables_;
};

}  // namespace sluice::agent
