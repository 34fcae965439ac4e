#pragma once
// Joins runs of packets of one flow into large packets for the TUN device, as a network card's receive
// offload does: what the kernel makes of one is, packet for packet, what came in. No I/O. Thread: whichever
// owns the object.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "backend-agent/tun/offload.hpp"
#include "base/bytes.hpp"

namespace sluice::agent {

/// What tells the packets of a flow apart from others, and one from the next.
struct FlowPacket {
  MutableBytes packet;
  OffloadHeader::Kind kind = OffloadHeader::Kind::kNone;
  std::size_t transport = 0;  ///< where its header starts
  std::size_t headers = 0;    ///< octets of all headers
  std::size_t payload() const { return packet.size() - headers; }
};
/// A packet that may be joined with others: TCP with data and no flag but ACK and PSH, or UDP with data; not
/// fragmented, without IP options or extension headers.
std::optional<FlowPacket> parse_flow_packet(MutableBytes ip);

class Coalescer {
 public:
  static constexpr std::size_t kMaxPackets = 256;

  /// `udp`: the device takes UDP in bunches, too (Linux 6.2).
  explicit Coalescer(bool udp = true) : udp_(udp) {}

  /// Takes an IP packet, which must stay until clear() and whose headers may be changed. At most kMaxPackets.
  void add(MutableBytes ip);
  bool full() const { return packets_.size() == kMaxPackets; }
  bool empty() const { return packets_.empty(); }
  std::size_t size() const { return packets_.size(); }
  void clear();

  /// One write to the device: the offload header, a packet, and the payloads of those that follow it in the
  /// run.
  struct Write {
    std::array<std::uint8_t, OffloadHeader::kSize> header;
    std::vector<Bytes> pieces;
    std::size_t packets = 0;
  };
  /// Calls `write` for each, in an order in which the packets of a flow keep theirs.
  template <class F>
  void for_each_write(F&& write) {
    for (const Run& run : runs_) {
      prepare(run);
      write(static_cast<const Write&>(scratch_));
    }
  }

 private:
  static constexpr std::size_t kSlots = 64;
  static constexpr std::uint16_t kNone = 0xffff;
  /// The kernel's limits: an IP packet, and UDP_MAX_SEGMENTS.
  static constexpr std::size_t kMaxBytes = 65000;
  static constexpr std::size_t kMaxSegments = 64;

  struct Held {
    FlowPacket flow;
    std::uint16_t next = kNone;  ///< in the run
  };
  struct Run {
    std::uint16_t first = 0, last = 0;
    std::uint16_t count = 1;
    std::size_t bytes = 0;
    bool verified = false;  ///< the first packet's checksums are right
    bool closed = false;
  };

  void close_flow(Bytes ip);
  bool join(Run& run, std::uint16_t index);
  bool continues(const Run& run, const FlowPacket& packet) const;
  void prepare(const Run& run);
  OffloadHeader rewrite(const Run& run);

  bool udp_;
  std::vector<Held> packets_;
  std::vector<Run> runs_;
  std::array<std::uint16_t, kSlots> slots_ = filled();  ///< the open run of a flow, by its hash
  Write scratch_;

  static constexpr std::array<std::uint16_t, kSlots> filled() {
    std::array<std::uint16_t, kSlots> out{};
    out.fill(kNone);
    return out;
  }
};

}  // namespace sluice::agent
