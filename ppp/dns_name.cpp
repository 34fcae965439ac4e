#include "ppp/dns_name.hpp"

namespace sluice::ppp {

ByteVector encode_dns_name(std::string_view name) {
  constexpr std::size_t kMaxLabel = 63, kMaxName = 255;
  if (name.ends_with('.')) name.remove_suffix(1);
  ByteVector out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    if (label.empty() || label.size() > kMaxLabel) return {};
    out.push_back(static_cast<std::uint8_t>(label.size()));
    for (const char c : label) out.push_back(static_cast<std::uint8_t>(c));
    name.remove_prefix(label.size());
    if (name.empty()) break;
    name.remove_prefix(1);
    if (name.empty()) return {};
  }
  if (out.empty() || out.size() >= kMaxName) return {};
  out.push_back(0);
  return out;
}

}  // namespace sluice::ppp
