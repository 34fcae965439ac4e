#pragma once
// What an ESP packet of the data carrier holds once opened: a relay id (32 bits, big-endian) and the L2TP
// packet from its first header byte on, with next header 115 (L2TP, RFC 3931 §4.1.1 has the number). Behind
// relay id 0 stands a hello of the path (path_hello.hpp). A dummy packet (next header 59, RFC 4303 §2.6) is
// nothing; an engine reports it as DropReason::kDummy.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "proto/channel/path_hello.hpp"

namespace sluice::channel {

inline constexpr std::uint8_t kNextHeaderRelay = 115;
inline constexpr std::uint8_t kNextHeaderKeepalive = 59;
inline constexpr std::size_t kRelayHeader = 4;
/// The shortest L2TP header (RFC 2661 §3.1): flags, tunnel id, session id.
inline constexpr std::size_t kMinL2tp = 6;

enum class DataFrameError : std::uint8_t { kNextHeader, kTooShort, kBadHello, kCount };
std::string_view to_string(DataFrameError error);

struct DataFrame {
  RelayId relay;        ///< 0 for a dummy or a hello
  MutableBytes l2tp{};  ///< within the payload given; empty without a relay
  PathHello hello{};    ///< where is_hello
  bool is_hello = false;
};

/// Reads an opened packet in place.
Result<DataFrame, DataFrameError> parse_data_frame(std::uint8_t next_header, MutableBytes payload);
/// Writes the relay id into `header`, which must be the kRelayHeader bytes right before the L2TP packet.
inline void put_relay_header(std::uint8_t* header, RelayId relay) {
  store_be32(header, relay.value());
}

}  // namespace sluice::channel
