#include "edge/placement/agent_health.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::edge {
namespace {

// An ejection is forgotten after so long without another.
constexpr auto kForgetEjection = std::chrono::minutes(2);
constexpr unsigned kMostDoublings = 16;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::optional<Instant> ahead(const std::optional<Instant>& until, Instant now) {
  return until && *until > now ? until : std::nullopt;
}

}  // namespace

void AgentHealth::refused(const HealthSettings& settings, Instant now) {
  if (++refusals_ >= settings.eject_after) eject(settings, now);
}

void AgentHealth::failed(const HealthSettings& settings, Instant now) {
  eject(settings, now);
}

void AgentHealth::eject(const HealthSettings& settings, Instant now) {
  refusals_ = 0;
  if (ahead(ejected_until_, now)) return;  // what was under way when it began
  if (ejected_until_) {
    const auto quiet = static_cast<std::uint64_t>((now - *ejected_until_) / kForgetEjection);
    ejections_ -= static_cast<unsigned>(std::min<std::uint64_t>(ejections_, quiet));
  }
  const Duration wanted = settings.eject_first * (std::int64_t{1} << std::min(ejections_, kMostDoublings));
  ejected_until_ = now + std::min<Duration>(wanted, settings.eject_max);
  ++ejections_;
}

void AgentHealth::came(double behind, Instant now) {
  behind_ = std::max(behind, 0.0);
  came_ = now;
}

void AgentHealth::lost(const HealthSettings& settings, Instant now) {
  const double half_life = std::max(seconds(settings.flap_half_life), 1.0);
  flaps_ = flaps_ * std::exp2(-seconds(now - flapped_) / half_life) + 1;
  flapped_ = now;
  if (settings.flap_limit == 0 || flaps_ < settings.flap_limit - 0.5) return;
  // Until it counts as one loss again.
  damped_until_ = now + std::chrono::duration_cast<Duration>(
                            std::chrono::duration<double>(half_life * std::log2(flaps_)));
}

std::optional<Instant> AgentHealth::ejected_until(Instant now) const {
  return ahead(ejected_until_, now);
}

std::optional<Instant> AgentHealth::damped_until(Instant now) const {
  return ahead(damped_until_, now);
}

double AgentHealth::handicap(const HealthSettings& settings, Instant now) const {
  const double whole = seconds(settings.slow_start);
  const double passed = seconds(now - came_);
  return passed >= whole ? 0 : behind_ * (1 - std::max(passed, 0.0) / whole);
}

}  // namespace sluice::edge
