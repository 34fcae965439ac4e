#pragma once
// The data carrier's end on the agent: keys by channel and worker pair, opening and sealing of bursts
// (proto/channel/data_frame.hpp). Thread: the data worker.

#include <array>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "backend-agent/lns/messages.hpp"
#include "base/counters.hpp"
#include "base/time.hpp"
#include "esp/engine.hpp"
#include "proto/transport/packet.hpp"

namespace sluice::agent {

enum class CarrierDrop : std::uint8_t {
  kTooShort,    ///< no ESP header
  kUnknownSpi,  ///< no path has that SPI
  kNotOpened,   ///< replayed, not authentic, malformed
  kBadFrame,    ///< authentic, but no relay id and L2TP packet
  kNoPath,      ///< to send: the channel is gone
  kNoRoom,      ///< to send: too large
  kNotSealed,   ///< to send: the engine refused
  kCount
};
std::string_view to_string(CarrierDrop reason);

/// Data frames from edges. Loss on the way is what was expected less what came.
enum class CarrierCount : std::uint8_t {
  kExpected,  ///< by the sequence numbers of those that came
  kReceived,
  kCount
};

class Carrier {
 public:
  static constexpr std::size_t kBurst = 256;
  /// SPIs that are out of use, to be given back to whoever made them.
  using Released = std::function<void(Spi)>;

  explicit Carrier(std::unique_ptr<esp::Engine> engine);
  ~Carrier();

  /// Errors name the path that cannot be made.
  std::optional<std::string> install(const InstallPaths& paths, Instant now);
  void remove(ChannelId channel);
  /// SPIs we received on and no longer do.
  std::vector<Spi> take_released() { return std::exchange(released_, {}); }

  struct Frame {
    TunnelKey key;
    MutableBytes l2tp;
  };
  /// The frames in a burst, in place; valid until the next call. At most kBurst packets. `stream`: they came
  /// by a TLS data link.
  std::span<const Frame> open(std::span<transport::RxPacket> packets, Instant now, bool stream = false);

  /// Takes an L2TP packet with room around it (kHeadroom, kTailroom) towards an edge's worker.
  void queue(const TunnelKey& key, std::uint32_t edge_worker, esp::PacketBuffer l2tp);
  bool full() const { return seals_ == kBurst; }
  /// Seals all that is queued and gives what goes by UDP; valid until the next queue().
  std::span<const transport::TxPacket> seal();
  /// What went by no UDP in the last seal(); valid as long.
  struct Streamed {
    ChannelId channel;
    Bytes packet;
  };
  std::span<const Streamed> streamed() const { return streamed_; }

  static constexpr std::size_t kHeadroom = esp::kMaxHeadroom + 4;
  static constexpr std::size_t kTailroom = esp::kMaxTailroom;

  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const { return next_tick_; }
  /// What the last on_timeout() has to say to edges, by UDP.
  std::span<const transport::TxPacket> hellos() const { return hellos_; }
  /// Since the last call.
  std::vector<LaneCarrier> take_changes() { return std::exchange(changes_, {}); }

  const CounterArray<CarrierDrop>& drops() const { return drops_; }
  const CounterArray<CarrierCount>& counts() const { return counts_; }
  std::string_view engine_name() const { return engine_->name(); }

 private:
  struct Path;  ///< one epoch towards one edge worker
  using PathPtr = std::unique_ptr<Path>;
  struct Lane;  ///< all of them
  static std::uint64_t lane_key(ChannelId channel, std::uint32_t edge_worker) {
    return (std::uint64_t{channel.value()} << 32) | edge_worker;
  }
  void retire(Path& path);
  Lane& lane_for(const InstallPaths& paths, std::uint32_t edge_worker, Instant now);
  void tick(Lane& lane, Instant now);
  void say_hello(Lane& lane, Instant now);
  void follow_health(Lane& lane);

  std::unique_ptr<esp::Engine> engine_;
  std::unordered_map<Spi, PathPtr> by_spi_;
  std::unordered_map<std::uint64_t, Lane> lanes_;
  std::vector<Spi> released_;
  std::array<esp::OpenJob, kBurst> open_jobs_;
  std::array<Path*, kBurst> open_paths_{};
  std::array<esp::SealJob, kBurst> seal_jobs_;
  std::array<Path*, kBurst> seal_paths_{};
  std::size_t seals_ = 0;
  std::vector<Frame> frames_;
  std::vector<transport::TxPacket> sealed_, hellos_;
  std::vector<Streamed> streamed_;
  std::vector<LaneCarrier> changes_;
  std::optional<Instant> next_tick_;  ///< while a lane wants any
  CounterArray<CarrierDrop> drops_;
  CounterArray<CarrierCount> counts_;
};

}  // namespace sluice::agent
