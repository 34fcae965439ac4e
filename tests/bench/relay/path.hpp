#pragma once
// What is measured: something that takes the packets waiting at its sockets and relays them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "esp/suite.hpp"
#include "nets.hpp"

namespace sluice::bench {

class RelayPath {
 public:
  virtual ~RelayPath() = default;
  virtual std::string_view name() const = 0;
  /// Where the load has to send to.
  virtual std::uint16_t client_side_port() const = 0;
  virtual std::uint16_t agent_side_port() const = 0;
  /// Installs so many clients, in place of those before.
  virtual void use(const esp::Suite& suite, std::uint32_t clients) = 0;
  /// Relays until `packets` came in or none came for some milliseconds.
  virtual void relay_up(std::size_t packets) = 0;
  virtual void relay_down(std::size_t packets) = 0;
};

/// Sockets, ipsec-mb and a table of SPIs; nothing else. AES-128-GCM only; nullptr without ipsec-mb. Without
/// `crypto` the sockets alone: what it sends is rubbish.
std::unique_ptr<RelayPath> make_floor(const Nets& nets, bool crypto);
/// The edge's own packet loop. `index`: 0 or 1, with ports of their own.
std::unique_ptr<RelayPath> make_product(const Nets& nets, std::uint16_t index = 0);

}  // namespace sluice::bench
