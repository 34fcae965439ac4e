#pragma once
// A data worker's raw socket for ESP without UDP (protocol 50, RFC 4303 §2). Each worker has one for each
// address family, which sees only packets whose SPI names the worker. Needs CAP_NET_RAW. Thread: the one
// worker that owns it.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/counters.hpp"
#include "base/result.hpp"
#include "proto/transport/packet.hpp"
#include "proto/transport/udp_port.hpp"

namespace sluice::transport {

struct RawEspOptions {
  IpAddress bind;  ///< unspecified: all of its family
  std::uint32_t worker = 0;
  std::uint32_t workers = 1;
  std::size_t buffer_bytes = 8 * 1024 * 1024;
};

class RawEspPort {
 public:
  static Result<RawEspPort, std::string> open(const RawEspOptions& options);
  RawEspPort(RawEspPort&&) noexcept;
  RawEspPort& operator=(RawEspPort&&) noexcept;
  ~RawEspPort();

  int fd() const;
  static constexpr std::size_t kMaxBurst = 64;
  /// A packet begins with the ESP header, for IPv4 too; ports are 0.
  std::span<RxPacket> recv_burst();
  std::size_t send_burst(std::span<const TxPacket> packets);
  const CounterArray<PortCount>& counts() const;

 private:
  struct State;
  explicit RawEspPort(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sluice::transport
