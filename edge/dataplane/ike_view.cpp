#include "edge/dataplane/ike_view.hpp"

namespace sluice::edge {
namespace {

// RFC 2408 §3.1, RFC 7296 §3.1 and §3.10.1.
constexpr std::uint8_t kMainMode = 2, kAggressiveMode = 4, kIkeSaInit = 34;
constexpr std::uint8_t kFlagResponse = 0x20;
constexpr std::uint8_t kNotifyPayload = 41;
constexpr std::uint16_t kNotifyCookie = 16390;
constexpr std::size_t kGenericHeader = 4, kNotifyHeader = 8;
constexpr std::size_t kTokenSize = 8;

bool begins(std::uint8_t version, std::uint8_t exchange) {
  return version == 1 ? exchange == kMainMode || exchange == kAggressiveMode : exchange == kIkeSaInit;
}

// RFC 7296 §2.6: the cookie is the first payload of the repeated request, and the only one of the answer that
// asks for it.
std::uint64_t read_cookie(ByteReader in) {
  in.skip(2);  // next payload, flags
  const std::uint16_t length = in.u16();
  if (length < kNotifyHeader + kTokenSize || length - kGenericHeader > in.remaining()) return 0;
  in.skip(1);  // protocol
  const std::uint8_t spi_size = in.u8();
  const std::uint16_t type = in.u16();
  if (spi_size != 0 || type != kNotifyCookie) return 0;
  const std::uint64_t cookie = in.u64();
  return in.ok() ? cookie : 0;
}

}  // namespace

std::optional<IkeView> view_ike(Bytes message) {
  ByteReader in(message);
  IkeView view;
  view.initiator_spi = in.u64();
  view.responder_spi = in.u64();
  const std::uint8_t next_payload = in.u8();
  view.major_version = in.u8() >> 4;
  view.exchange = in.u8();
  const std::uint8_t flags = in.u8();
  in.skip(4);  // message id
  const std::uint32_t length = in.u32();
  if (!in.ok() || length < kIkeHeaderSize || length > message.size()) return std::nullopt;
  if (view.initiator_spi == 0 || (view.major_version != 1 && view.major_version != 2)) return std::nullopt;
  view.response = view.major_version == 2 && (flags & kFlagResponse) != 0;
  if (!view.first()) return view;
  if (!begins(view.major_version, view.exchange)) return std::nullopt;
  if (view.major_version == 2 && next_payload == kNotifyPayload)
    view.cookie = read_cookie(in.sub(length - kIkeHeaderSize));
  return view;
}

}  // namespace sluice::edge
