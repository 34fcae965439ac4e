#include "proto/channel/path_mtu.hpp"

#include <utility>

namespace sluice::channel {

std::optional<PathMtu::Probe> PathMtu::poll(Instant now) {
  if (now < next_) return std::nullopt;
  if (tries_ == kTries) {
    tries_ = 0;
    if (trying_ + 1 == kSizes.size()) {
      // Not even the smallest: that is no question of size.
      next_ = now + kConfirm;
      return std::nullopt;
    }
    ++trying_;
  } else if (tries_ == 0 && trying_ > 0 && now >= raise_at_) {
    trying_ = 0;
    raise_at_ = now + kRaise;
  }
  ++tries_;
  if (++number_ == 0) ++number_;
  next_ = now + kRetry;
  return Probe{number_, kSizes[trying_]};
}

bool PathMtu::on_seen(std::uint32_t number, Instant now) {
  if (number == 0 || number != number_ || number == seen_) return false;
  seen_ = number;
  tries_ = 0;
  next_ = now + kConfirm;
  return std::exchange(known_, kSizes[trying_]) != kSizes[trying_];
}

}  // namespace sluice::channel
