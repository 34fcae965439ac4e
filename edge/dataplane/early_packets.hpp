#pragma once
// Packets that overtake their SA. A client may send on a new SA as soon as it has our half of the exchange,
// some milliseconds before the IKE daemon has installed it here; at a rekey those packets would be lost. So
// packets for an SPI that was given out but is not installed yet wait, a few and not for long. Thread: the
// worker.

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/ip.hpp"
#include "base/time.hpp"

namespace sluice::edge {

class EarlyPackets {
 public:
  /// Per SPI, so that nobody who guesses one fills the room of another.
  static constexpr std::size_t kMaxPerSpi = 64;
  static constexpr std::size_t kMaxSpis = 1024;
  static constexpr Duration kMaxWait = std::chrono::seconds(1);

  struct Packet {
    ByteVector bytes;
    Endpoint remote;
    IpAddress local;
    std::uint16_t local_port = 0;  ///< 0: not in UDP
  };

  /// `spi` was given out. Beyond kMaxSpis the oldest is forgotten.
  void expect(Spi spi);
  bool expected(Spi spi) const { return !waiting_.empty() && waiting_.contains(spi); }
  /// False when the SPI is not expected or has kMaxPerSpi packets already.
  bool hold(Spi spi, Packet packet, Instant now);
  /// The SPI is installed, or given back: its packets that have not waited too long, in order.
  std::vector<Packet> take(Spi spi, Instant now);

 private:
  struct Waiting {
    std::vector<Packet> packets;
    Instant first{};
  };
  std::unordered_map<Spi, Waiting> waiting_;
  std::deque<Spi> order_;
};

}  // namespace sluice::edge
