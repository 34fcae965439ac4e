#pragma once
// Who somebody on the channel is, as a certificate states it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.hpp"

namespace sluice::pki {

enum class Role : std::uint8_t { kEdge, kAgent };
std::string_view to_string(Role role);
std::optional<Role> parse_role(std::string_view word);

/// Letters, digits, '.', '-' and '_', the first a letter or digit; 128 at most.
bool is_name(std::string_view text);

struct PeerName {
  std::string name;  ///< fulfils is_name()
  Role role = Role::kAgent;
  std::string serial;           ///< of the certificate, hex
  std::int64_t expires_at = 0;  ///< seconds since the epoch
  /// Where alone its holder may be; empty: anywhere.
  std::vector<IpAddress> addresses{};

  bool may_be_at(const IpAddress& address) const;
};

/// "2026-01-31", UTC.
std::string date_text(std::int64_t unix_seconds);

}  // namespace sluice::pki
