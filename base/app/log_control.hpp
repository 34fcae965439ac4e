#pragma once
// What an operator sets of the log: where it goes, from which level on, how much of one kind.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/app/log.hpp"
#include "base/time.hpp"

namespace sluice::app {

enum class LogTarget : std::uint8_t {
  kAuto,  ///< the journal if stderr is connected to it, else stderr
  kStderr,
  kJournald,
};

struct LogSettings {
  LogTarget to = LogTarget::kAuto;
  LogLevel level = LogLevel::kInfo;
  /// By module, where it differs from `level`.
  std::array<std::optional<LogLevel>, kLogModuleCount> modules{};
  /// Lines a second of one id in the long run, and at once; what is beyond is counted. 0: no limit. Of debug
  /// lines fifty times as many.
  std::uint32_t rate = 20;
  std::uint32_t burst = 100;
};

/// Sets the program's name, before the first line. Until configure_log() lines of level info and above go to
/// stderr.
void start_log(std::string_view program);

/// Takes over all of `settings`; at start and at each reload. Levels set for a time stay until that is over.
/// Where there is no journal to write to, lines go to stderr, and one of them says so.
void configure_log(const LogSettings& settings);

/// Another level for one module until `until`; nothing sets it back to what is configured.
void set_log_level(LogModule module, std::optional<LogLevel> level, Instant until = {});

/// Ends levels whose time is over and tells what was left out. Each second or so.
void tick_log(Instant now);

/// One module as it is now.
struct LogModuleState {
  LogModule module;
  LogLevel level;       ///< in force
  LogLevel configured;  ///< what it returns to
  std::optional<Instant> until;
};
std::vector<LogModuleState> log_module_states();

}  // namespace sluice::app
