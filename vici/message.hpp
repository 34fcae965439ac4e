#pragma once
// A vici message: an ordered tree of values, lists and sections, and its encoding. No I/O. Any thread, one at
// a time.

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace sluice::vici {

/// The largest packet (type, name and message, without the length in front) that either side accepts, in
/// bytes.
inline constexpr std::size_t kMaxPacket = 512 * 1024;
/// The deepest nesting of sections that the parser follows.
inline constexpr std::size_t kMaxDepth = 32;

/// Why bytes are not a message, or a tree cannot be encoded. kCount is the number of reasons.
enum class MessageFault : std::uint8_t {
  kTruncated,       ///< an element ends past the end
  kUnknownElement,  ///< an element type outside 1..6
  kSectionEnd,      ///< a section ends that was not begun
  kSectionOpen,     ///< the message ends within a section
  kTooDeep,         ///< sections nested deeper than kMaxDepth
  kNotInList,       ///< a list item or list end outside a list
  kInsideList,      ///< anything but an item within a list
  kListOpen,        ///< the message ends within a list
  kNameTooLong,     ///< a name longer than 255 bytes
  kValueTooLong,    ///< a value longer than 65535 bytes
  kMessageTooLong,  ///< more than kMaxPacket bytes
  kCount
};
/// "a list item outside a list"; fit for the end of a sentence.
std::string_view describe(MessageFault fault);

struct MessageError {
  MessageFault fault;
  std::size_t offset;  ///< bytes from the start of the message; 0 when encoding
  std::string to_string() const;
};

/// The bytes of one value. A secret one is wiped when it goes and hidden when printed.
class Text {
 public:
  explicit Text(Bytes bytes, bool secret = false) : bytes_(bytes.begin(), bytes.end()), secret_(secret) {}
  Text(const Text&) = default;
  Text(Text&& other) noexcept = default;
  Text& operator=(const Text& other);
  Text& operator=(Text&& other) noexcept;
  ~Text() {
    if (secret_) wipe(bytes_);
  }
  std::string_view view() const { return as_text(bytes_); }
  Bytes bytes() const { return bytes_; }
  bool secret() const { return secret_; }

 private:
  ByteVector bytes_;
  bool secret_;
};

/// A section, or the root of a message: entries in the order they were added. Names may repeat; lookups give
/// the first of that name and kind. Copying copies the whole tree.
class Message {
 public:
  struct Entry;
  using List = std::vector<std::string>;

  Message();
  Message(const Message&);
  Message(Message&&) noexcept;
  Message& operator=(const Message&);
  Message& operator=(Message&&) noexcept;
  ~Message();

  // Building. Each returns this section, so that calls can be chained.
  Message& add(std::string_view name, std::string_view value);
  /// A whole number as decimal text; a bool as "yes" or "no".
  template <std::integral T>
  Message& add(std::string_view name, T value) {
    if constexpr (std::is_same_v<T, bool>) {
      return add(name, value ? std::string_view("yes") : std::string_view("no"));
    } else {
      return add(name, std::string_view(std::to_string(value)));
    }
  }
  Message& add_bytes(std::string_view name, Bytes value);
  /// A value that is wiped when the message goes and that to_text() hides.
  Message& add_secret(std::string_view name, Bytes value);
  Message& add_list(std::string_view name, List items);
  Message& add_section(std::string_view name, Message section);
  /// Adds an empty section and gives it for filling; valid until the next addition to *this.
  Message& open(std::string_view name);

  // Reading.
  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  std::optional<std::string_view> value(std::string_view name) const;
  /// The value, or `otherwise` when there is none of that name.
  std::string_view get(std::string_view name, std::string_view otherwise = {}) const;
  /// An unsigned number in the given base without sign, blanks or prefix; nothing if absent or not one.
  std::optional<std::uint64_t> number(std::string_view name, int base = 10) const;
  /// yes/no, true/false, 1/0 and enabled/disabled; nothing if absent or none of these.
  std::optional<bool> flag(std::string_view name) const;
  const List* list(std::string_view name) const;
  const Message* section(std::string_view name) const;

  /// The tree as an operator reads it, one entry a line; what a peer may have sent is escaped, secrets are
  /// hidden.
  std::string to_text(std::size_t indent = 0) const;

  bool operator==(const Message& other) const;

 private:
  std::vector<Entry> entries_;
};

struct Message::Entry {
  std::string name;
  std::variant<Text, List, Message> content;
  const Text* text() const { return std::get_if<Text>(&content); }
  const List* list() const { return std::get_if<List>(&content); }
  const Message* section() const { return std::get_if<Message>(&content); }
};

/// The message's bytes, without type, name or length in front.
Result<ByteVector, MessageError> encode(const Message& message);
Result<Message, MessageError> parse_message(Bytes bytes);

}  // namespace sluice::vici
