#include "base/app/config_check.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <tuple>

namespace sluice::app {
namespace {

using nlohmann::ordered_json;

constexpr int kGood = 0, kBad = 1;

void sort_unique(ConfigErrors& errors) {
  const auto key = [](const ConfigError& e) { return std::tie(e.file, e.line, e.column, e.text); };
  std::ranges::stable_sort(errors, {}, key);
  const auto rest = std::ranges::unique(errors, {}, key);
  errors.erase(rest.begin(), rest.end());
}

ordered_json to_json(const ConfigErrors& errors) {
  auto out = ordered_json::array();
  for (const auto& error : errors) {
    out.push_back(
        {{"file", error.file}, {"line", error.line}, {"column", error.column}, {"text", error.text}});
  }
  return out;
}

}  // namespace

ConfigError at_setting(const ConfigValues& values, const std::string& file, std::string_view key,
                       std::string text) {
  const auto found = std::ranges::find(values, key, &ConfigValue::key);
  const bool there = found != values.end() && found->line != 0;
  return {file, there ? found->line : 0, there ? found->column : 0,
          std::string(key) + ": " + std::move(text)};
}

ConfigError at_file_named(const ConfigValues& values, const std::string& file, std::string text,
                          std::string_view otherwise) {
  const ConfigValue* named = nullptr;
  auto at = text.size();
  for (const auto& value : values) {
    if (value.type != "file name" || value.text.size() <= 2) continue;
    const auto found = text.find(value.text.substr(1, value.text.size() - 2));
    const bool better =
        found < at || (found == at && named != nullptr && value.text.size() > named->text.size());
    if (found == text.npos || !better) continue;
    named = &value;
    at = found;
  }
  return at_setting(values, file, named == nullptr ? otherwise : named->key, std::move(text));
}

void sort(CheckReport& report) {
  sort_unique(report.errors);
  sort_unique(report.warnings);
}

int print(const CheckReport& report, std::ostream& out, std::ostream& error) {
  for (const auto& one : report.errors) error << one.to_string() << "\n";
  for (auto one : report.warnings) {
    one.text.insert(0, "warning: ");
    error << one.to_string() << "\n";
  }
  if (!report.good()) return kBad;
  out << report.file << ": good\n";
  return kGood;
}

int print_json(const CheckReport& report, std::ostream& out) {
  const ordered_json value{{"schema", "sluice.check/1"},
                           {"file", report.file},
                           {"good", report.good()},
                           {"errors", to_json(report.errors)},
                           {"warnings", to_json(report.warnings)}};
  out << value.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
  return report.good() ? kGood : kBad;
}

}  // namespace sluice::app
