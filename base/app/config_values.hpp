#pragma once
// What a configuration says, key by key: for the reference of settings, and to tell two of them apart.
// Secrets are in files; of these it holds names and what tells one content from another. Start-up and reload
// only; any thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::app {

/// When a changed value counts.
enum class Takes : std::uint8_t {
  kRestart,
  kReload,      ///< at a reload, for everybody
  kNewClients,  ///< at a reload, for handshakes and sessions from then on
};
std::string_view text_of(Takes takes);

struct ConfigValue {
  std::string key;             ///< "limits.half_open", "listener \"phones\".profiles"
  std::string row;             ///< "listener \"phones\"", empty for what stands in no [[row]]
  std::string text;            ///< as the file would write it; a default, too
  std::uint64_t contents = 0;  ///< of the file that it names, where these count
  Takes takes = Takes::kRestart;
  unsigned line = 0, column = 0;  ///< 0: it is not in the file
  std::string type, doc;
  bool required = false;
};
using ConfigValues = std::vector<ConfigValue>;

/// One difference. A row that came or went is one, with an empty `before` or `after`.
struct ConfigChange {
  std::string key;
  std::string before, after;  ///< as the file writes them; both the same where a file's contents changed
  Takes takes = Takes::kRestart;
  /// "limits.half_open: 90 -> 60", "psk "%any".file: the contents of "/etc/sluice/psk" changed".
  std::string to_string() const;
  bool operator==(const ConfigChange&) const = default;
};
using ConfigChanges = std::vector<ConfigChange>;
ConfigChanges changes_between(const ConfigValues& before, const ConfigValues& after);

/// What runs after a reload from `before` to `after`: what needs a restart stays as it was.
ConfigValues taken_over(const ConfigValues& before, const ConfigValues& after);

/// The settings as a page in Markdown, a table for each table of the file. `values` are the defaults.
std::string settings_page(std::string_view program, const ConfigValues& values);

}  // namespace sluice::app
