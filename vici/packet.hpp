#pragma once
// The packet layer: a type, for some types a name, for some a message; and its framing by a 32-bit length. No
// I/O.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vici/message.hpp"

namespace sluice::vici {

enum class PacketType : std::uint8_t {
  kCommandRequest = 0,
  kCommandResponse = 1,
  kCommandUnknown = 2,
  kEventRegister = 3,
  kEventUnregister = 4,
  kEventConfirm = 5,
  kEventUnknown = 6,
  kEvent = 7,
};

/// Whether packets of this type carry a name, and whether they carry a message.
bool has_name(PacketType type);
bool has_message(PacketType type);

struct Packet {
  PacketType type = PacketType::kCommandRequest;
  std::string name;
  Message message;
};

/// Why bytes are not a packet. kCount is the number of reasons.
enum class PacketFault : std::uint8_t {
  kEmpty,        ///< a length of zero
  kOversize,     ///< a length above kMaxPacket
  kUnknownType,  ///< a type outside 0..7
  kName,         ///< the name ends past the end
  kMessage,      ///< what follows is not a message
  kTrailing,     ///< bytes after a packet that has no message
  kCount
};
std::string_view describe(PacketFault fault);

struct PacketError {
  PacketFault fault;
  std::optional<MessageError> message;  ///< with kMessage
  std::string to_string() const;
};

/// A packet with its length in front, ready for the stream.
Result<ByteVector, MessageError> encode_packet(PacketType type, std::string_view name = {},
                                               const Message& message = {});
/// A packet from the bytes that its length named.
Result<Packet, PacketError> parse_packet(Bytes body);

/// Cuts a byte stream into packets. After an error it stays in error: the stream has lost its place.
class PacketStream {
 public:
  void feed(Bytes bytes);
  /// The next whole packet, nothing while more bytes are needed.
  std::optional<Result<Packet, PacketError>> next();
  std::size_t buffered() const { return buffer_.size() - at_; }

 private:
  ByteVector buffer_;
  std::size_t at_ = 0;
  std::optional<PacketError> broken_;
};

}  // namespace sluice::vici
