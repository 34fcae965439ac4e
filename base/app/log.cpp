#include "base/app/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <mutex>

#include "base/app/clock.hpp"
#include "base/app/log_control.hpp"
#include "base/app/log_journal.hpp"
#include "base/app/log_limit.hpp"
#include "base/app/log_line.hpp"

namespace sluice::app {
namespace {

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

std::size_t index_of(LogModule module) {
  return static_cast<std::size_t>(module);
}

/// The one log of a process. Levels are read by every thread, the rest is behind the mutex.
struct Log {
  struct Override {
    LogLevel level;
    Instant until;
  };

  Log() {
    lines.set_level(spdlog::level::debug);
    lines.flush_on(spdlog::level::debug);
    set_program("sluice");
    apply();
    limit.set(settings.rate, settings.burst);
  }

  void set_program(std::string_view given) {
    program = given;
    std::string name;
    for (const char c : given) name += c == '%' ? std::string("%%") : std::string(1, c);
    lines.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l " + name + ": %v");
  }

  LogLevel configured(std::size_t module) const { return settings.modules[module].value_or(settings.level); }

  void apply() {
    for (std::size_t i = 0; i < kLogModuleCount; ++i) {
      levels[i].store(overrides[i] ? overrides[i]->level : configured(i), std::memory_order_relaxed);
    }
  }

  void write(LogLevel level, MessageId id, MessageText text, LogFields fields) {
    if (to_journal && send_to_journal(journal_entries(program, level, id, text, fields))) return;
    lines.log(to_spdlog(level), spdlog::string_view_t("{}"), format_log_line(id, text, fields));
  }

  std::array<std::atomic<LogLevel>, kLogModuleCount> levels{};
  std::mutex mutex;
  LogSettings settings;
  std::array<std::optional<Override>, kLogModuleCount> overrides{};
  LogLimit limit;
  std::string program;
  bool to_journal = false;
  spdlog::logger lines{"sluice", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
};

Log& the_log() {
  static Log instance;
  return instance;
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view word) {
  if (word == "debug") return LogLevel::kDebug;
  if (word == "info") return LogLevel::kInfo;
  if (word == "warning" || word == "warn") return LogLevel::kWarning;
  if (word == "error") return LogLevel::kError;
  return std::nullopt;
}

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

void start_log(std::string_view program) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  log.set_program(program);
}

void configure_log(const LogSettings& settings) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  log.settings = settings;
  log.limit.set(settings.rate, settings.burst);
  log.apply();
  const bool wanted =
      settings.to == LogTarget::kJournald || (settings.to == LogTarget::kAuto && stderr_is_journal());
  log.to_journal = wanted && journal_is_there();
  if (wanted && !log.to_journal) {
    log.write(LogLevel::kWarning, "log.no-journal", "there is no journal to write to: lines go to stderr",
              {});
  }
}

void set_log_level(LogModule module, std::optional<LogLevel> level, Instant until) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  auto& slot = log.overrides[index_of(module)];
  slot.reset();
  if (level) slot = Log::Override{*level, until};
  log.apply();
}

void tick_log(Instant now) {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  for (std::size_t i = 0; i < kLogModuleCount; ++i) {
    auto& slot = log.overrides[i];
    if (!slot || now < slot->until) continue;
    slot.reset();
    log.apply();
    if (log.levels[index_of(LogModule::kLog)] > LogLevel::kInfo) continue;
    log.write(LogLevel::kInfo, "log.level-back", "log level is back to what is configured",
              {{"module", kLogModules[i].name}, {"level", to_string(log.configured(i))}});
  }
  for (const auto& [message, count] : log.limit.take_left_out(now)) {
    log.write(LogLevel::kWarning, "log.left-out", "more lines of one kind were left out",
              {{"message", message}, {"lines", count}});
  }
}

std::vector<LogModuleState> log_module_states() {
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  std::vector<LogModuleState> out;
  for (std::size_t i = 0; i < kLogModuleCount; ++i) {
    const auto& slot = log.overrides[i];
    out.push_back({kLogModules[i].module, log.levels[i].load(std::memory_order_relaxed), log.configured(i),
                   slot ? std::optional(slot->until) : std::nullopt});
  }
  return out;
}

bool log_enabled(LogModule module, LogLevel level) {
  return level >= the_log().levels[index_of(module)].load(std::memory_order_relaxed);
}

void log(LogLevel level, MessageId id, MessageText text, LogFields fields) {
  if (!log_enabled(id.module(), level)) return;
  auto& log = the_log();
  const std::lock_guard lock(log.mutex);
  // Whoever asks for debug lines wants many, and for a time only.
  const double cost = level == LogLevel::kDebug ? LogLimit::kDebugCost : 1;
  if (log.limit.admit(id.name(), now(), cost)) log.write(level, id, text, fields);
}

}  // namespace sluice::app
