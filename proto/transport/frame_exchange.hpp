#pragma once
// How data frames get from a data worker to the thread that has the TLS data links, and back: two bounded
// queues of batches. Whoever finds a queue full drops and counts; nobody waits. A batch is frame records as
// they are on the wire (proto/channel/data_stream.hpp).

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/counters.hpp"
#include "base/spsc_queue.hpp"
#include "proto/channel/data_stream.hpp"
#include "proto/transport/packet.hpp"

namespace sluice::transport {

class FrameExchange {
 public:
  /// Frames towards one peer, named by a number of the worker's choice.
  struct Batch {
    std::uint32_t peer = 0;
    std::size_t frames = 0;
    ByteVector records;
  };

  // ---- the worker
  /// Takes the packets' bytes. Call flush() at the end of a turn.
  void put(std::uint32_t peer, Bytes packet);
  /// True: there is something for the other side, which wants to be woken.
  bool flush();
  /// Hands out what came in, in bursts with room around each packet; `take` gets a span<RxPacket> that is its
  /// own until it returns. False: nothing came.
  template <class F>
  bool receive(F&& take) {
    bool any = false;
    while (auto batch = in_.pop()) {
      any = true;
      channel::for_each_record(*batch, [&](Bytes record) {
        add(record.subspan(channel::kRecordHeader));
        if (count_ == kBurst) take(burst());
      });
      if (count_ > 0) take(burst());
    }
    return any;
  }

  // ---- the other thread
  std::optional<Batch> next() { return out_.pop(); }
  /// False: dropped and counted.
  bool give(Bytes records);

  /// Frames that a full queue cost.
  std::uint64_t dropped_out() const { return dropped_out_.read(); }
  std::uint64_t dropped_in() const { return dropped_in_.read(); }

 private:
  static constexpr std::size_t kBurst = 64;
  static constexpr std::size_t kBatches = 64;
  static constexpr std::size_t kBatchBytes = 64 * 1024;
  static constexpr std::size_t kSlot = kHeadRoom + kMaxInPlace + kTailRoom;

  void add(Bytes packet);
  std::span<RxPacket> burst();

  SpscQueue<Batch> out_{kBatches};
  SpscQueue<ByteVector> in_{kBatches};
  Batch pending_;
  bool waiting_ = false;  ///< something was queued since the last flush()
  std::unique_ptr<std::uint8_t[]> slots_;
  std::array<RxPacket, kBurst> packets_;
  std::size_t count_ = 0;
  Counter dropped_out_, dropped_in_;
};

}  // namespace sluice::transport
