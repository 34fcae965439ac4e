#include "edge/ctl/view.hpp"

#include <fnmatch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstring>
#include <sstream>

#include "edge/ctl/json.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;

/// Keys are taken with '-' or '_'.
std::string normal(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '_', '-');
  return out;
}

std::string json_name(std::string_view path) {
  std::string out(path);
  std::ranges::replace(out, '-', '_');
  return out;
}

std::vector<std::string> keys_of(const View& view) {
  std::vector<std::string> out;
  for (const auto& column : view.columns) out.push_back(column.key());
  for (const auto& column : view.columns) out.insert(out.end(), column.paths.begin(), column.paths.end());
  out.insert(out.end(), view.more.begin(), view.more.end());
  return out;
}

bool fits(const std::string& pattern, const std::string& text) {
  return ::fnmatch(pattern.c_str(), text.c_str(), FNM_NOESCAPE) == 0;
}

/// Copies what is at the dotted `path`, sections and arrays included.
void copy_path(const ordered_json& from, ordered_json& to, std::string_view path) {
  const auto dot = path.find('.');
  const std::string name(path.substr(0, dot));
  if (!from.is_object() || !from.contains(name)) return;
  if (dot == std::string_view::npos) {
    to[name] = from[name];
  } else {
    copy_path(from[name], to[name], path.substr(dot + 1));
  }
}

}  // namespace

std::string ViewColumn::key() const {
  std::string out(column.title);
  for (auto& c : out) c = c == ' ' || c == '/' ? '-' : static_cast<char>(std::tolower(c));
  return out;
}

void add_selection(CLI::App& command, Selection& selection) {
  command
      .add_option("--where", selection.where,
                  "only rows in which KEY=VALUE or KEY!=VALUE; * and ? stand for anything; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("KEY=VALUE");
  command
      .add_option("--columns", selection.columns, "these alone, in this order; 'help' lists what there is")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("KEY,...");
  command.add_option("--sort", selection.sort, "by this column; KEY:desc the other way round")
      ->type_name("KEY");
  command.add_option("--limit", selection.limit, "no more rows than this")->check(CLI::Range(1, 100'000'000));
}

Result<Chosen::Key, std::string> Chosen::find(const View& view, std::string_view name) {
  const auto wanted = normal(name);
  for (const auto& column : view.columns)
    if (column.key() == wanted) return Key{&column, ""};
  const auto keys = keys_of(view);
  if (std::ranges::find(keys, wanted) != keys.end()) return Key{nullptr, wanted};
  const std::vector<std::string_view> known(keys.begin(), keys.end());
  const auto near = nearest(wanted, known);
  return Failure{"there is no column '" + escaped(name) + "'" +
                 (near ? "; did you mean '" + std::string(*near) + "'?" : "") +
                 " ('--columns help' lists what there is)"};
}

Result<Chosen, std::string> Chosen::resolve(const View& view, const Selection& selection) {
  Chosen out(view);
  out.limit_ = selection.limit;
  for (const auto& text : selection.where) {
    const auto at = text.find('=');
    if (at == std::string::npos || at == 0)
      return Failure{std::string("--where is KEY=VALUE or KEY!=VALUE, not '" + escaped(text) + "'")};
    const bool negated = text[at - 1] == '!';
    const auto key = find(view, std::string_view(text).substr(0, negated ? at - 1 : at));
    if (!key) return Failure{key.error()};
    out.where_.push_back({*key, negated, text.substr(at + 1)});
  }
  for (const auto& names : selection.columns) {
    std::istringstream list(names);
    for (std::string name; std::getline(list, name, ',');) {
      const auto key = find(view, name);
      if (!key) return Failure{key.error()};
      out.columns_.push_back(*key);
    }
  }
  if (selection.sort.empty()) return out;
  std::string_view name = selection.sort;
  if (const auto colon = name.rfind(':'); colon != std::string_view::npos) {
    const auto way = name.substr(colon + 1);
    if (way != "desc" && way != "asc")
      return Failure{
          std::string("--sort is KEY, KEY:asc or KEY:desc, not '" + escaped(selection.sort) + "'")};
    out.descending_ = way == "desc";
    name = name.substr(0, colon);
  }
  const auto key = find(view, name);
  if (!key) return Failure{key.error()};
  out.sort_ = *key;
  return out;
}

Cell Chosen::cell(const Key& key, const Row& row, std::uint64_t now) {
  if (key.column) return key.column->cell(row, now);
  const auto value = value_at(row.message(), key.path).value_or("");
  return {value.empty() ? "-" : escaped(value)};
}

bool Chosen::matches(const Condition& condition, const vici::Message& row, std::uint64_t now) {
  const auto& key = condition.key;
  bool found = fits(condition.pattern, cell(key, Row(row), now).text);
  const auto try_value = [&](std::string_view path) {
    if (const auto value = value_at(row, path)) found = found || fits(condition.pattern, std::string(*value));
  };
  if (!key.column) try_value(key.path);
  if (key.column) std::ranges::for_each(key.column->paths, try_value);
  return found != condition.negated;
}

/// Numbers by size, texts with the numbers in them by size; what is not there comes last.
bool Chosen::before(const vici::Message& a, const vici::Message& b) const {
  const std::string_view path = sort_->column ? sort_->column->paths.front() : sort_->path;
  const auto x = value_at(a, path).value_or(""), y = value_at(b, path).value_or("");
  if (x.empty() || y.empty()) return !x.empty() && y.empty();
  const int order = ::strverscmp(std::string(x).c_str(), std::string(y).c_str());
  return descending_ ? order > 0 : order < 0;
}

void Chosen::apply(Rows& rows, std::uint64_t now) const {
  std::erase_if(rows, [&](const auto& row) {
    return !std::ranges::all_of(where_, [&](const auto& each) { return matches(each, row, now); });
  });
  if (sort_) std::ranges::stable_sort(rows, [this](const auto& a, const auto& b) { return before(a, b); });
  if (limit_ > 0 && rows.size() > limit_)
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(limit_), rows.end());
}

Table Chosen::table(const Rows& rows, std::uint64_t now) const {
  auto keys = columns_;
  if (keys.empty())
    for (const auto& column : view_->columns) keys.push_back({&column, ""});
  std::vector<std::string> titles;
  for (const auto& key : keys)
    titles.push_back(key.column ? std::string(key.column->column.title) : key.path);
  std::vector<Column> columns;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto column = keys[i].column ? keys[i].column->column : Column{};
    if (!keys[i].column)
      std::ranges::transform(titles[i], titles[i].begin(),
                             [](char c) { return static_cast<char>(std::toupper(c)); });
    column.title = titles[i];
    // Whoever asks for columns means all of them.
    if (!columns_.empty()) column.importance = 0;
    columns.push_back(column);
  }
  Table out(columns);
  for (const auto& row : rows) {
    std::vector<Cell> cells;
    for (const auto& key : keys) cells.push_back(cell(key, Row(row), now));
    out.add(std::move(cells));
  }
  return out;
}

std::vector<ordered_json> Chosen::json(const Rows& rows) const {
  std::vector<ordered_json> out;
  for (const auto& row : rows) {
    auto whole = to_json(row);
    if (columns_.empty()) {
      out.push_back(std::move(whole));
      continue;
    }
    auto& part = out.emplace_back(ordered_json::object());
    for (const auto& key : columns_) {
      if (!key.column) copy_path(whole, part, json_name(key.path));
      if (key.column)
        for (const auto path : key.column->paths) copy_path(whole, part, json_name(path));
    }
  }
  return out;
}

Table keys_table(const View& view) {
  Table out({{"KEY"}, {"COLUMN"}, {"JSON"}});
  for (const auto& column : view.columns) {
    std::string paths;
    for (const auto path : column.paths) paths += (paths.empty() ? "" : ", ") + json_name(path);
    out.add({{column.key()}, {std::string(column.column.title)}, {paths}});
  }
  for (const auto path : view.more) out.add({{std::string(path)}, {"-"}, {json_name(path)}});
  return out;
}

}  // namespace sluice::ctl
