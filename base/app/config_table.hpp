#pragma once
// TOML configuration read by tables: one row names a key, where its value goes, its limits and its meaning.
// Whatever no row names is an error that tells the nearest known key. Start-up and reload only; any thread.

#include <toml++/toml.h>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/app/config_values.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace sluice::app {

/// One thing wrong with a file. Line and column count from 1; 0 where there is none.
struct ConfigError {
  std::string file;
  unsigned line = 0;
  unsigned column = 0;
  std::string text;
  /// "edge.toml:12:8: text".
  std::string to_string() const;
};
using ConfigErrors = std::vector<ConfigError>;

/// A whole number with its limits. The value there before is the default.
struct Number {
  std::uint32_t* value;
  std::uint32_t min = 0;
  std::uint32_t max = UINT32_MAX;
};
/// A text that must be one of a few.
struct OneOf {
  std::string* value;
  std::vector<std::string_view> allowed;
};
/// A path; a relative one counts from the configuration file's folder.
struct Path {
  std::filesystem::path* value;
  bool contents = false;  ///< what is in that file counts as configuration
};
/// Several paths, of files whose contents count.
struct Paths {
  std::vector<std::filesystem::path>* value;
};
/// A list of texts, each one of a few.
struct SomeOf {
  std::vector<std::string>* value;
  std::vector<std::string_view> allowed;
};
using Target = std::variant<std::string*, bool*, Number, OneOf, SomeOf, Path, Paths, std::chrono::seconds*,
                            IpAddress*, Endpoint*, std::vector<std::string>*, std::vector<IpAddress>*>;

struct Setting {
  std::string_view key;  ///< "tls.certificate"
  Target target;
  std::string_view doc;
  bool required = false;
  Takes takes = Takes::kRestart;
};
/// The same settings, changed by a reload.
std::vector<Setting> taking(Takes takes, std::vector<Setting> settings);

/// Reads one file. Collects every error instead of stopping at the first.
class ConfigFile {
 public:
  /// Of no file: reads nothing, has no error, and its values() are all settings with their defaults, each
  /// [[row]] once.
  static ConfigFile blank();
  /// Parses the file; on a syntax error or an unreadable file there is just that error.
  static Result<ConfigFile, ConfigErrors> load(const std::filesystem::path& file);
  static Result<ConfigFile, ConfigErrors> parse(std::string_view text, std::string file_name);

  /// Fills the targets of `settings` from the table at the top.
  void read(const std::vector<Setting>& settings);
  /// For each `[[name]]`: `row` is called with a function that reads settings relative to that table.
  using ReadRow = std::function<void(const std::vector<Setting>&)>;
  void read_each(std::string_view name, const std::function<void(const ReadRow& read)>& row);
  /// Call once after all reads: names every key that nothing asked for.
  void reject_unknown();

  /// Adds an error of the caller's own at the key's place in the file; of a key that is not there, at its
  /// table's.
  void fail(std::string_view key, std::string text);
  /// The same for what is no error.
  void warn(std::string_view key, std::string text);
  /// Errors of another file that this one names.
  void add(const ConfigErrors& errors);
  /// Within a call of read_each's `row`: where `key` of that row is, "listener[1].key", for fail() and
  /// warn().
  std::string place(std::string_view key) const { return row_place_ + "." + std::string(key); }
  const ConfigErrors& errors() const { return errors_; }
  const ConfigErrors& warnings() const { return warnings_; }
  const std::string& file() const { return file_; }
  /// All that was read, in the order of the settings; defaults, too.
  const ConfigValues& values() const { return values_; }
  bool is_blank() const { return blank_; }

 private:
  ConfigFile(toml::table root, std::string file) : root_(std::move(root)), file_(std::move(file)) {}
  void read_table(const toml::table& table, const std::string& prefix, const std::vector<Setting>& settings);
  void read_row(const toml::table& table, const std::string& name, const std::vector<Setting>& settings);
  void remember(const Setting& setting, const std::string& full, const toml::node* node);
  void store(const toml::node& node, std::string_view key, const Target& target);
  template <class Choice>
  void reject_choice(const toml::node& node, std::string_view key, const Choice& choice);
  toml::source_region place_of(std::string_view key) const;
  void walk_unknown(const toml::table& table, const std::string& prefix);
  void add(const toml::source_region& where, std::string text);

  toml::table root_;
  std::string file_;
  ConfigErrors errors_, warnings_;
  ConfigValues values_;
  std::vector<std::string> known_;
  std::string row_place_;
  bool blank_ = false;
};

/// The secret in a file of its own: its first line. Refuses a file that others than owner and group may read,
/// an empty one, and one that cannot be opened, each in words.
Result<Secret, std::string> read_secret_file(const std::filesystem::path& file);

/// Nothing if the file may hold secrets (regular, readable, no access for others), else what is wrong and the
/// mend.
std::optional<std::string> check_secret_file(const std::filesystem::path& file);

}  // namespace sluice::app
