#pragma once
// What a session may reach. A rule names the far end, so that it holds for both directions: a packet of the
// client by its destination, one for it by its source. The first rule that fits decides; what none fits is
// dropped. No state, no I/O. Thread: made on control, read by the data workers.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.hpp"
#include "base/result.hpp"

namespace sluice::agent {

struct FilterRule {
  bool allow = false;
  std::uint8_t protocol = 0;                             ///< of IP; 0: any
  std::optional<Prefix> network{};                       ///< none: any, of either family
  std::uint16_t first_port = 0, last_port = UINT16_MAX;  ///< TCP and UDP
  bool operator==(const FilterRule&) const = default;
};

/// "allow|deny [tcp|udp|icmp|PROTOCOL-NUMBER] any|NETWORK [PORT|FIRST-LAST]"; "icmp" is that of the packet's
/// family. Errors say what is wrong.
Result<FilterRule, std::string> parse_filter_rule(std::string_view text);

class Filter {
 public:
  explicit Filter(std::vector<FilterRule> rules) : rules_(std::move(rules)) {}
  /// Whether a whole IP packet may pass; `up`: it comes from the client. Fragments behind the first have no
  /// ports: rules with ports then fit only if they allow.
  bool passes(Bytes packet, bool up) const;

 private:
  std::vector<FilterRule> rules_;
};

/// By name, as Filter-Id and users say it.
using Filters = std::map<std::string, Filter, std::less<>>;

}  // namespace sluice::agent
