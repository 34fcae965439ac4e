#pragma once
// What is remembered of an agent over its connections: refusals, losses, and since when it is here. No I/O,
// no clock. Thread: control.

#include <chrono>
#include <optional>

#include "base/time.hpp"

namespace sluice::edge {

struct HealthSettings {
  std::uint32_t eject_after = 3;  ///< refusals in a row
  std::chrono::seconds eject_first{5};
  std::chrono::seconds eject_max{
      300};  ///< each further ejection lasts twice as long as the one before, up to this
  std::chrono::seconds slow_start{30};  ///< over which a newcomer catches up with the others
  std::uint32_t flap_limit = 3;         ///< losses of its channel, old ones counting less
  std::chrono::seconds flap_half_life{60};
  bool operator==(const HealthSettings&) const = default;
};

class AgentHealth {
 public:
  /// It took a tunnel.
  void accepted() { refusals_ = 0; }
  /// It refused one.
  void refused(const HealthSettings& settings, Instant now);
  /// It did not answer, or a probe found it silent: out at once.
  void failed(const HealthSettings& settings, Instant now);
  /// Its channel is up; `behind` is how many tunnels it has less than its fair share.
  void came(double behind, Instant now);
  /// Its channel broke without a goodbye.
  void lost(const HealthSettings& settings, Instant now);

  std::optional<Instant> ejected_until(Instant now) const;
  std::optional<Instant> damped_until(Instant now) const;
  /// Tunnels that it is taken to have besides its own, so that it catches up slowly.
  double handicap(const HealthSettings& settings, Instant now) const;

 private:
  void eject(const HealthSettings& settings, Instant now);

  std::uint32_t refusals_ = 0;
  unsigned ejections_ = 0;  ///< lately
  std::optional<Instant> ejected_until_, damped_until_;
  double flaps_ = 0;
  Instant flapped_{};
  double behind_ = 0;
  Instant came_{};
};

}  // namespace sluice::edge
