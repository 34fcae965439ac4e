#pragma once
// A row of the daemon's, read for people. What peers chose is escaped.

#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "edge/ctl/human.hpp"
#include "vici/message.hpp"

namespace sluice::ctl {

using Rows = std::vector<vici::Message>;

/// Reads a row without fuss: a section or value that is not there is empty.
class Row {
 public:
  explicit Row(const vici::Message& message) : message_(message) {}
  Row in(std::string_view section) const {
    static const vici::Message nothing;
    const auto* found = message_.section(section);
    return Row(found ? *found : nothing);
  }
  const vici::Message& message() const { return message_; }
  bool has(std::string_view name) const { return message_.value(name).has_value(); }
  std::uint64_t number(std::string_view name) const { return message_.number(name).value_or(0); }

  std::string text(std::string_view name) const {
    const auto value = message_.get(name);
    return value.empty() ? "-" : escaped(value);
  }
  /// A number in which 0 means none.
  std::string id(std::string_view name) const {
    return number(name) == 0 ? "-" : std::to_string(number(name));
  }
  std::string count(std::string_view name) const { return count_text(number(name)); }
  std::string whole(std::string_view name) const { return std::to_string(number(name)); }
  std::string bytes(std::string_view name) const { return bytes_text(number(name)); }
  std::string yes(std::string_view name) const { return message_.flag(name).value_or(false) ? "yes" : "no"; }
  std::string age(std::string_view name, std::uint64_t now) const {
    const auto since = number(name);
    return since == 0 ? "-" : duration_text(now > since ? now - since : 0);
  }
  std::string host(const std::string& prefix) const {
    const auto address = text(prefix + "-host");
    if (address == "-") return address;
    const bool v6 = address.find(':') != std::string::npos;
    return (v6 ? "[" + address + "]" : address) + ":" + whole(prefix + "-port");
  }
  std::string spi(std::string_view name) const {
    const auto digits = text(name);
    return digits == "00000000" ? "-" : digits;
  }
  std::string pair(std::string_view a, std::string_view b) const { return id(a) + "/" + id(b); }

 private:
  const vici::Message& message_;
};

/// The value at "ike.version", as the daemon sent it; nothing when it is not there.
inline std::optional<std::string_view> value_at(const vici::Message& message, std::string_view path) {
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) return message.value(path);
  const auto* section = message.section(path.substr(0, dot));
  return section ? value_at(*section, path.substr(dot + 1)) : std::nullopt;
}

}  // namespace sluice::ctl
