#include "backend-agent/lns/limits.hpp"

#include <algorithm>
#include <utility>

namespace sluice::agent {
namespace {

constexpr unsigned kFraction = 16;

}  // namespace

void RateLimit::set(std::uint64_t bits_per_second, Instant now) {
  constexpr std::uint64_t kOctetAtOneBit = 8'000'000'000ULL << kFraction;
  const std::uint64_t before = std::exchange(
      octet_, bits_per_second == 0 ? 0 : std::max<std::uint64_t>(kOctetAtOneBit / bits_per_second, 1));
  burst_ = std::max<Duration>(kBurst, std::chrono::nanoseconds(octet_ * kLeastBurst >> kFraction));
  // The octets owed stay the same; the time they take does not.
  const Duration owed = before == 0 ? Duration{} : std::max(full_at_ - now, Duration{});
  const double changed = before == 0 ? 0 : static_cast<double>(octet_) / static_cast<double>(before);
  const double most = static_cast<double>(burst_.count());
  full_at_ =
      now + Duration(static_cast<Duration::rep>(std::min(static_cast<double>(owed.count()) * changed, most)));
}

bool RateLimit::take(std::size_t octets, Instant now) {
  if (octet_ == 0) return true;
  const Instant full = std::max(full_at_, now) + std::chrono::nanoseconds(octet_ * octets >> kFraction);
  if (full - now > burst_) return false;
  full_at_ = full;
  return true;
}

void Limits::set(const SessionPolicy& policy, Instant now) {
  policy_ = policy;
  up_.set(policy.rate_up, now);
  down_.set(policy.rate_down, now);
}

void Limits::begin(Instant now) {
  began_ = last_packet_ = now;
}

std::optional<Limits::End> Limits::expired(Instant now) const {
  if (!began_) return std::nullopt;
  if (policy_.session_timeout.count() > 0 && now - *began_ >= policy_.session_timeout) {
    return End{"session-timeout", "the session has lasted as long as it may"};
  }
  if (policy_.idle_timeout.count() > 0 && now - *last_packet_ >= policy_.idle_timeout) {
    return End{"idle-timeout", "nothing was sent or received for as long as it may be"};
  }
  return std::nullopt;
}

std::optional<Instant> Limits::next_timeout() const {
  std::optional<Instant> next;
  if (!began_) return next;
  if (policy_.session_timeout.count() > 0) next = *began_ + policy_.session_timeout;
  if (policy_.idle_timeout.count() > 0) {
    const Instant idle = *last_packet_ + policy_.idle_timeout;
    next = next ? std::min(*next, idle) : idle;
  }
  return next;
}

}  // namespace sluice::agent
