#include "vici/packet.hpp"

namespace sluice::vici {
namespace {
constexpr std::size_t kLengthBytes = 4;
constexpr std::uint8_t kLastType = 7;
// Consumed bytes are cut off the buffer's front only from this size on, so that small packets do not move the
// rest.
constexpr std::size_t kCompactAt = 64 * 1024;
}  // namespace

bool has_name(PacketType type) {
  switch (type) {
    case PacketType::kCommandRequest:
    case PacketType::kEventRegister:
    case PacketType::kEventUnregister:
    case PacketType::kEvent:
      return true;
    case PacketType::kCommandResponse:
    case PacketType::kCommandUnknown:
    case PacketType::kEventConfirm:
    case PacketType::kEventUnknown:
      return false;
  }
  return false;
}

bool has_message(PacketType type) {
  return type == PacketType::kCommandRequest || type == PacketType::kCommandResponse ||
         type == PacketType::kEvent;
}

std::string_view describe(PacketFault fault) {
  switch (fault) {
    case PacketFault::kEmpty:
      return "a packet of no bytes";
    case PacketFault::kOversize:
      return "a packet larger than 512 KiB";
    case PacketFault::kUnknownType:
      return "an unknown packet type";
    case PacketFault::kName:
      return "a name that ends past the end of the packet";
    case PacketFault::kMessage:
      return "a malformed message";
    case PacketFault::kTrailing:
      return "bytes after the end of the packet";
    case PacketFault::kCount:
      break;
  }
  return "an unknown fault";
}

std::string PacketError::to_string() const {
  std::string out(describe(fault));
  if (message) out += ": " + message->to_string();
  return out;
}

Result<ByteVector, MessageError> encode_packet(PacketType type, std::string_view name,
                                               const Message& message) {
  ByteVector body;
  if (has_message(type)) {
    auto encoded = encode(message);
    if (!encoded) return Failure{encoded.error()};
    body = std::move(*encoded);
  }
  const auto name_length = narrow<std::uint8_t>(name.size());
  if (!name_length) return Failure{MessageError{MessageFault::kNameTooLong, 0}};
  const std::size_t size = 1 + (has_name(type) ? 1 + name.size() : 0) + body.size();
  if (size > kMaxPacket) {
    wipe(body);
    return Failure{MessageError{MessageFault::kMessageTooLong, 0}};
  }
  ByteVector out(kLengthBytes + size);
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(size));
  writer.u8(static_cast<std::uint8_t>(type));
  if (has_name(type)) {
    writer.u8(*name_length);
    writer.bytes(as_bytes(name));
  }
  writer.bytes(body);
  wipe(body);
  return out;
}

Result<Packet, PacketError> parse_packet(Bytes body) {
  if (body.empty()) return Failure{PacketError{PacketFault::kEmpty, {}}};
  if (body.size() > kMaxPacket) return Failure{PacketError{PacketFault::kOversize, {}}};
  ByteReader reader(body);
  const auto type = reader.u8();
  if (type > kLastType) return Failure{PacketError{PacketFault::kUnknownType, {}}};
  Packet packet;
  packet.type = static_cast<PacketType>(type);
  if (has_name(packet.type)) {
    packet.name = as_text(reader.bytes(reader.u8()));
    if (!reader.ok()) return Failure{PacketError{PacketFault::kName, {}}};
  }
  if (!has_message(packet.type)) {
    if (!reader.at_end()) return Failure{PacketError{PacketFault::kTrailing, {}}};
    return packet;
  }
  auto message = parse_message(reader.rest());
  if (!message) return Failure{PacketError{PacketFault::kMessage, message.error()}};
  packet.message = std::move(*message);
  return packet;
}

void PacketStream::feed(Bytes bytes) {
  if (broken_) return;
  if (at_ == buffer_.size()) {
    buffer_.clear();
    at_ = 0;
  } else if (at_ >= kCompactAt) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::optional<Result<Packet, PacketError>> PacketStream::next() {
  if (broken_) return Failure{*broken_};
  ByteReader reader(Bytes(buffer_).subspan(at_));
  const std::size_t size = reader.u32();
  if (!reader.ok()) return std::nullopt;
  if (size == 0 || size > kMaxPacket) {
    broken_ = PacketError{size == 0 ? PacketFault::kEmpty : PacketFault::kOversize, {}};
    return Failure{*broken_};
  }
  const auto body = reader.bytes(size);
  if (!reader.ok()) return std::nullopt;
  at_ += kLengthBytes + size;
  auto packet = parse_packet(body);
  if (!packet) broken_ = packet.error();
  return packet;
}

}  // namespace sluice::vici
