#pragma once
// What a capture takes from the packet path: which packets, in which form, and the bounded way from a worker
// to the control thread. Passwords are blanked before a packet gets in here.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/counters.hpp"
#include "base/ids.hpp"
#include "base/ip.hpp"
#include "base/spsc_queue.hpp"
#include "base/time.hpp"

namespace sluice::edge {

/// Where on its way through the edge a packet is looked at.
enum class CapturePoint : std::uint8_t {
  kEsp,   ///< outside: ESP, and IKE, as IP packets
  kL2tp,  ///< inside ESP: L2TP in UDP, as IP packets
  kPpp,   ///< inside L2TP: PPP frames with address and control in front
  kCount
};
constexpr std::string_view name_of(CapturePoint point) {
  switch (point) {
    case CapturePoint::kEsp:
      return "esp";
    case CapturePoint::kL2tp:
      return "l2tp";
    case CapturePoint::kPpp:
      return "ppp";
    case CapturePoint::kCount:
      break;
  }
  return "?";
}
inline constexpr std::size_t kCapturePoints = static_cast<std::size_t>(CapturePoint::kCount);

struct CapturedPacket {
  CapturePoint point{};
  bool from_client = false;
  PeerId peer;             ///< 0: not known, a stranger's
  std::uint64_t time = 0;  ///< nanoseconds since the epoch
  ByteVector bytes;
};

/// Whose packets; one that fits is enough.
struct CaptureFilter {
  std::optional<IpAddress> client;  ///< everybody at this public address, whether known or not
  std::vector<PeerId> peers;
  std::vector<Endpoint> places;  ///< where those peers speak IKE from

  bool fits(PeerId peer, const Endpoint& remote) const;
  bool fits(const Endpoint& remote) const;
};

struct CaptureTapConfig {
  std::uint32_t id = 0;
  CaptureFilter filter;
  std::uint32_t points = 0;  ///< a bit for each CapturePoint
  Duration clock{};          ///< what to add to an Instant for the time since the epoch
};

/// One worker's tap of one capture. Thread: the tapped one, but for next() and dropped(), which are the
/// control thread's.
class CaptureTap {
 public:
  static constexpr std::size_t kMaxPackets = 4096;
  static constexpr std::size_t kMaxBytes = 4 * 1024 * 1024;

  explicit CaptureTap(CaptureTapConfig config) : config_(std::move(config)), queue_(kMaxPackets) {}

  std::uint32_t id() const { return config_.id; }
  bool fits(PeerId peer, const Endpoint& remote) const { return config_.filter.fits(peer, remote); }
  bool fits(const Endpoint& remote) const { return config_.filter.fits(remote); }

  /// How a packet travels outside.
  enum class Outer : std::uint8_t { kUdp, kUdpMarked, kEsp };
  struct Way {
    Endpoint local, remote;
    bool from_client = false;
    PeerId peer;
  };
  /// ESP, or IKE without its marker.
  void outer(const Way& way, Outer how, Bytes payload, Instant now);
  /// What ESP carries: a UDP header, L2TP; gives both inner points what they want.
  void inner(const Way& way, Bytes udp, Instant now);

  std::optional<CapturedPacket> next();
  /// Packets that the control thread was too slow for.
  std::uint64_t dropped(CapturePoint point) const { return dropped_.read(point); }

 private:
  bool wants(CapturePoint point) const { return (config_.points >> static_cast<unsigned>(point) & 1) != 0; }
  void put(CapturePoint point, const Way& way, ByteVector bytes, Instant now);

  CaptureTapConfig config_;
  SpscQueue<CapturedPacket> queue_;
  Counter bytes_in_, bytes_out_;
  CounterArray<CapturePoint> dropped_;
};

/// An IP packet around `payload`, as if it had travelled without fragments; empty where that cannot be.
ByteVector ip_packet(const IpAddress& from, const IpAddress& to, std::uint8_t protocol, Bytes payload);

}  // namespace sluice::edge
