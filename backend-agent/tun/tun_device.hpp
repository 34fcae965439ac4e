#pragma once
// The TUN device through which clients' packets reach the machine. Made at start, removed when its descriptor
// closes. Needs CAP_NET_ADMIN. Thread: made on control; the descriptor is the data worker's.

#include <memory>
#include <string>
#include <vector>

#include "backend-agent/pool/range.hpp"
#include "base/app/unique_fd.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"

namespace sluice::agent {

struct TunOptions {
  std::string name = "sluice0";
  std::uint16_t mtu = 1400;
  IpAddress address;           ///< the device's own, as /32
  std::vector<Prefix> routes;  ///< what lies behind it
};

class TunDevice {
 public:
  /// Makes it, up, with address and routes. Errors name the step, the cause and what to do.
  static Result<TunDevice, std::string> open(const TunOptions& options);
  TunDevice(TunDevice&&) noexcept;
  TunDevice& operator=(TunDevice&&) noexcept;
  ~TunDevice();

  const std::string& name() const;
  /// Non-blocking; one read or write is one IP packet without any header. The device goes with the last copy.
  app::UniqueFd take_fd();
  /// A route to the device beyond those it was made with. Gives the error's text, if any.
  std::optional<std::string> add_route(const Prefix& prefix);
  void remove_route(const Prefix& prefix);

 private:
  struct State;
  explicit TunDevice(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sluice::agent
