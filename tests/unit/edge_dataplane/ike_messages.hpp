#pragma once
// IKE messages as far as headers go, for tests.

#include "edge/dataplane/ike_view.hpp"

namespace sluice::edge::testing {

struct IkeHeader {
  std::uint64_t initiator = 1, responder = 0;
  std::uint8_t next = 1, version = 0x10, exchange = 2, flags = 0;
};

inline ByteVector ike_message(const IkeHeader& header, Bytes body = {}) {
  ByteVector out(kIkeHeaderSize + body.size());
  ByteWriter to(out);
  to.u64(header.initiator);
  to.u64(header.responder);
  to.u8(header.next);
  to.u8(header.version);
  to.u8(header.exchange);
  to.u8(header.flags);
  to.u32(0);
  to.u32(static_cast<std::uint32_t>(out.size()));
  to.bytes(body);
  return out;
}

inline ByteVector main_mode(std::uint64_t initiator, std::uint64_t responder = 0, std::size_t body = 100) {
  return ike_message({.initiator = initiator, .responder = responder}, ByteVector(body));
}

/// An IKE_SA_INIT with N(COOKIE) in front.
inline ByteVector sa_init_with_cookie(std::uint64_t initiator, std::uint64_t cookie,
                                      std::uint8_t flags = 0x08) {
  ByteVector body{33, 0, 0, 16, 0, 0, 0x40, 0x06};
  body.resize(16);
  store_be64(body.data() + 8, cookie);
  return ike_message({.initiator = initiator, .next = 41, .version = 0x20, .exchange = 34, .flags = flags},
                     body);
}

}  // namespace sluice::edge::testing
