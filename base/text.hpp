#pragma once
// Text for people: strings from peers made harmless, bytes as hex.

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice {

/// A string a peer sent, fit for a log line or a terminal: printable ASCII stays, everything else, quotes and
/// backslashes become \xNN; cut at `max` input bytes with an ellipsis.
std::string escaped(std::string_view peer_text, std::size_t max = 128);

/// Lower-case hex without separators.
std::string to_hex(Bytes bytes);
/// Eight lower-case hex digits: an SPI as people write it.
std::string to_hex_word(std::uint32_t word);
/// The bytes of a hex string; blanks, colons and line ends between digits are passed over. Nothing if it is
/// not hex.
std::optional<ByteVector> from_hex(std::string_view text);

/// The name of `known` nearest to `word` (edit distance at most a third of its length), for "did you mean".
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace sluice
