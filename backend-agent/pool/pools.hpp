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
  std::vector<Prefix> ipv6{}, delegated{};  ///< as in PoolsSettings
};

struct PoolsSettings {
  std::vector<AddressRange> ranges;  ///< the default pool
  std::vector<NamedPool> named;
  std::vector<Prefix> ipv6;       ///< each link gets a /64 of them
  std::vector<Prefix> delegated;  ///< each client may get a prefix of delegated_length of them
  /// Of all pools.
  std::uint8_t delegated_length = 56;
  Duration quarantine = std::chrono::seconds(30);
};

/// "example.net" of "bob@example.net", "CORP" of "CORP\bob"; else empty.
std::string_view realm_of(std::string_view user);

class Pools {
 public:
  Pools(const PoolsSettings& settings, const std::unordered_set<std::uint32_t>& reserved);

  /// Other pools from now on. What is out stays out; what is in none of them any more is its user's until it
  /// is given back. Fixed prefixes are to be set again.
  void reconfigure(const PoolsSettings& settings, const std::unordered_set<std::uint32_t>& reserved);

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

  /// Likewise a /64 for the link, and a prefix to delegate. A realm's pool without such networks leaves it to
  /// the default one.
  struct GivenPrefix {
    std::string pool;
    bool known = true;  ///< there is a pool of that name, with such networks
    std::optional<Prefix> prefix;
  };
  GivenPrefix allocate_link(const std::string& user, const std::string& pool, Instant now);
  GivenPrefix allocate_delegated(const std::string& user, const std::string& pool, Instant now);

  /// The same for IPv6 prefixes, of links or delegated: a user's own may lie in either kind of network.
  bool claim(const Prefix& prefix, const std::string& user);
  void release(const Prefix& prefix, Instant now);
  void set_reserved(const std::vector<Prefix>& prefixes);

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
  std::size_t prefixes_used() const;
  std::size_t delegations_used() const;

 private:
  struct Entry {
    std::string name;
    std::vector<std::string> realms;
    AddressPool pool;
    PrefixPool ipv6, delegated;
  };
  Entry* find(std::string_view name);
  /// The realm's, if `Part` of it is not empty; else the default one.
  template <class Part>
  Entry& for_realm(std::string_view realm, Part Entry::*part);
  GivenPrefix allocate(const std::string& user, const std::string& pool, PrefixPool Entry::*part,
                       Instant now);

  std::vector<Entry> entries_;  ///< the default one first
};

}  // namespace sluice::agent
