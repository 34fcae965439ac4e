#pragma once
// The far ends: clients that seal L2TP packets, an agent that seals relay frames, and the sockets where both
// receive. They work on a core of their own, before and after what is measured.

#include <functional>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "esp/engine.hpp"
#include "nets.hpp"
#include "proto/transport/udp_port.hpp"

namespace sluice::bench {

inline constexpr std::size_t kRound = 256;  ///< packets in flight at once
inline constexpr TunnelId kClientTunnel{77};
inline TunnelId agent_tunnel(std::uint32_t client) {
  return TunnelId(static_cast<std::uint16_t>(1 + client % 60000));
}
inline RelayId relay_id(std::uint32_t client) {
  return RelayId(client + 1);
}

/// SPIs, spread as the real ones are.
Spi spi_up(std::uint32_t client);
Spi spi_down(std::uint32_t client);
inline constexpr Spi kSpiToEdge{0xa0000000}, kSpiToAgent{0xb0000000};
ByteVector key_for(Spi spi, std::size_t size);

/// A thread that does one thing at a time for another.
class Helper {
 public:
  explicit Helper(std::function<void()> start);
  ~Helper();
  void call(std::function<void()> task) {
    start(std::move(task));
    wait();
  }
  void start(std::function<void()> task);
  void wait() { done_.acquire(); }

 private:
  std::function<void()> task_;
  std::binary_semaphore todo_{0}, done_{0};
  bool over_ = false;
  std::thread thread_;
};

class Load {
 public:
  /// `edge_core` is left alone. Sockets are bound in the namespaces.
  Load(const Nets& nets, unsigned core);

  /// Makes the SAs of so many clients anew.
  void use(const esp::Suite& suite, std::uint32_t clients);
  /// Each sends kRound packets, of clients at random, with L2TP packets of so many bytes.
  void send_up(std::size_t size, std::uint16_t to_port);
  void send_down(std::size_t size, std::uint16_t to_port);
  /// Takes what came; packets since the last call.
  std::size_t arrived_at_agent();
  std::size_t arrived_at_clients();

  std::uint32_t clients() const { return static_cast<std::uint32_t>(out_.size()); }

 private:
  std::uint32_t pick();
  void seal(std::size_t count, transport::TxPacket* tx);

  std::unique_ptr<esp::Engine> engine_;
  std::vector<esp::OutboundSaPtr> out_;
  esp::OutboundSaPtr frames_;
  std::vector<esp::SealJob> jobs_;
  ByteVector storage_;
  std::vector<transport::TxPacket> tx_;
  std::unique_ptr<transport::UdpPort> client_port_, agent_port_;
  std::uint32_t random_ = 1;
  Helper helper_;  // the last: it works on all the others
};

}  // namespace sluice::bench
