#pragma once
// The daemons' log: one line an event on stderr, a short sentence and then key=value fields.
//   2026-01-31T12:00:00.123+0000 info sluice-agent: session up user=alice ip=10.99.0.2
// Field values may come from a peer: the log itself escapes what is not printable and quotes what has blanks
// in it. Secrets never go in. Any thread; never from a packet path.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::app {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// "debug", "info", "warning" ("warn"), "error".
std::optional<LogLevel> parse_log_level(std::string_view word);

/// One key=value of a log line.
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

/// Sets the program's name and the lowest level that is written. Once, at start-up; may be called again to
/// change.
void start_log(std::string_view program, LogLevel lowest);
bool log_enabled(LogLevel level);

/// The line without time, level and program, as it is written; for tests.
std::string format_log_line(std::string_view message, std::initializer_list<LogField> fields);

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
inline void log_debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::kDebug, message, fields);
}
inline void log_info(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::kInfo, message, fields);
}
inline void log_warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::kWarning, message, fields);
}
inline void log_error(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::kError, message, fields);
}

}  // namespace sluice::app
