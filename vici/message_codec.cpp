// The encoding of messages: a sequence of elements, each a type, for some a name, for some a value.
#include <algorithm>

#include "vici/message.hpp"

namespace sluice::vici {
namespace {

enum Element : std::uint8_t {
  kSectionStart = 1,
  kSectionEnd = 2,
  kKeyValue = 3,
  kListStart = 4,
  kListItem = 5,
  kListEnd = 6,
};

/// Adds elements to a growing buffer; remembers the first fault.
class Encoder {
 public:
  void section(const Message& message, std::size_t depth) {
    if (depth > kMaxDepth) fail(MessageFault::kTooDeep);
    if (fault_) return;
    for (const auto& entry : message.entries()) {
      if (const auto* text = entry.text()) {
        type(kKeyValue);
        name(entry.name);
        value(text->bytes());
      } else if (const auto* list = entry.list()) {
        type(kListStart);
        name(entry.name);
        for (const auto& item : *list) {
          type(kListItem);
          value(as_bytes(item));
        }
        type(kListEnd);
      } else {
        type(kSectionStart);
        name(entry.name);
        section(*entry.section(), depth + 1);
        type(kSectionEnd);
      }
    }
  }

  Result<ByteVector, MessageError> finish() {
    if (out_.size() > kMaxPacket) fail(MessageFault::kMessageTooLong);
    if (!fault_) return std::move(out_);
    wipe(out_);
    return Failure{MessageError{*fault_, 0}};
  }

 private:
  void type(Element element) { out_.push_back(element); }

  void name(std::string_view text) {
    const auto length = narrow<std::uint8_t>(text.size());
    if (!length) return fail(MessageFault::kNameTooLong);
    out_.push_back(*length);
    append(as_bytes(text));
  }

  void value(Bytes bytes) {
    const auto length = narrow<std::uint16_t>(bytes.size());
    if (!length) return fail(MessageFault::kValueTooLong);
    std::uint8_t raw[2];
    store_be16(raw, *length);
    append(raw);
    append(bytes);
  }

  void append(Bytes bytes) {
    // A vector that grows leaves its old bytes behind; what may be a secret must not stay there.
    if (out_.capacity() - out_.size() < bytes.size()) {
      ByteVector larger;
      larger.reserve(std::max<std::size_t>(256, 2 * (out_.size() + bytes.size())));
      larger.assign(out_.begin(), out_.end());
      wipe(out_);
      out_ = std::move(larger);
    }
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }

  void fail(MessageFault fault) {
    if (!fault_) fault_ = fault;
  }

  ByteVector out_;
  std::optional<MessageFault> fault_;
};

/// Reads elements into a tree. The nesting is the call stack's, bounded by kMaxDepth.
class Parser {
 public:
  explicit Parser(Bytes bytes) : reader_(bytes) {}

  Result<Message, MessageError> parse() {
    Message root;
    section(root, 0);
    if (fault_) return Failure{MessageError{*fault_, at_}};
    return root;
  }

 private:
  /// Fills `out` until the section's end, or the message's end at depth 0.
  void section(Message& out, std::size_t depth) {
    while (!fault_) {
      at_ = reader_.consumed();
      if (reader_.at_end()) {
        if (depth > 0) fail(MessageFault::kSectionOpen);
        return;
      }
      switch (reader_.u8()) {
        case kSectionStart: {
          if (depth == kMaxDepth) return fail(MessageFault::kTooDeep);
          const auto label = name();
          if (!fault_) section(out.open(label), depth + 1);
          break;
        }
        case kSectionEnd:
          if (depth == 0) fail(MessageFault::kSectionEnd);
          return;
        case kKeyValue: {
          const auto label = name();
          const auto content = value();
          if (!fault_) out.add_bytes(label, content);
          break;
        }
        case kListStart: {
          const auto label = name();
          auto items = list();
          if (!fault_) out.add_list(label, std::move(items));
          break;
        }
        case kListItem:
        case kListEnd:
          return fail(MessageFault::kNotInList);
        default:
          return fail(MessageFault::kUnknownElement);
      }
    }
  }

  Message::List list() {
    Message::List items;
    while (!fault_) {
      at_ = reader_.consumed();
      if (reader_.at_end()) {
        fail(MessageFault::kListOpen);
        break;
      }
      switch (reader_.u8()) {
        case kListItem: {
          const auto content = value();
          if (!fault_) items.emplace_back(as_text(content));
          break;
        }
        case kListEnd:
          return items;
        case kSectionStart:
        case kSectionEnd:
        case kKeyValue:
        case kListStart:
          fail(MessageFault::kInsideList);
          break;
        default:
          fail(MessageFault::kUnknownElement);
      }
    }
    return items;
  }

  std::string_view name() { return as_text(checked(reader_.u8())); }
  Bytes value() { return checked(reader_.u16()); }

  Bytes checked(std::size_t length) {
    const auto bytes = reader_.bytes(length);
    if (!reader_.ok()) fail(MessageFault::kTruncated);
    return bytes;
  }

  void fail(MessageFault fault) {
    if (!fault_) fault_ = fault;
  }

  ByteReader reader_;
  std::size_t at_ = 0;  // of the element being read
  std::optional<MessageFault> fault_;
};

}  // namespace

std::string_view describe(MessageFault fault) {
  switch (fault) {
    case MessageFault::kTruncated:
      return "an element ends past the end of the message";
    case MessageFault::kUnknownElement:
      return "an unknown element type";
    case MessageFault::kSectionEnd:
      return "a section end without its start";
    case MessageFault::kSectionOpen:
      return "a section without its end";
    case MessageFault::kTooDeep:
      return "sections nested too deep";
    case MessageFault::kNotInList:
      return "a list item or list end outside a list";
    case MessageFault::kInsideList:
      return "something other than an item within a list";
    case MessageFault::kListOpen:
      return "a list without its end";
    case MessageFault::kNameTooLong:
      return "a name longer than 255 bytes";
    case MessageFault::kValueTooLong:
      return "a value longer than 65535 bytes";
    case MessageFault::kMessageTooLong:
      return "a message larger than 512 KiB";
    case MessageFault::kCount:
      break;
  }
  return "an unknown fault";
}

std::string MessageError::to_string() const {
  return std::string(describe(fault)) + " at byte " + std::to_string(offset);
}

Result<ByteVector, MessageError> encode(const Message& message) {
  Encoder encoder;
  encoder.section(message, 0);
  return encoder.finish();
}

Result<Message, MessageError> parse_message(Bytes bytes) {
  if (bytes.size() > kMaxPacket) return Failure{MessageError{MessageFault::kMessageTooLong, 0}};
  return Parser(bytes).parse();
}

}  // namespace sluice::vici
