#pragma once
// How long the phases of clients' set-up take. Bounded: of handshakes that never end the oldest are
// forgotten. No I/O, no clock; thread: control.

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/ids.hpp"
#include "base/metrics/histogram.hpp"
#include "base/time.hpp"

namespace sluice::edge {

/// What has begun, and when.
template <class Key>
class Begun {
 public:
  static constexpr std::size_t kMax = 16384;

  /// The first time counts.
  void begin(const Key& key, Instant now) {
    if (!at_.try_emplace(key, now).second) return;
    order_.push_back({key, now});
    while (at_.size() > kMax || order_.size() > 2 * kMax) forget_oldest();
  }
  /// How long it took; nothing for what has not begun.
  std::optional<Duration> end(const Key& key, Instant now) {
    const auto found = at_.find(key);
    if (found == at_.end()) return std::nullopt;
    const auto took = now - found->second;
    at_.erase(found);
    return took;
  }
  std::size_t size() const { return at_.size(); }

 private:
  void forget_oldest() {
    const auto& [key, when] = order_.front();
    const auto found = at_.find(key);
    // It may have ended, and begun again, since.
    if (found != at_.end() && found->second == when) at_.erase(found);
    order_.pop_front();
  }
  std::unordered_map<Key, Instant> at_;
  std::deque<std::pair<Key, Instant>> order_;
};

class SetUpTimes {
 public:
  /// A packet of the handshake of that correlation id came in; its first counts.
  void ike_packet(const std::string& id, Instant now) {
    if (!id.empty()) handshakes_.begin(id, now);
  }
  void ike_up(const std::string& id, Instant now) { observe(ike_, handshakes_.end(id, now)); }
  /// The first session of a tunnel whose SCCRQ came at `sccrq` is agreed on: ICCN passed.
  void l2tp_up(RelayId relay, Instant sccrq, Instant now) {
    l2tp_.observe(now - sccrq);
    links_.begin(relay, now);
  }
  void ppp_up(RelayId relay, Instant now) { observe(ppp_, links_.end(relay, now)); }
  void tunnel_gone(RelayId relay) { links_.end(relay, Instant{}); }

  const metrics::Histogram& ike() const { return ike_; }
  const metrics::Histogram& l2tp() const { return l2tp_; }
  const metrics::Histogram& ppp() const { return ppp_; }

 private:
  static void observe(metrics::Histogram& histogram, std::optional<Duration> took) {
    if (took) histogram.observe(*took);
  }
  Begun<std::string> handshakes_;
  Begun<RelayId> links_;
  metrics::Histogram ike_, l2tp_, ppp_;
};

}  // namespace sluice::edge
