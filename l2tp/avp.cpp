#include "l2tp/avp.hpp"

#include <algorithm>

namespace sluice::l2tp {
namespace {

constexpr std::uint16_t kMandatoryBit = 0x8000;
constexpr std::uint16_t kHiddenBit = 0x4000;
constexpr std::uint16_t kReservedBits = 0x3c00;
constexpr std::uint16_t kLengthMask = 0x03ff;
constexpr std::size_t kAvpHeader = 6;

}  // namespace

Result<Avp, DropReason> read_avp(ByteReader& in) {
  // §4.1: six octets of header, counted by Length.
  const std::uint16_t bits = in.u16();
  Avp avp;
  avp.mandatory = (bits & kMandatoryBit) != 0;
  avp.hidden = (bits & kHiddenBit) != 0;
  avp.reserved = (bits & kReservedBits) != 0;
  avp.vendor = in.u16();
  avp.type = in.u16();
  const std::size_t length = bits & kLengthMask;
  if (!in.ok() || length < kAvpHeader) return Failure{DropReason::kAvpStructure};
  avp.value = in.bytes(length - kAvpHeader);
  if (!in.ok()) return Failure{DropReason::kAvpStructure};
  return avp;
}

void write_avp(const Avp& avp, ByteWriter& out) {
  if (avp.value.size() > kMaxAvpValue || out.room() < kAvpHeader + avp.value.size()) {
    out.zeros(out.room() + 1);  // does not fit: turns ok() false without a write
    return;
  }
  unsigned bits = static_cast<unsigned>(kAvpHeader + avp.value.size());
  if (avp.mandatory) bits |= kMandatoryBit;
  if (avp.hidden) bits |= kHiddenBit;
  out.u16(static_cast<std::uint16_t>(bits));
  out.u16(avp.vendor);
  out.u16(avp.type);
  out.bytes(avp.value);
}

}  // namespace sluice::l2tp
