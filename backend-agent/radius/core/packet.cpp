#include "backend-agent/radius/core/packet.hpp"

#include <algorithm>

namespace sluice::radius {
namespace {

constexpr std::size_t kMaxValue = 253, kMaxVendorValue = 247, kMaxPassword = 128;
constexpr std::size_t kAuthenticatorSize = 16;

}  // namespace

Result<Packet, ParseError> Packet::parse(Bytes datagram) {
  if (datagram.size() < kHeaderSize) return Failure{ParseError::kTruncated};
  const std::size_t length = load_be16(datagram.data() + 2);
  if (length < kHeaderSize || length > kMaxPacket) return Failure{ParseError::kBadLength};
  if (length > datagram.size()) return Failure{ParseError::kTruncated};
  Packet packet;
  packet.bytes_ = datagram.first(length);
  ByteReader in(packet.bytes_.subspan(kHeaderSize));
  while (!in.at_end()) {
    const std::uint8_t type = in.u8();
    const std::uint8_t size = in.u8();
    if (!in.ok() || size < 2) return Failure{ParseError::kBadAttribute};
    const Bytes value = in.bytes(size - 2U);
    if (!in.ok()) return Failure{ParseError::kBadAttribute};
    if (type == attr::kVendorSpecific.type) {
      packet.read_vendor(value);
      continue;
    }
    if (type == attr::kMessageAuthenticator.type) {
      if (value.size() != kAuthenticatorSize || packet.message_authenticator_at_ != 0)
        return Failure{ParseError::kBadMessageAuthenticator};
      packet.message_authenticator_at_ = kHeaderSize + in.consumed() - kAuthenticatorSize;
    }
    packet.attributes_.push_back({{0, type}, value});
  }
  return packet;
}

/// RFC 2865 §5.26: the recommended form is a row of type, length, value; anything else stays one value.
void Packet::read_vendor(Bytes value) {
  ByteReader in(value);
  const std::uint32_t vendor = in.u32();
  std::vector<Attribute> inner;
  bool good = in.ok() && vendor != 0 && !in.at_end();
  while (good && !in.at_end()) {
    const std::uint8_t type = in.u8();
    const std::uint8_t size = in.u8();
    const Bytes body = size < 2 ? Bytes{} : in.bytes(size - 2U);
    good = in.ok() && size >= 2;
    inner.push_back({{vendor, type}, body});
  }
  if (good) {
    attributes_.insert(attributes_.end(), inner.begin(), inner.end());
  } else {
    attributes_.push_back({attr::kVendorSpecific, value});
  }
}

std::optional<Bytes> Packet::first(AttributeType type) const {
  const auto found = std::find_if(attributes_.begin(), attributes_.end(),
                                  [&](const Attribute& a) { return a.type == type; });
  if (found == attributes_.end()) return std::nullopt;
  return found->value;
}

ByteVector Packet::joined(AttributeType type) const {
  ByteVector out;
  for (const auto& attribute : attributes_) {
    if (attribute.type == type) out.insert(out.end(), attribute.value.begin(), attribute.value.end());
  }
  return out;
}

Draft& Draft::add(AttributeType type, Bytes value) {
  if (value.size() > (type.vendor == 0 ? kMaxValue : kMaxVendorValue)) {
    ok_ = false;
    return *this;
  }
  const auto put = [&](std::size_t octet) { attributes_.push_back(static_cast<std::uint8_t>(octet)); };
  if (type.vendor != 0) {
    put(attr::kVendorSpecific.type);
    put(value.size() + 8);
    for (int shift = 24; shift >= 0; shift -= 8) put((type.vendor >> shift) & 0xff);
  }
  put(type.type);
  put(value.size() + 2);
  for (const std::uint8_t octet : value) put(octet);
  return *this;
}

Draft& Draft::add(AttributeType type, std::uint32_t number) {
  std::uint8_t raw[4];
  store_be32(raw, number);
  return add(type, Bytes(raw));
}

Draft& Draft::add_long(AttributeType type, Bytes value) {
  do {
    const std::size_t part = std::min(value.size(), kMaxValue);
    add(type, value.first(part));
    value = value.subspan(part);
  } while (!value.empty());
  return *this;
}

Draft& Draft::set_password(Secret password) {
  if (password.size() > kMaxPassword) ok_ = false;
  password_ = std::move(password);
  return *this;
}

}  // namespace sluice::radius
