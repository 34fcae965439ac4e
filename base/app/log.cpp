#include "base/app/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace sluice::app {
namespace {

constexpr std::size_t kMaxValue = 512;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("sluice", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

/// Line ends and other controls become \xNN, so that no value forges a line; a double quote becomes a single
/// one, so that texts which quote a peer (and escaped it already) stay readable.
std::string harmless(std::string_view value) {
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

bool wants_quotes(std::string_view text) {
  return text.empty() || std::any_of(text.begin(), text.end(), [](char c) { return c == ' ' || c == '='; });
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view word) {
  if (word == "debug") return LogLevel::kDebug;
  if (word == "info") return LogLevel::kInfo;
  if (word == "warning" || word == "warn") return LogLevel::kWarning;
  if (word == "error") return LogLevel::kError;
  return std::nullopt;
}

void start_log(std::string_view program, LogLevel lowest) {
  std::string name;
  for (const char c : program) name += c == '%' ? std::string("%%") : std::string(1, c);
  logger().set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l " + name + ": %v");
  logger().set_level(to_spdlog(lowest));
}

bool log_enabled(LogLevel level) {
  return logger().should_log(to_spdlog(level));
}

std::string format_log_line(std::string_view message, std::initializer_list<LogField> fields) {
  std::string line(message);
  for (const auto& field : fields) {
    const std::string value = harmless(field.value);
    line += ' ';
    line += field.key;
    line += '=';
    line += wants_quotes(value) ? '"' + value + '"' : value;
  }
  return line;
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!log_enabled(level)) return;
  logger().log(to_spdlog(level), spdlog::string_view_t("{}"), format_log_line(message, fields));
}

}  // namespace sluice::app
