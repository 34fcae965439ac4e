#pragma once
// L2TP packets on their way out: gathered, sealed together, sent together. Thread: the event loop's.

#include <array>
#include <memory>
#include <vector>

#include "esp/engine.hpp"
#include "lab/swarm/sockets.hpp"

namespace sluice::swarm {

class SealBurst {
 public:
  /// Room in front of an L2TP packet: UDP, ESP.
  static constexpr std::size_t kHeadroom = 64;

  SealBurst(esp::Engine& engine, Sockets& sockets) : engine_(engine), sockets_(sockets) {}

  /// A buffer to build an L2TP packet in, from kHeadroom on; it stays until the next call of anything here.
  MutableBytes buffer();
  /// The packet lies in the last buffer(). It is sent by the next flush(); `sa` must live until then.
  void add(MutableBytes l2tp, esp::OutboundSa& sa, const Endpoint& local, const Endpoint& remote);
  /// Copies a packet.
  void add(Bytes l2tp, esp::OutboundSa& sa, const Endpoint& local, const Endpoint& remote);
  void flush();
  std::uint64_t not_sealed() const { return not_sealed_; }

 private:
  static constexpr std::size_t kBurst = 64, kSlot = 2304;

  esp::Engine& engine_;
  Sockets& sockets_;
  std::unique_ptr<std::array<esp::SealJob, kBurst>> jobs_ =
      std::make_unique<std::array<esp::SealJob, kBurst>>();
  std::array<Sockets::Outgoing, kBurst> out_{};
  std::vector<std::uint8_t> slots_ = std::vector<std::uint8_t>(kBurst * kSlot);
  std::size_t count_ = 0;
  std::uint64_t not_sealed_ = 0;
};

}  // namespace sluice::swarm
