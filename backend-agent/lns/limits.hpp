#pragma once
// What a session may use: a rate for each direction, and for how long it may last or be idle. No clock: the
// time is that of the burst a packet came in. Thread: the data worker.

#include <optional>
#include <string_view>

#include "backend-agent/lns/messages.hpp"
#include "base/time.hpp"

namespace sluice::agent {

/// A token bucket, kept as the time at which it would be full again (the virtual scheduling of ITU-T I.371).
class RateLimit {
 public:
  /// Bits a second from now on; 0: none. The octets used before count on.
  void set(std::uint64_t bits_per_second, Instant now);
  /// Whether a packet of so many octets fits; if so, it is taken off.
  bool take(std::size_t octets, Instant now);

  /// What may pass at once beyond the rate: this long, or this much if that is more.
  static constexpr Duration kBurst = std::chrono::milliseconds(100);
  static constexpr std::uint64_t kLeastBurst = 24'000;

 private:
  std::uint64_t octet_ = 0;  ///< its time at this rate, in 2^-16 ns; 0: no limit
  Duration burst_{};
  Instant full_at_{};
};

class Limits {
 public:
  /// From now on; what was used before counts on.
  void set(const SessionPolicy& policy, Instant now);
  /// The session is up.
  void begin(Instant now);

  /// Whether an IP packet may pass, and that one did.
  bool take_up(std::size_t octets, Instant now) { return take(up_, octets, now); }
  bool take_down(std::size_t octets, Instant now) { return take(down_, octets, now); }

  struct End {
    std::string_view cause, text;
  };
  /// Why the session is to end, if it is.
  std::optional<End> expired(Instant now) const;
  std::optional<Instant> next_timeout() const;

  const SessionPolicy& policy() const { return policy_; }
  std::optional<Instant> began() const { return began_; }
  std::optional<Instant> last_packet() const { return last_packet_; }
  /// A session that goes on elsewhere.
  void resume(Instant began, Instant last_packet) {
    began_ = began;
    last_packet_ = last_packet;
  }

 private:
  bool take(RateLimit& rate, std::size_t octets, Instant now) {
    if (!rate.take(octets, now)) return false;
    last_packet_ = now;
    return true;
  }

  SessionPolicy policy_;
  RateLimit up_, down_;
  std::optional<Instant> began_, last_packet_;
};

}  // namespace sluice::agent
