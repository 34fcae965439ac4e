#pragma once
// The daemons' log: one line an event. A stable id, a short sentence, and then key=value fields.
//   2026-01-31T12:00:00.123+0000 info sluice-agent: [session.up] session up id=1f2e user=alice
//   address=10.99.0.2
// Every line has an id of its own, "module.what", that docs/messages.md explains: a line without one does not
// compile, one that is missing there fails a test. One id, one place in the code.
// Field values may come from a peer: the log itself escapes what is not printable and quotes what has blanks
// in it. Secrets never go in. Any thread; never from a packet path. What an operator sets is in
// log_control.hpp.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/app/log_modules.hpp"

namespace sluice::app {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

/// "debug", "info", "warning" ("warn"), "error".
std::optional<LogLevel> parse_log_level(std::string_view word);
std::string_view to_string(LogLevel level);

/// "module.what": a module of log_modules.hpp, then small letters, digits and dashes. A literal.
class MessageId {
 public:
  consteval MessageId(const char* name) : name_(name), module_(checked_module(name)) {}

  constexpr std::string_view name() const { return name_; }
  constexpr LogModule module() const { return module_; }

 private:
  static consteval LogModule checked_module(std::string_view name) {
    const auto dot = name.find('.');
    if (dot == std::string_view::npos || dot + 1 == name.size()) throw "an id is module.what";
    for (const char c : name.substr(dot + 1)) {
      if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') throw "an id is of a-z, 0-9 and -";
    }
    return *find_log_module(name.substr(0, dot));
  }

  std::string_view name_;
  LogModule module_;
};

/// What happened, as docs/messages.md has it. A literal, so that the two can be compared.
class MessageText {
 public:
  consteval MessageText(const char* text) : text_(text) {
    if (text_.empty()) throw "a message says something";
  }
  constexpr std::string_view view() const { return text_; }

 private:
  std::string_view text_;
};

/// One key=value of a log line. The key is in small letters, digits and underscores.
struct LogField {
  LogField(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <std::integral T>
  LogField(std::string_view k, T v) : key(k), value(std::to_string(v)) {}

  std::string_view key;
  std::string value;
};
using LogFields = std::initializer_list<LogField>;

/// Whether lines of that level are written for that module: asked before fields that cost something are made.
bool log_enabled(LogModule module, LogLevel level);

/// For a line whose level depends on what happened; else one of those below.
void log(LogLevel level, MessageId id, MessageText text, LogFields fields = {});

inline void log_debug(MessageId id, MessageText text, LogFields fields = {}) {
  log(LogLevel::kDebug, id, text, fields);
}
inline void log_info(MessageId id, MessageText text, LogFields fields = {}) {
  log(LogLevel::kInfo, id, text, fields);
}
inline void log_warning(MessageId id, MessageText text, LogFields fields = {}) {
  log(LogLevel::kWarning, id, text, fields);
}
inline void log_error(MessageId id, MessageText text, LogFields fields = {}) {
  log(LogLevel::kError, id, text, fields);
}

}  // namespace sluice::app
