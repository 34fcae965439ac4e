#include "esp/sa.hpp"

#include <algorithm>

namespace sluice::esp {
namespace {

constexpr std::uint64_t kNoLimit = UINT64_MAX;

std::uint64_t or_none(std::uint64_t limit) {
  return limit == 0 ? kNoLimit : limit;
}

/// Highest sequence number of an SA.
std::uint64_t last_number(bool extended_sequence) {
  return extended_sequence ? UINT64_MAX : UINT32_MAX;
}

// Room left for a rekey when sequence numbers run out: at a million packets a second a little over four
// minutes.
constexpr std::uint64_t kRekeyMargin = std::uint64_t{1} << 28;

SaLimits none_as_largest(const SaLimits& l) {
  return {or_none(l.soft_bytes), or_none(l.hard_bytes), or_none(l.soft_packets), or_none(l.hard_packets)};
}

// RFC 4303 §3.3.3: a new SA has to be there before the sequence number would cycle.
SaLimits outbound_limits(const SaParameters& p) {
  SaLimits limits = none_as_largest(p.limits);
  const std::uint64_t last = last_number(p.extended_sequence);
  const std::uint64_t left = last - std::min(p.last_sequence, last);
  limits.hard_packets = std::min(limits.hard_packets, std::max<std::uint64_t>(left, 1));
  if (left > kRekeyMargin) limits.soft_packets = std::min(limits.soft_packets, left - kRekeyMargin);
  return limits;
}

}  // namespace

Sa::Sa(Engine& engine, const SaParameters& p, void* key, std::size_t footprint, const SaLimits& limits)
    : suite_(p.suite),
      key_(key),
      spi_(p.spi),
      esn_(p.extended_sequence),
      footprint_(static_cast<std::uint32_t>(footprint)),
      next_packets_(std::min(limits.soft_packets, limits.hard_packets)),
      next_bytes_(std::min(limits.soft_bytes, limits.hard_bytes)),
      engine_(&engine) {
  const Bytes salt = p.encryption_key.subspan(p.suite->key_size);
  std::copy(salt.begin(), salt.end(), salt_);
}

LimitEvent Sa::reached(const SaLimits& limits) {
  const auto at = [this](std::uint64_t packets, std::uint64_t bytes) {
    return packets_.read() >= packets || bytes_.read() >= bytes;
  };
  if (!expired_ && at(limits.hard_packets, limits.hard_bytes)) {
    expired_ = soft_reached_ = true;
    next_packets_ = next_bytes_ = kNoLimit;
    return LimitEvent::kHard;
  }
  if (!soft_reached_ && at(limits.soft_packets, limits.soft_bytes)) {
    soft_reached_ = true;
    next_packets_ = limits.hard_packets;
    next_bytes_ = limits.hard_bytes;
    return LimitEvent::kSoft;
  }
  return LimitEvent::kNone;
}

InboundSa::InboundSa(Engine& engine, const SaParameters& p, void* key, std::size_t footprint)
    : Sa(engine, p, key, footprint, none_as_largest(p.limits)),
      replay_(p.replay_window == 0 ? ReplayWindow::kDefaultSize : p.replay_window, p.last_sequence),
      limits_(none_as_largest(p.limits)) {}

OutboundSa::OutboundSa(Engine& engine, const SaParameters& p, void* key, std::size_t footprint)
    : Sa(engine, p, key, footprint, outbound_limits(p)),
      last_sequence_(p.last_sequence),
      may_use_(p.last_sequence),
      ask_at_(kNoLimit),
      limits_(outbound_limits(p)) {
  reserve(p.reserved);
}

void OutboundSa::reserve(std::uint64_t last) {
  last = std::min(last, last_number(extended_sequence()));
  if (last <= may_use_) return;
  may_use_ = last;
  // What is reserved to the very end needs no asking.
  ask_at_ =
      last == last_number(extended_sequence()) ? kNoLimit : last_sequence_ + (last - last_sequence_) / 2;
}

}  // namespace sluice::esp
