#pragma once
// What --check says of a configuration: for people on stderr, for programs as JSON. Any thread.

#include <iosfwd>
#include <string>
#include <string_view>

#include "base/app/config_table.hpp"

namespace sluice::app {

struct CheckReport {
  std::string file;
  ConfigErrors errors, warnings;
  bool good() const { return errors.empty(); }
};

/// `text` at the place of a setting in `file`.
ConfigError at_setting(const ConfigValues& values, const std::string& file, std::string_view key,
                       std::string text);
/// `text` at the place of the setting whose file it names first, or of `otherwise`.
ConfigError at_file_named(const ConfigValues& values, const std::string& file, std::string text,
                          std::string_view otherwise);

/// Sorted by file, line and column, each once. Paths come as they are.
void sort(CheckReport& report);

/// "edge.toml:7:3: text" for an error, "edge.toml:7:3: warning: text" for a warning, each on a line of
/// `error`; "FILE: good" on `out`. The exit code: 0 good, 1 not.
int print(const CheckReport& report, std::ostream& out, std::ostream& error);
/// The same as one JSON object on `out`, schema "sluice.check/1".
int print_json(const CheckReport& report, std::ostream& out);

}  // namespace sluice::app
