#pragma once
// Security associations as the packet path sees them. An SA belongs to the engine that made it and to that
// engine's thread; counters may be read from any thread while the SA lives. The engine outlives its SAs.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "base/counters.hpp"
#include "base/ids.hpp"
#include "esp/job.hpp"
#include "esp/prefetch.hpp"
#include "esp/replay.hpp"
#include "esp/suite.hpp"

namespace sluice::esp {

class Engine;

/// 0: no limit. Bytes are those of payloads. Reaching soft gives one event; reaching hard gives one, and from
/// then on every packet is refused. Limits by time are the data plane's: an engine knows no clock.
struct SaLimits {
  std::uint64_t soft_bytes = 0, hard_bytes = 0;
  std::uint64_t soft_packets = 0, hard_packets = 0;
};

struct SaParameters {
  Spi spi;
  const Suite* suite = nullptr;
  Bytes encryption_key;  ///< suite->keying_size() bytes, the salt at the end
  Bytes integrity_key;   ///< suite->integrity_key_size bytes
  bool extended_sequence = false;
  std::uint32_t replay_window = 0;      ///< packets, inbound; 0: ReplayWindow::kDefaultSize
  std::uint64_t last_sequence = 0;      ///< numbers up to this one count as used (outbound) or seen (inbound)
  std::uint64_t reserved = UINT64_MAX;  ///< outbound: numbers beyond this one may not be used yet
  SaLimits limits;
};

/// What both directions share. The first cache line and the start of the second are all that a packet
/// touches, apart from the line of its bit in the replay window; what every packet of a direction needs
/// follows in the second line.
class alignas(64) Sa {
 public:
  Sa(const Sa&) = delete;
  Sa& operator=(const Sa&) = delete;

  Spi spi() const { return spi_; }
  const Suite& suite() const { return *suite_; }
  bool extended_sequence() const { return esn_; }
  bool expired() const { return expired_; }
  /// Refuses every packet from now on: the owner saw its limit by time.
  void expire() { expired_ = true; }
  std::uint64_t packets() const { return packets_.read(); }
  std::uint64_t bytes() const { return bytes_.read(); }

  /// Whatever the data plane hangs on the SA: its peer.
  void* user() const { return user_; }
  void set_user(void* user) { user_ = user; }

  /// Bytes of memory this SA takes, key schedule included.
  std::size_t footprint() const { return footprint_; }

 protected:
  friend class Engine;
  friend struct SaDeleter;
  Sa(Engine& engine, const SaParameters& p, void* key, std::size_t footprint, const SaLimits& limits);
  ~Sa() = default;

  /// Adds one packet; tells which of the limits it reached.
  LimitEvent count(std::uint32_t payload, const SaLimits& limits) {
    packets_.add();
    bytes_.add(payload);
    if (packets_.read() < next_packets_ && bytes_.read() < next_bytes_) [[likely]]
      return LimitEvent::kNone;
    return reached(limits);
  }
  LimitEvent reached(const SaLimits& limits);

  const Suite* suite_;
  void* key_;
  Spi spi_;
  std::uint8_t salt_[4] = {};
  bool esn_;
  bool expired_ = false;
  bool soft_reached_ = false;
  std::uint32_t footprint_;
  std::uint64_t next_packets_, next_bytes_;  ///< the nearest limits
  Counter packets_, bytes_;

  void* user_ = nullptr;
  Engine* engine_;
  Job* first_job_ = nullptr;  ///< in an asynchronous engine, oldest first
  Job* last_job_ = nullptr;
};

static_assert(sizeof(Sa) == 128);

class InboundSa final : public Sa {
 public:
  const ReplayWindow& replay() const { return replay_; }

  /// Call it as soon as the packet's SA is known, some packets ahead of opening it. Reads nothing of the SA.
  /// The engine fetches the key itself.
  void prefetch(std::uint32_t sequence = 0) const {
    prefetch_lines(this, 0, sizeof(Sa));
    prefetch_line(replay_.place_of(sequence));
  }

 private:
  friend class Engine;
  friend struct SaDeleter;
  InboundSa(Engine& engine, const SaParameters& p, void* key, std::size_t footprint);

  ReplayWindow replay_;
  SaLimits limits_;  ///< with "none" as the largest number
};

class OutboundSa final : public Sa {
 public:
  /// The sequence number last used; 0 before the first packet.
  std::uint64_t last_sequence() const { return last_sequence_; }
  /// The highest number that may be used.
  std::uint64_t reserved() const { return may_use_; }
  /// Numbers up to `last` may be used from now on. Never takes leave back.
  void reserve(std::uint64_t last);

  /// As InboundSa's.
  void prefetch() const { prefetch_lines(this, 0, sizeof(Sa)); }

 private:
  friend class Engine;
  friend struct SaDeleter;
  OutboundSa(Engine& engine, const SaParameters& p, void* key, std::size_t footprint);

  std::uint64_t last_sequence_;
  std::uint64_t may_use_;  ///< what is reserved, and what there is
  std::uint64_t ask_at_;   ///< reaching it gives LimitEvent::kReserve, once
  SaLimits limits_;
};

/// Wipes the SA and its keys and gives the memory back to the engine. On the engine's thread; no job may be
/// under way.
struct SaDeleter {
  void operator()(InboundSa* sa) const;
  void operator()(OutboundSa* sa) const;
};
using InboundSaPtr = std::unique_ptr<InboundSa, SaDeleter>;
using OutboundSaPtr = std::unique_ptr<OutboundSa, SaDeleter>;

}  // namespace sluice::esp
