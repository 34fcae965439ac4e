#pragma once
// What both ends of a data path tell each other on UDP several times a second: whether they hear the other,
// and which size probe came through. It stands where an L2TP packet would, behind relay id 0.

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace sluice::channel {

struct PathHello {
  bool heard = false;            ///< something of yours came in lately
  std::uint32_t probe = 0;       ///< not 0: this hello is as large as what it probes, and this is its number
  std::uint32_t probe_seen = 0;  ///< the number of your last probe that came in
  bool operator==(const PathHello&) const = default;
};

/// Without padding, and without the relay id before it.
inline constexpr std::size_t kHelloBytes = 12;

/// Nothing where it is too short or of a kind that is not known. Bytes that follow are padding.
std::optional<PathHello> parse_hello(Bytes bytes);
/// Fills all of `out`, at least kHelloBytes; zeros follow the hello.
void write_hello(const PathHello& hello, MutableBytes out);

}  // namespace sluice::channel
