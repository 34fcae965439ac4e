#include "base/app/config_values.hpp"

#include <algorithm>
#include <set>

namespace sluice::app {
namespace {

const ConfigValue* find(const ConfigValues& values, const std::string& key) {
  const auto found = std::ranges::find(values, key, &ConfigValue::key);
  return found == values.end() ? nullptr : &*found;
}

bool has_row(const ConfigValues& values, const std::string& row) {
  return std::ranges::find(values, row, &ConfigValue::row) != values.end();
}

/// A row that came or went takes effect when all of it does.
Takes latest(const ConfigValues& values, const std::string& row) {
  Takes out = Takes::kReload;
  for (const auto& value : values) {
    if (value.row != row || value.takes == Takes::kReload) continue;
    if (out != Takes::kRestart) out = value.takes;
  }
  return out;
}

/// Rows of `values` that `others` lacks, each once.
ConfigChanges lone_rows(const ConfigValues& values, const ConfigValues& others, bool came) {
  ConfigChanges out;
  std::set<std::string> seen;
  for (const auto& value : values) {
    if (value.row.empty() || has_row(others, value.row) || !seen.insert(value.row).second) continue;
    out.push_back({value.row, came ? "" : "there", came ? "there" : "", latest(values, value.row)});
  }
  return out;
}

/// A cell of a table: Markdown takes a bar for its end.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string table_of(const ConfigValue& value) {
  return value.key.substr(0, value.key.find('.'));
}

void add_row(std::string& page, const ConfigValue& value) {
  const auto name = value.key.substr(value.key.find('.') + 1);
  const auto standard = value.required ? "required" : "`" + cell(value.text) + "`";
  page += "| `" + name + "` | " + cell(value.type) + " | " + standard + " | " +
          std::string(text_of(value.takes)) + " | " + cell(value.doc) + " |\n";
}

}  // namespace

std::string_view text_of(Takes takes) {
  switch (takes) {
    case Takes::kRestart:
      return "restart";
    case Takes::kReload:
      return "reload";
    case Takes::kNewClients:
      return "reload, new clients";
  }
  return "";
}

std::string ConfigChange::to_string() const {
  if (before.empty() && after == "there") return key + ": added";
  if (after.empty() && before == "there") return key + ": removed";
  if (before == after) return key + ": the contents of " + after + " changed";
  return key + ": " + before + " -> " + after;
}

ConfigChanges changes_between(const ConfigValues& before, const ConfigValues& after) {
  ConfigChanges out;
  for (const auto& value : after) {
    const auto* old = find(before, value.key);
    if (old == nullptr || (old->text == value.text && old->contents == value.contents)) continue;
    out.push_back({value.key, old->text, value.text, value.takes});
  }
  for (auto& row : lone_rows(after, before, true)) out.push_back(std::move(row));
  for (auto& row : lone_rows(before, after, false)) out.push_back(std::move(row));
  return out;
}

ConfigValues taken_over(const ConfigValues& before, const ConfigValues& after) {
  ConfigValues out;
  const auto stays = [](const ConfigValues& own, const ConfigValue& value) {
    return value.row.empty() ? value.takes == Takes::kRestart : latest(own, value.row) == Takes::kRestart;
  };
  for (const auto& value : after) {
    const bool new_row = !value.row.empty() && !has_row(before, value.row);
    if (new_row && stays(after, value)) continue;
    const auto* old = find(before, value.key);
    out.push_back(value.takes == Takes::kRestart && old != nullptr ? *old : value);
  }
  for (const auto& value : before) {
    if (!value.row.empty() && !has_row(after, value.row) && stays(before, value)) out.push_back(value);
  }
  return out;
}

std::string settings_page(std::string_view program, const ConfigValues& values) {
  std::string page = "# Settings of " + std::string(program) + "\nWritten by `" + std::string(program) +
                     " --settings`. A relative file name counts from the configuration file's folder. "
                     "\"Changes at\" is what a changed value waits for: a reload "
                     "(`systemctl reload`, SIGHUP), where \"new clients\" means handshakes and sessions from "
                     "then on, or a restart.\n";
  std::vector<std::string> tables;
  for (const auto& value : values) {
    if (std::ranges::find(tables, table_of(value)) == tables.end()) tables.push_back(table_of(value));
  }
  for (const auto& table : tables) {
    const auto first = std::ranges::find(values, table, table_of);
    page += first->row.empty() ? "\n## [" + table + "]\n" : "\n## [[" + table + "]], one for each\n";
    page += "| key | value | default | changes at | meaning |\n|---|---|---|---|---|\n";
    for (const auto& value : values) {
      if (table_of(value) == table) add_row(page, value);
    }
  }
  return page;
}

}  // namespace sluice::app
