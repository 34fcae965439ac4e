#pragma once
// Addresses as values, without a socket header.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice {

/// An IPv4 or IPv6 address. Default: IPv4 0.0.0.0.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  static constexpr IpAddress v4(std::uint32_t host_order) {
    IpAddress a;
    for (unsigned i = 0; i < 4; ++i) a.bytes_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return a;
  }
  /// 4 bytes give IPv4, 16 give IPv6 (an IPv4-mapped one stays IPv6), any other number nothing.
  static std::optional<IpAddress> from_bytes(Bytes bytes);
  /// Dotted quad or RFC 4291 text, without brackets, prefix or zone.
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr bool is_v4() const { return !v6_; }
  constexpr bool is_v6() const { return v6_; }
  /// 4 or 16 bytes in network order; lives as long as the address.
  Bytes bytes() const { return Bytes(bytes_).first(v6_ ? 16 : 4); }
  /// Host order; 0 for IPv6.
  constexpr std::uint32_t to_v4() const {
    if (v6_) return 0;
    return (std::uint32_t{bytes_[0]} << 24) | (std::uint32_t{bytes_[1]} << 16) |
           (std::uint32_t{bytes_[2]} << 8) | bytes_[3];
  }
  bool is_unspecified() const { return bytes_ == std::array<std::uint8_t, 16>{}; }
  std::string to_string() const;
  constexpr auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool v6_ = false;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  constexpr auto operator<=>(const Endpoint&) const = default;
  /// "192.0.2.1:4500" or "[2001:db8::1]:4500".
  std::string to_string() const;
  static std::optional<Endpoint> parse(std::string_view text);
};

/// A network and how many of its leading bits count.
struct Prefix {
  IpAddress network;
  std::uint8_t length = 32;
  constexpr auto operator<=>(const Prefix&) const = default;
  /// "10.0.0.0/8", "2001:db8::/56".
  std::string to_string() const { return network.to_string() + "/" + std::to_string(length); }
  /// Bits beyond the length must be zero; a bare address is a prefix of all its bits.
  static std::optional<Prefix> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
};

}  // namespace sluice

template <>
struct std::hash<sluice::IpAddress> {
  std::size_t operator()(const sluice::IpAddress& a) const noexcept;
};
template <>
struct std::hash<sluice::Endpoint> {
  std::size_t operator()(const sluice::Endpoint& e) const noexcept;
};
