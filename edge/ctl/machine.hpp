#pragma once
// What `sluicectl init` can find out by itself of the machine that it runs on, to propose it.

#include <functional>
#include <optional>
#include <vector>

#include "base/ip.hpp"

namespace sluice::ctl {

struct Machine {
  std::vector<IpAddress> addresses;  ///< neither loopback nor link-local; IPv4 first
  std::vector<IpAddress> resolvers;  ///< its own name servers, IPv4
  /// Which of the addresses packets to `far` leave from; nothing if there is no way.
  std::function<std::optional<IpAddress>(const IpAddress& far)> leaving_for;
};

Machine this_machine();

/// Not one of those that only a private network reaches (RFC 1918, RFC 6598, RFC 4193).
bool is_public(const IpAddress& address);

}  // namespace sluice::ctl
