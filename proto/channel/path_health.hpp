#pragma once
// Whether UDP carries data between two workers, as one end sees it, in the manner of BFD's asynchronous mode
// (RFC 5880 §6.8): each end sends hellos that say whether it hears the other; UDP works while hellos come in
// that say so. Without that for `detect` it does not, and it is trusted again once it has worked for a while,
// longer each time it breaks soon after. No I/O, no clock; one thread.

#include <chrono>
#include <optional>

#include "base/time.hpp"
#include "proto/channel/path_hello.hpp"

namespace sluice::channel {

/// How often tick() is to be called: a hello leaves each time.
inline constexpr Duration kHelloInterval = std::chrono::milliseconds(150);

struct PathTimes {
  Duration detect = std::chrono::milliseconds(900);  ///< silence after which UDP counts as broken
  Duration steady = std::chrono::seconds(1);         ///< it must work so long to be trusted again
  Duration steady_max = std::chrono::seconds(16);
  Duration calm = std::chrono::seconds(30);  ///< working so long without a break takes it back to `steady`
};

class PathHealth {
 public:
  explicit PathHealth(Instant now, PathTimes times = {}) : times_(times), good_(now), steady_(times.steady) {}

  /// An authentic hello came in by UDP.
  void on_hello(const PathHello& hello, Instant now);
  /// Any other authentic packet did since the last call: as good as a hello that says the same as the last.
  /// Under load hellos may drown among data.
  void on_traffic(Instant now);
  /// Each kHelloInterval: what to send by UDP.
  PathHello tick(Instant now);

  /// Data may go by UDP.
  bool udp_works() const { return works_; }

 private:
  void good(Instant now);
  void bad(Instant now);

  PathTimes times_;
  bool works_ = true;  ///< until shown otherwise
  bool peer_hears_ = false;
  std::optional<Instant> heard_;       ///< when something last came in
  Instant good_;                       ///< when something last came in and the peer heard us
  std::optional<Instant> good_since_;  ///< of the present run
  Duration steady_;
  std::optional<Instant> returned_;  ///< when UDP was last trusted again
  std::uint32_t probe_seen_ = 0;
};

}  // namespace sluice::channel
