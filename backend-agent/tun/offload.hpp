#pragma once
// Packets that cross the TUN device in bunches, with the header that says so (struct virtio_net_hdr, as
// IFF_VNET_HDR uses it): many packets of one flow as one large TCP or UDP packet. No I/O. Thread: whichever
// owns the object.

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace sluice::agent {

/// What stands in front of every packet that is read from or written to the device.
struct OffloadHeader {
  enum class Kind : std::uint8_t { kNone = 0, kTcp4 = 1, kTcp6 = 4, kUdp = 5 };
  static constexpr std::size_t kSize = 10;

  bool needs_checksum = false;  ///< the transport's checksum is only that of the pseudo header so far
  Kind kind = Kind::kNone;
  std::uint16_t header_size = 0;      ///< octets of all headers
  std::uint16_t segment_size = 0;     ///< octets of payload in each packet but the last
  std::uint16_t checksum_start = 0;   ///< where the transport header starts
  std::uint16_t checksum_offset = 0;  ///< and the checksum within it

  /// Nothing for a kind of offload that was not asked for.
  static std::optional<OffloadHeader> parse(Bytes bytes);
  void write(std::span<std::uint8_t, kSize> out) const;
};

enum class TunDrop : std::uint8_t {
  kWriteFull,   ///< the device would not take it
  kBadOffload,  ///< read: what the offload header says does not fit the packet
  kTooLarge,    ///< read: larger than any client takes
  kReadFailed,  ///< reading failed for another reason than an empty queue
  kCount
};
std::string_view to_string(TunDrop reason);

/// Completes the checksum of a packet that was left to the device. False when the header does not fit the
/// packet.
bool finish_checksum(const OffloadHeader& header, MutableBytes packet);

/// One large packet as the packets it stands for, checksums complete (what hardware would do for TSO and
/// USO).
class Segmenter {
 public:
  Segmenter() = default;
  /// `packet` must stay until done(). Nothing when the header does not fit it.
  static std::optional<Segmenter> make(const OffloadHeader& header, Bytes packet);

  bool done() const { return at_ >= payload_.size(); }
  /// Octets of the next packet.
  std::size_t next_size() const;
  /// Writes it to the start of `out`, which holds at least next_size().
  void next(MutableBytes out);

 private:
  void write_network(MutableBytes out) const;
  void write_transport(MutableBytes out, bool last) const;

  OffloadHeader::Kind kind_ = OffloadHeader::Kind::kNone;
  Bytes headers_, payload_;
  std::size_t transport_ = 0;  ///< where its header starts
  std::size_t segment_ = 0;
  std::size_t at_ = 0;  ///< of the payload
  std::uint16_t number_ = 0;
};

}  // namespace sluice::agent
