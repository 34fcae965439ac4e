#include "base/app/config_table.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <sstream>

#include "base/app/config_texts.hpp"
#include "base/text.hpp"

namespace sluice::app {
namespace {

std::string join(std::string_view prefix, std::string_view key) {
  return prefix.empty() ? std::string(key) : std::string(prefix) + "." + std::string(key);
}

/// Nothing unless it is a list of texts.
std::optional<std::vector<std::string>> texts_of(const toml::node& node) {
  const auto* array = node.as_array();
  if (array == nullptr || (!array->empty() && !array->is_homogeneous<std::string>())) return std::nullopt;
  std::vector<std::string> out;
  for (const auto& item : *array) out.push_back(*item.value_exact<std::string>());
  return out;
}

bool allows(const std::vector<std::string_view>& allowed, std::string_view word) {
  return std::find(allowed.begin(), allowed.end(), word) != allowed.end();
}

/// What people call a row, in the order of preference.
constexpr std::string_view kRowNames[] = {"name", "identity", "address"};

}  // namespace

std::vector<Setting> taking(Takes takes, std::vector<Setting> settings) {
  for (auto& setting : settings) setting.takes = takes;
  return settings;
}

std::string ConfigError::to_string() const {
  if (line == 0) return file + ": " + text;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + text;
}

Result<ConfigFile, ConfigErrors> ConfigFile::load(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) {
    return Failure{
        ConfigErrors{{file.string(), 0, 0, std::string("cannot be read: ") + std::strerror(errno)}}};
  }
  std::stringstream text;
  text << in.rdbuf();
  return parse(text.str(), file.string());
}

Result<ConfigFile, ConfigErrors> ConfigFile::parse(std::string_view text, std::string file_name) {
  try {
    return ConfigFile(toml::parse(text, file_name), file_name);
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    return Failure{ConfigErrors{{file_name, at.line, at.column, std::string(error.description())}}};
  }
}

ConfigFile ConfigFile::blank() {
  ConfigFile out({}, "");
  out.blank_ = true;
  return out;
}

void ConfigFile::add(const toml::source_region& where, std::string text) {
  if (!blank_) errors_.push_back({file_, where.begin.line, where.begin.column, std::move(text)});
}

void ConfigFile::add(const ConfigErrors& errors) {
  errors_.insert(errors_.end(), errors.begin(), errors.end());
}

void ConfigFile::read(const std::vector<Setting>& settings) {
  read_table(root_, "", settings);
}

void ConfigFile::read_each(std::string_view name, const std::function<void(const ReadRow&)>& row) {
  known_.emplace_back(name);
  if (blank_) {
    const toml::table nothing;
    row([&](const std::vector<Setting>& settings) { read_row(nothing, std::string(name), settings); });
  }
  const auto* node = root_.get(name);
  if (node == nullptr) return;
  const auto* array = node->as_array();
  if (array == nullptr || !array->is_array_of_tables()) {
    add(node->source(),
        std::string(name) + " must be written as [[" + std::string(name) + "]], once for each");
    return;
  }
  for (std::size_t i = 0; i < array->size(); ++i) {
    const auto& table = *array->get(i)->as_table();
    row_place_ = std::string(name) + "[" + std::to_string(i) + "]";
    row([&](const std::vector<Setting>& settings) {
      read_row(table, std::string(name), settings);
      walk_unknown(table, std::string(name));
    });
  }
}

/// Its values are known by what people call the row, so that rows may change places between two files.
void ConfigFile::read_row(const toml::table& table, const std::string& name,
                          const std::vector<Setting>& settings) {
  const auto first = values_.size();
  read_table(table, name, settings);
  const auto count = values_.size() - first;
  const auto rows = std::span(values_).subspan(first, count);
  std::string row = blank_ ? name : row_place_;
  for (const auto word : kRowNames) {
    const auto found = std::ranges::find(rows, name + "." + std::string(word), &ConfigValue::key);
    if (blank_ || found == rows.end()) continue;
    row = name + " " + found->text;
    break;
  }
  const auto taken = [&](const std::string& wanted) {
    return std::any_of(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(first),
                       [&](const ConfigValue& value) { return value.row == wanted; });
  };
  for (unsigned next = 2; !blank_ && taken(row); ++next) row += " #" + std::to_string(next);
  for (auto& value : rows) {
    value.key.replace(0, name.size(), row);
    value.row = row;
  }
}

void ConfigFile::read_table(const toml::table& table, const std::string& prefix,
                            const std::vector<Setting>& settings) {
  for (const auto& setting : settings) {
    const auto full = join(prefix, setting.key);
    if (std::find(known_.begin(), known_.end(), full) == known_.end()) known_.push_back(full);
    const auto found = table.at_path(setting.key);
    if (found) {
      store(*found.node(), full, setting.target);
    } else if (setting.required) {
      add(table.source(), full + " is missing: " + std::string(setting.doc));
    }
    remember(setting, full, found.node());
  }
}

void ConfigFile::remember(const Setting& setting, const std::string& full, const toml::node* node) {
  ConfigValue value;
  value.key = full;
  value.text = text_of(setting.target);
  value.contents = blank_ ? 0 : contents_of(setting.target);
  value.takes = setting.takes;
  value.type = type_of(setting.target);
  value.doc = setting.doc;
  value.required = setting.required;
  if (node != nullptr) {
    value.line = node->source().begin.line;
    value.column = node->source().begin.column;
  }
  values_.push_back(std::move(value));
}

/// Names the word that is not allowed, at its own place.
template <class Choice>
void ConfigFile::reject_choice(const toml::node& node, std::string_view key, const Choice& choice) {
  const auto word = node.value_exact<std::string>();
  if (!word)
    return add(node.source(), std::string(key) + " must hold words in quotes: " + list_of(choice.allowed));
  const auto near = nearest(*word, choice.allowed);
  add(node.source(), std::string(key) + ": \"" + escaped(*word) + "\" is none of " + list_of(choice.allowed) +
                         (near ? ". Did you mean \"" + std::string(*near) + "\"?" : ""));
}

void ConfigFile::store(const toml::node& node, std::string_view key, const Target& target) {
  const auto wrong = [&](const std::string& wanted) {
    add(node.source(), std::string(key) + " must be " + wanted);
  };
  const auto text = node.value_exact<std::string>();
  const auto parse_text = [&](auto* out, auto parser, const char* wanted) {
    const auto value = text ? parser(*text) : std::nullopt;
    value ? void(*out = *value) : wrong(wanted);
  };
  std::visit(Overloaded{
                 [&](std::string* out) { text ? void(*out = *text) : wrong("a text in quotes"); },
                 [&](bool* out) {
                   const auto value = node.value_exact<bool>();
                   value ? void(*out = *value) : wrong("true or false");
                 },
                 [&](const Number& number) {
                   const auto value = node.value_exact<std::int64_t>();
                   if (value && *value >= number.min && *value <= number.max) {
                     *number.value = static_cast<std::uint32_t>(*value);
                   } else {
                     wrong("a whole number from " + std::to_string(number.min) + " to " +
                           std::to_string(number.max));
                   }
                 },
                 [&](const OneOf& choice) {
                   const bool good = text && allows(choice.allowed, *text);
                   good ? void(*choice.value = *text) : reject_choice(node, key, choice);
                 },
                 [&](const Path& path) {
                   if (!text || text->empty()) return wrong("a file name in quotes");
                   *path.value = std::filesystem::path(file_).parent_path() / *text;
                 },
                 [&](std::chrono::seconds* out) {
                   const auto value = node.value_exact<std::int64_t>();
                   constexpr std::int64_t kMaxSeconds = 10LL * 366 * 86400;
                   const bool good = value && *value >= 0 && *value <= kMaxSeconds;
                   good ? void(*out = std::chrono::seconds(*value)) : wrong("a whole number of seconds");
                 },
                 [&](IpAddress* out) { parse_text(out, IpAddress::parse, "an IP address in quotes"); },
                 [&](Endpoint* out) {
                   parse_text(out, Endpoint::parse, "\"address:port\" (an IPv6 address in brackets)");
                 },
                 [&](const Paths& paths) {
                   const auto names = texts_of(node);
                   if (!names) return wrong("a list of file names in quotes");
                   paths.value->clear();
                   for (const auto& name : *names)
                     paths.value->push_back(std::filesystem::path(file_).parent_path() / name);
                 },
                 [&](const SomeOf& choice) {
                   const auto* words = node.as_array();
                   if (words == nullptr) return wrong("a list of some of " + list_of(choice.allowed));
                   choice.value->clear();
                   for (const auto& item : *words) {
                     const auto word = item.value_exact<std::string>();
                     word&& allows(choice.allowed, *word) ? choice.value->push_back(*word)
                                                          : reject_choice(item, key, choice);
                   }
                 },
                 [&](std::vector<std::string>* out) {
                   const auto names = texts_of(node);
                   names ? void(*out = *names) : wrong("a list of texts");
                 },
                 [&](std::vector<IpAddress>* out) {
                   const auto* array = node.as_array();
                   if (array == nullptr) return wrong("a list of IP addresses");
                   out->clear();
                   for (const auto& item : *array) {
                     const auto item_text = item.value_exact<std::string>();
                     const auto address = item_text ? IpAddress::parse(*item_text) : std::nullopt;
                     address ? out->push_back(*address)
                             : add(item.source(), std::string(key) + " must hold IP addresses in quotes");
                   }
                 },
             },
             target);
}

void ConfigFile::reject_unknown() {
  walk_unknown(root_, "");
}

void ConfigFile::walk_unknown(const toml::table& table, const std::string& prefix) {
  for (const auto& [key, node] : table) {
    const auto full = join(prefix, key.str());
    if (std::find(known_.begin(), known_.end(), full) != known_.end()) continue;
    const bool section = std::any_of(known_.begin(), known_.end(),
                                     [&](const std::string& known) { return known.starts_with(full + "."); });
    if (section && node.is_table()) {
      walk_unknown(*node.as_table(), full);
      continue;
    }
    std::vector<std::string_view> names(known_.begin(), known_.end());
    if (node.is_table()) {
      for (auto& name : names) name = name.substr(0, name.find('.'));
    }
    const auto near = nearest(full, names);
    add(key.source(),
        "unknown key " + escaped(full) + (near ? ". Did you mean " + std::string(*near) + "?" : ""));
  }
}

toml::source_region ConfigFile::place_of(std::string_view key) const {
  for (; !key.empty(); key = key.substr(0, key.rfind('.') == key.npos ? 0 : key.rfind('.'))) {
    if (const auto found = root_.at_path(key)) return found.node()->source();
  }
  return root_.source();
}

void ConfigFile::fail(std::string_view key, std::string text) {
  add(place_of(key), std::string(key) + ": " + std::move(text));
}

void ConfigFile::warn(std::string_view key, std::string text) {
  if (blank_) return;
  const auto where = place_of(key).begin;
  warnings_.push_back({file_, where.line, where.column, std::string(key) + ": " + std::move(text)});
}

std::optional<std::string> check_secret_file(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return file.string() + " cannot be read: " + std::strerror(errno);
  if (!S_ISREG(status.st_mode)) return file.string() + " is not a regular file";
  if ((status.st_mode & S_IRWXO) != 0) {
    return file.string() + " can be read by everyone; it holds a secret: chmod 0600 " + file.string();
  }
  return std::nullopt;
}

Result<Secret, std::string> read_secret_file(const std::filesystem::path& file) {
  if (auto wrong = check_secret_file(file)) return Failure{std::move(*wrong)};
  std::ifstream in(file);
  if (!in) return Failure{file.string() + " cannot be read: " + std::strerror(errno)};
  std::string line;
  std::getline(in, line);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  Secret secret{std::string_view(line)};
  wipe({reinterpret_cast<std::uint8_t*>(line.data()), line.size()});
  if (secret.empty()) return Failure{file.string() + " is empty: its first line must be the secret"};
  return secret;
}

}  // namespace sluice::app
