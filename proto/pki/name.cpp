#include "proto/pki/name.hpp"

#include <algorithm>
#include <array>
#include <ctime>

namespace sluice::pki {

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kEdge:
      return "edge";
    case Role::kAgent:
      return "agent";
  }
  return "";
}

std::optional<Role> parse_role(std::string_view word) {
  for (const auto role : {Role::kEdge, Role::kAgent}) {
    if (word == to_string(role)) return role;
  }
  return std::nullopt;
}

bool is_name(std::string_view text) {
  constexpr std::size_t kLongest = 128;
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= kLongest && plain(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return plain(c) || c == '.' || c == '-' || c == '_'; });
}

bool PeerName::may_be_at(const IpAddress& address) const {
  return addresses.empty() || std::ranges::find(addresses, address) != addresses.end();
}

std::string date_text(std::int64_t unix_seconds) {
  const std::time_t at = unix_seconds;
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  std::array<char, 32> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return {text.data(), size};
}

}  // namespace sluice::pki
