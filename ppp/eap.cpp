#include "ppp/eap.hpp"

namespace sluice::ppp {
namespace {

constexpr std::size_t kHeader = 4;
/// OpCode, MS-CHAPv2-ID and MS-Length.
constexpr std::size_t kMsHeader = 4;

bool has_value(EapMsOp op) {
  return op == EapMsOp::kChallenge || op == EapMsOp::kResponse;
}

}  // namespace

std::optional<EapPacket> parse_eap(Bytes packet) {
  ByteReader reader(packet);
  EapPacket out;
  const std::uint8_t code = reader.u8();
  out.id = reader.u8();
  const std::uint16_t length = reader.u16();
  if (!reader.ok() || length < kHeader || length > packet.size() || code < 1 || code > 4) return std::nullopt;
  out.code = EapCode{code};
  out.whole = packet.first(length);
  // RFC 3748 §4.2: a Success or Failure is four octets and nothing else.
  if (out.code >= EapCode::kSuccess) return length == kHeader ? std::optional(out) : std::nullopt;
  if (length == kHeader) return std::nullopt;
  out.type = EapType{out.whole[kHeader]};
  out.data = out.whole.subspan(kHeader + 1);
  return out;
}

ByteVector make_eap(EapCode code, std::uint8_t id, EapType type, Bytes data) {
  ByteVector packet(kHeader + 1 + data.size());
  ByteWriter out(packet);
  out.u8(static_cast<std::uint8_t>(code));
  out.u8(id);
  out.u16(narrow<std::uint16_t>(packet.size()).value_or(0));
  out.u8(static_cast<std::uint8_t>(type));
  out.bytes(data);
  return packet;
}

ByteVector make_eap_result(EapCode code, std::uint8_t id) {
  return {static_cast<std::uint8_t>(code), id, 0, kHeader};
}

std::optional<EapMd5> parse_eap_md5(Bytes data) {
  ByteReader reader(data);
  EapMd5 out;
  out.value = reader.bytes(reader.u8());
  out.name = as_text(reader.rest());
  if (!reader.ok() || out.value.empty()) return std::nullopt;
  return out;
}

ByteVector make_eap_md5(Bytes value, std::string_view name) {
  ByteVector data(1 + value.size() + name.size());
  ByteWriter out(data);
  out.u8(narrow<std::uint8_t>(value.size()).value_or(0));
  out.bytes(value);
  out.bytes(as_bytes(name));
  return data;
}

std::optional<EapMsChap> parse_eap_mschap(Bytes data) {
  ByteReader reader(data);
  EapMsChap out;
  const std::uint8_t op = reader.u8();
  if (!reader.ok() || op < 1 || op > 4) return std::nullopt;
  out.op = EapMsOp{op};
  if (reader.at_end()) return has_value(out.op) ? std::nullopt : std::optional(out);
  out.id = reader.u8();
  const std::uint16_t length = reader.u16();
  if (!reader.ok() || length < kMsHeader || length > data.size()) return std::nullopt;
  ByteReader body(data.subspan(kMsHeader, length - kMsHeader));
  if (has_value(out.op)) {
    out.value = body.bytes(body.u8());
    if (!body.ok() || out.value.empty()) return std::nullopt;
  }
  out.text = as_text(body.rest());
  return out;
}

ByteVector make_eap_mschap(const EapMsChap& packet) {
  const std::size_t size =
      kMsHeader + (has_value(packet.op) ? 1 + packet.value.size() : 0) + packet.text.size();
  ByteVector data(size);
  ByteWriter out(data);
  out.u8(static_cast<std::uint8_t>(packet.op));
  out.u8(packet.id);
  out.u16(narrow<std::uint16_t>(size).value_or(0));
  if (has_value(packet.op)) {
    out.u8(narrow<std::uint8_t>(packet.value.size()).value_or(0));
    out.bytes(packet.value);
  }
  out.bytes(as_bytes(packet.text));
  return data;
}

}  // namespace sluice::ppp
