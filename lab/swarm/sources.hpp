#pragma once
// Which address and port each client dials from.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.hpp"
#include "base/result.hpp"

namespace sluice::swarm {

/// Every address with every port, IPv4.
class Sources {
 public:
  /// "10.9.0.1:20000-29999", "10.9.0.1-10.9.3.254:4500", "10.9.0.0/22:4500-4503" (a network without its first
  /// and last address). The error says what is wrong with it.
  static Result<Sources, std::string> parse(std::string_view text);

  std::uint64_t size() const { return std::uint64_t{addresses_} * ports_; }
  /// Of the client of that number, below size(): addresses change fastest.
  Endpoint of(std::uint64_t client) const;
  std::vector<std::uint16_t> ports() const;

 private:
  std::uint32_t first_address_ = 0, addresses_ = 0;
  std::uint16_t first_port_ = 0;
  std::uint32_t ports_ = 0;
};

}  // namespace sluice::swarm
