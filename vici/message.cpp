#include "vici/message.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"

namespace sluice::vici {

Text& Text::operator=(const Text& other) {
  if (this != &other) *this = Text(other);
  return *this;
}

Text& Text::operator=(Text&& other) noexcept {
  if (this != &other) {
    if (secret_) wipe(bytes_);
    bytes_ = std::move(other.bytes_);
    secret_ = other.secret_;
  }
  return *this;
}

Message::Message() = default;
Message::Message(const Message&) = default;
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(const Message&) = default;
Message& Message::operator=(Message&&) noexcept = default;
Message::~Message() = default;

Message& Message::add(std::string_view name, std::string_view value) {
  return add_bytes(name, as_bytes(value));
}

Message& Message::add_bytes(std::string_view name, Bytes value) {
  entries_.push_back({std::string(name), Text(value)});
  return *this;
}

Message& Message::add_secret(std::string_view name, Bytes value) {
  entries_.push_back({std::string(name), Text(value, true)});
  return *this;
}

Message& Message::add_list(std::string_view name, List items) {
  entries_.push_back({std::string(name), std::move(items)});
  return *this;
}

Message& Message::add_section(std::string_view name, Message section) {
  entries_.push_back({std::string(name), std::move(section)});
  return *this;
}

Message& Message::open(std::string_view name) {
  add_section(name, {});
  return std::get<Message>(entries_.back().content);
}

namespace {
template <class T>
const T* first(const std::vector<Message::Entry>& entries, std::string_view name) {
  for (const auto& entry : entries) {
    if (entry.name != name) continue;
    if (const auto* found = std::get_if<T>(&entry.content)) return found;
  }
  return nullptr;
}
}  // namespace

std::optional<std::string_view> Message::value(std::string_view name) const {
  const auto* text = first<Text>(entries_, name);
  return text ? std::optional(text->view()) : std::nullopt;
}

std::string_view Message::get(std::string_view name, std::string_view otherwise) const {
  return value(name).value_or(otherwise);
}

std::optional<std::uint64_t> Message::number(std::string_view name, int base) const {
  const auto text = value(name);
  if (!text || text->empty()) return std::nullopt;
  std::uint64_t out = 0;
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), out, base);
  if (fault != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return out;
}

std::optional<bool> Message::flag(std::string_view name) const {
  constexpr std::array<std::string_view, 4> kYes{"yes", "true", "1", "enabled"};
  constexpr std::array<std::string_view, 4> kNo{"no", "false", "0", "disabled"};
  const auto text = value(name);
  if (!text) return std::nullopt;
  if (std::ranges::find(kYes, *text) != kYes.end()) return true;
  if (std::ranges::find(kNo, *text) != kNo.end()) return false;
  return std::nullopt;
}

const Message::List* Message::list(std::string_view name) const {
  return first<List>(entries_, name);
}
const Message* Message::section(std::string_view name) const {
  return first<Message>(entries_, name);
}

std::string Message::to_text(std::size_t indent) const {
  constexpr std::size_t kShown = 1024;
  const std::string margin(indent, ' ');
  std::string out;
  for (const auto& entry : entries_) {
    const std::string head = margin + escaped(entry.name, kShown);
    if (const auto* text = entry.text()) {
      out += head + " = " + (text->secret() ? "(hidden)" : escaped(text->view(), kShown)) + "\n";
    } else if (const auto* list = entry.list()) {
      out += head + " = [";
      for (const auto& item : *list) out += " \"" + escaped(item, kShown) + "\"";
      out += " ]\n";
    } else {
      out += head + " {\n" + entry.section()->to_text(indent + 2) + margin + "}\n";
    }
  }
  return out;
}

bool Message::operator==(const Message& other) const {
  const auto same = [](const Entry& a, const Entry& b) {
    if (a.name != b.name || a.content.index() != b.content.index()) return false;
    if (a.text()) return equal(a.text()->bytes(), b.text()->bytes());
    if (a.list()) return *a.list() == *b.list();
    return *a.section() == *b.section();
  };
  return std::ranges::equal(entries_, other.entries_, same);
}

}  // namespace sluice::vici
