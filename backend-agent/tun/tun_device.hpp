#pragma once
// The TUN device through which clients' packets reach the machine. Made at start, removed when its
// descriptors close. Needs CAP_NET_ADMIN; several queues need CAP_BPF, too. Thread: made on control; the
// descriptors are the data workers'.

#include <memory>
#include <string>
#include <vector>

#include "backend-agent/tun/tun_queue.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"

namespace sluice::agent {

struct TunOptions {
  std::string name = "sluice0";
  std::uint16_t mtu = 1400;
  std::uint32_t queues = 1;          ///< one for each data worker
  std::vector<IpAddress> addresses;  ///< the device's own, IPv4 and IPv6, without a network
  std::vector<Prefix> routes;        ///< what lies behind it
};

class TunDevice {
 public:
  /// Makes it, up, with address and routes. A route that the machine has already is an error. Errors name the
  /// step, the cause and what to do.
  static Result<TunDevice, std::string> open(const TunOptions& options);
  TunDevice(TunDevice&&) noexcept;
  TunDevice& operator=(TunDevice&&) noexcept;
  ~TunDevice();

  const std::string& name() const;
  /// All queues, once. The device goes with the last of them. Where there are several, packets from the
  /// machine come to the first until steer() says otherwise.
  std::vector<TunPort> take_ports();
  /// Packets for this network come to that queue from now on; nothing to do where there is only one. Gives
  /// the error's text, if any.
  std::optional<std::string> steer(const Prefix& prefix, std::uint32_t queue);
  void unsteer(const Prefix& prefix);
  /// A route to the device beyond those it was made with. Gives the error's text, if any: a route that the
  /// machine has already is left alone, here and by remove_route().
  std::optional<std::string> add_route(const Prefix& prefix);
  void remove_route(const Prefix& prefix);
  /// Answers for an address on another device's link: by ARP, or by neighbour discovery (for which that
  /// device's proxy_ndp is turned on). Gives the error's text, if any.
  std::optional<std::string> add_proxy(const std::string& device, const IpAddress& address);
  void remove_proxy(const std::string& device, const IpAddress& address);

 private:
  struct State;
  explicit TunDevice(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sluice::agent
