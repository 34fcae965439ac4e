#pragma once
// All that clients are given addresses from: the default pool, pools by name or realm, IPv6 prefixes for
// links and for delegation. Thread: control.

#include <string_view>
#include <unordered_set>
#include <vector>

#include "backend-agent/pool/prefix_pool.hpp"

namespace sluice::agent {

struct NamedPool {
  std::string name;
  std::vector<AddressRange> ranges;
  std::vector<std::string> realms;  ///< of users who get addresses from it unless something else is said
};

struct PoolsSettings {
  std::vector<AddressRange> ranges;  ///< the default pool
  std::vector<NamedPool> named;
  std::vector<Prefix> ipv6;       ///< each link gets a /64 of them
  std::vector<Prefix> delegated;  ///< each client may get a prefix of delegated_length of them
  std::uint8_t delegated_length = 56;
  Duration quarantine = std::chrono::seconds(30);
};

/// "example.net" of "bob@example.net", "CORP" of "CORP\bob"; else empty.
std::string_view realm_of(std::string_view user);

class Pools {
 public:
  Pools(const PoolsSettings& settings, const std::unordered_set<std::uint32_t>& reserved);

  /// Address out of the pool of that name, or else of the user's realm, or else the default one. The pool's
  /// name comes back ("default" for that one); nothing in `address` when it is exhausted.
  struct Given {
    std::string pool;
    bool known = true;  ///< there is a pool of that name
    std::optional<IpAddress> address;
  };
  Given allocate(const std::string& user, const std::string& pool, Instant now);
  /// See AddressPool.
  bool claim(const IpAddress& address, const std::string& user);
  void release(const IpAddress& address, Instant now);
  void set_reserved(const std::unordered_set<std::uint32_t>& reserved);

  /// The same for IPv6 prefixes, of links or delegated: a user's own may lie in either kind of network.
  bool claim(const Prefix& prefix, const std::string& user);
  void release(const Prefix& prefix, Instant now);
  void set_reserved(const std::vector<Prefix>& prefixes);

  PrefixPool& ipv6() { return ipv6_; }
  PrefixPool& delegated() { return delegated_; }
  bool contains(const IpAddress& address) const;
  /// Of all pools together.
  std::size_t free() const;
  std::size_t used() const;
  struct Use {
    std::string_view pool;  ///< as allocate() calls it
    std::size_t used = 0, free = 0;
  };
  /// Of each pool, as long as the pools live.
  std::vector<Use> use() const;
  /// Of links, and delegated.
  std::size_t prefixes_used() const { return ipv6_.used(); }
  std::size_t delegations_used() const { return delegated_.used(); }

 private:
  struct Entry {
    std::string name;
    std::vector<std::string> realms;
    AddressPool pool;
  };
  Entry* find(std::string_view name);
  Entry& for_realm(std::string_view realm);

  std::vector<Entry> entries_;  ///< the default one first
  PrefixPool ipv6_, delegated_;
};

}  // namespace sluice::agent
