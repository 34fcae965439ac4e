#pragma once
// RADIUS packets as views, and attributes on their way into one (RFC 2865 §3, §5).

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "backend-agent/radius/core/attributes.hpp"
#include "base/bytes.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace sluice::radius {

inline constexpr std::size_t kHeaderSize = 20, kMaxPacket = 4096;
/// The field of RFC 2865 §3; what it holds depends on the packet.
using Authenticator = std::array<std::uint8_t, 16>;

enum class ParseError : std::uint8_t {
  kTruncated,               ///< shorter than a header, or than its Length says
  kBadLength,               ///< Length below 20 or above 4096
  kBadAttribute,            ///< an attribute shorter than its header or longer than what is left
  kBadMessageAuthenticator  ///< of the wrong size, or more than one (RFC 3579 §3.2)
};

struct Attribute {
  AttributeType type;
  Bytes value;
};

/// A whole packet as a view: lives as long as the datagram it was read from. Octets after Length are padding.
class Packet {
 public:
  static Result<Packet, ParseError> parse(Bytes datagram);

  Code code() const { return Code(bytes_[0]); }
  std::uint8_t id() const { return bytes_[1]; }
  Bytes authenticator() const { return bytes_.subspan(4, 16); }
  /// The packet without padding.
  Bytes bytes() const { return bytes_; }
  /// In the order sent; sub-attributes of well-formed Vendor-Specific ones stand for themselves.
  const std::vector<Attribute>& attributes() const { return attributes_; }
  std::optional<Bytes> first(AttributeType type) const;
  bool has(AttributeType type) const { return first(type).has_value(); }
  /// All values of a type in order, as EAP-Message wants (RFC 3579 §3.1).
  ByteVector joined(AttributeType type) const;
  /// Where the value of Message-Authenticator begins; 0: there is none.
  std::size_t message_authenticator_at() const { return message_authenticator_at_; }

 private:
  void read_vendor(Bytes value);

  Bytes bytes_;
  std::vector<Attribute> attributes_;
  std::size_t message_authenticator_at_ = 0;
};

/// What a packet shall say; id, authenticator and signatures come when it is sent (sign.hpp).
class Draft {
 public:
  explicit Draft(Code code) : code_(code) {}

  /// One attribute; a value beyond what one holds (253 octets, 247 of a vendor's) makes ok() false.
  Draft& add(AttributeType type, Bytes value);
  Draft& add(AttributeType type, std::string_view text) { return add(type, as_bytes(text)); }
  Draft& add(AttributeType type, std::uint32_t number);
  /// Four or sixteen octets.
  Draft& add(AttributeType type, const IpAddress& address) { return add(type, address.bytes()); }
  /// As many attributes as it takes (EAP-Message).
  Draft& add_long(AttributeType type, Bytes value);
  /// User-Password, hidden for each server anew (RFC 2865 §5.2). At most 128 octets.
  Draft& set_password(Secret password);

  Code code() const { return code_; }
  bool ok() const { return ok_; }
  Bytes attributes() const { return attributes_; }
  const std::optional<Secret>& password() const { return password_; }

 private:
  Code code_;
  bool ok_ = true;
  ByteVector attributes_;
  std::optional<Secret> password_;
};

}  // namespace sluice::radius
