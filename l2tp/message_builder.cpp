#include <algorithm>

#include "l2tp/message.hpp"

namespace sluice::l2tp {

MessageBuilder::MessageBuilder(std::uint16_t type, bool mandatory) : type_(type), writer_(buffer_) {
  std::uint8_t value[2];
  store_be16(value, type);
  raw({.mandatory = mandatory, .type = static_cast<std::uint16_t>(AvpType::kMessageType), .value = value});
}

MessageBuilder& MessageBuilder::raw(const Avp& avp) {
  write_avp(avp, writer_);
  return *this;
}

MessageBuilder& MessageBuilder::bytes(AvpType type, Bytes value) {
  const auto number = static_cast<std::uint16_t>(type);
  const AvpInfo* info = avp_info(number);
  // Cut rather than fail: only text is ever this long.
  return raw({.mandatory = info && info->mandatory,
              .type = number,
              .value = value.first(std::min(value.size(), kMaxAvpValue))});
}

MessageBuilder& MessageBuilder::u16(AvpType type, std::uint16_t value) {
  std::uint8_t raw_value[2];
  store_be16(raw_value, value);
  return bytes(type, raw_value);
}

MessageBuilder& MessageBuilder::u32(AvpType type, std::uint32_t value) {
  std::uint8_t raw_value[4];
  store_be32(raw_value, value);
  return bytes(type, raw_value);
}

MessageBuilder& MessageBuilder::u64(AvpType type, std::uint64_t value) {
  std::uint8_t raw_value[8];
  store_be64(raw_value, value);
  return bytes(type, raw_value);
}

MessageBuilder& MessageBuilder::result(std::uint16_t result, std::uint16_t error, std::string_view text) {
  std::array<std::uint8_t, kMaxAvpValue> value;
  ByteWriter out(value);
  out.u16(result);
  // §4.4.2: error code and message are optional; the message needs the code in front.
  if (error != 0 || !text.empty()) out.u16(error);
  out.bytes(as_bytes(text.substr(0, out.room())));
  return bytes(AvpType::kResultCode, out.written());
}

MessageBuilder& MessageBuilder::ppp_cause(const PppCause& cause) {
  std::array<std::uint8_t, kMaxAvpValue> value;
  ByteWriter out(value);
  out.u16(static_cast<std::uint16_t>(cause.code));
  out.u16(cause.protocol);
  out.u8(static_cast<std::uint8_t>(cause.direction));
  out.bytes(as_bytes(std::string_view(cause.text).substr(0, out.room())));
  return bytes(AvpType::kPppDisconnectCause, out.written());
}

MessageBuilder& MessageBuilder::hidden(AvpType type, Bytes value, const Secret& secret,
                                       RandomSource& random) {
  std::array<std::uint8_t, 16> vector;
  random.fill(vector);
  bytes(AvpType::kRandomVector, vector);

  // §4.3: padding hides the length of the value.
  constexpr std::size_t kRound = 16;
  const std::size_t size = std::min((2 + value.size() + kRound - 1) / kRound * kRound, kMaxAvpValue);
  value = value.first(std::min(value.size(), size - 2));
  ByteVector cover(size);
  random.fill(cover);
  ByteWriter out(cover);
  out.u16(static_cast<std::uint16_t>(value.size()));
  out.bytes(value);
  const auto number = static_cast<std::uint16_t>(type);
  hide(number, secret.bytes(), vector, cover);
  const AvpInfo* info = avp_info(number);
  return raw({.mandatory = info && info->mandatory, .hidden = true, .type = number, .value = cover});
}

namespace {

ByteVector with_header(TunnelId tunnel, SessionId session, std::uint16_t ns, std::uint16_t nr, Bytes avps) {
  const Header header{.control = true,
                      .has_length = true,
                      .has_sequence = true,
                      .tunnel = tunnel,
                      .session = session,
                      .ns = ns,
                      .nr = nr};
  ByteVector packet(kControlHeaderSize + avps.size());
  ByteWriter out(packet);
  write_header(header, avps.size(), out);
  out.bytes(avps);
  return packet;
}

}  // namespace

ByteVector MessageBuilder::finish(TunnelId tunnel, SessionId session, std::uint16_t ns,
                                  std::uint16_t nr) const {
  return with_header(tunnel, session, ns, nr, writer_.written());
}

ByteVector make_zlb(TunnelId tunnel, std::uint16_t ns, std::uint16_t nr) {
  return with_header(tunnel, SessionId{}, ns, nr, {});
}

}  // namespace sluice::l2tp
