#include "base/app/log_line.hpp"

#include <algorithm>

namespace sluice::app {
namespace {

constexpr std::size_t kMaxValue = 512;

bool wants_quotes(std::string_view text) {
  return text.empty() || std::any_of(text.begin(), text.end(), [](char c) { return c == ' ' || c == '='; });
}

}  // namespace

std::string printable_log_value(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : value.substr(0, kMaxValue)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c == '"' ? '\'' : c;
    } else {
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  if (value.size() > kMaxValue) out += "...";
  return out;
}

std::string format_log_line(MessageId id, MessageText text, LogFields fields) {
  std::string line = "[";
  line.append(id.name()).append("] ").append(text.view());
  for (const auto& field : fields) {
    const std::string value = printable_log_value(field.value);
    line += ' ';
    line += field.key;
    line += '=';
    line += wants_quotes(value) ? '"' + value + '"' : value;
  }
  return line;
}

}  // namespace sluice::app
