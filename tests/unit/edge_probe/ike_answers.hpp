#pragma once
// Answers to an IKE_SA_INIT, for tests.

#include "base/bytes.hpp"

namespace sluice::edge::testing {

inline ByteVector notify_answer(std::uint64_t initiator_spi, std::uint16_t type, Bytes data) {
  ByteVector out(28 + 8 + data.size());
  ByteWriter to(out);
  to.u64(initiator_spi);
  to.u64(0);
  to.u8(41);
  to.u8(0x20);
  to.u8(34);
  to.u8(0x20);
  to.u32(0);
  to.u32(static_cast<std::uint32_t>(out.size()));
  to.u8(0);
  to.u8(0);
  to.u16(static_cast<std::uint16_t>(8 + data.size()));
  to.u16(0);
  to.u16(type);
  to.bytes(data);
  return out;
}

}  // namespace sluice::edge::testing
