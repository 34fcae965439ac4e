#include "proto/channel/path_health.hpp"

#include <algorithm>
#include <utility>

namespace sluice::channel {

void PathHealth::on_hello(const PathHello& hello, Instant now) {
  heard_ = now;
  if (hello.probe != 0) probe_seen_ = hello.probe;
  const bool heard_before = std::exchange(peer_hears_, hello.heard);
  if (hello.heard) return good(now);
  // It has just stopped hearing us: no need to wait. One that never heard us may be about to.
  if (heard_before) bad(now);
  good_since_.reset();
}

void PathHealth::on_traffic(Instant now) {
  heard_ = now;
  if (peer_hears_) good(now);
}

void PathHealth::good(Instant now) {
  if (now - good_ >= times_.detect) good_since_.reset();
  good_ = now;
  if (!good_since_) good_since_ = now;
  if (works_ || now - *good_since_ < steady_) return;
  works_ = true;
  returned_ = now;
}

void PathHealth::bad(Instant now) {
  if (!works_) return;
  works_ = false;
  const bool soon = returned_ && now - *returned_ < times_.calm;
  steady_ = soon ? std::min(steady_ * 2, times_.steady_max) : times_.steady;
}

PathHello PathHealth::tick(Instant now) {
  if (now - good_ >= times_.detect) bad(now);
  return {.heard = heard_ && now - *heard_ < times_.detect, .probe = 0, .probe_seen = probe_seen_};
}

}  // namespace sluice::channel
