#pragma once
// Numbers with a meaning are types, so that a session id is never passed where a tunnel id is wanted.

#include <compare>
#include <cstdint>
#include <functional>

namespace sluice {

template <class Tag, class Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != 0; }
  constexpr auto operator<=>(const StrongId&) const = default;

 private:
  Rep value_ = 0;
};

/// IPsec security parameter index (RFC 4301 §4.1). 0 means none.
using Spi = StrongId<struct SpiTag, std::uint32_t>;
/// L2TP tunnel id (RFC 2661 §3.1), chosen by the side that receives packets with it. 0 means not yet known.
using TunnelId = StrongId<struct TunnelIdTag, std::uint16_t>;
/// L2TP session id (RFC 2661 §3.1), likewise.
using SessionId = StrongId<struct SessionIdTag, std::uint16_t>;
/// The edge's number for one relayed tunnel on one channel; never reused within a channel's life. 0 means
/// none.
using RelayId = StrongId<struct RelayIdTag, std::uint32_t>;
/// The edge's number for one peer (an IKE identity and its SAs over time). 0 means none.
using PeerId = StrongId<struct PeerIdTag, std::uint32_t>;
/// The edge's number for one agent. 0 means none.
using BackendId = StrongId<struct BackendIdTag, std::uint32_t>;

}  // namespace sluice

template <class Tag, class Rep>
struct std::hash<sluice::StrongId<Tag, Rep>> {
  std::size_t operator()(const sluice::StrongId<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
