#include "edge/ctl/table.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace sluice::ctl {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::string_view kCut = "...";

std::string_view code(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      return "";
    case Colour::kGood:
      return "\x1b[32m";
    case Colour::kWarning:
      return "\x1b[33m";
    case Colour::kBad:
      return "\x1b[31m";
  }
  return "";
}
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kReset = "\x1b[0m";

std::size_t total(const std::vector<std::size_t>& widths, const std::vector<std::size_t>& shown) {
  std::size_t sum = shown.empty() ? 0 : kGap * (shown.size() - 1);
  for (const auto i : shown) sum += widths[i];
  return sum;
}

/// Narrows the widest column that may be cut, one step at a time, until the row fits. False if it does not.
bool squeeze(std::vector<std::size_t>& widths, const std::vector<std::size_t>& shown,
             const std::vector<Column>& columns, std::size_t limit) {
  while (total(widths, shown) > limit) {
    std::size_t widest = columns.size();
    for (const auto i : shown) {
      const std::size_t floor = std::max(columns[i].at_least, columns[i].title.size());
      if (columns[i].at_least == 0 || widths[i] <= floor) continue;
      if (widest == columns.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns.size()) return false;
    --widths[widest];
  }
  return true;
}

std::string fitted(const std::string& text, std::size_t width) {
  if (text.size() <= width) return text;
  if (width <= kCut.size()) return text.substr(0, width);
  return text.substr(0, width - kCut.size()) + std::string(kCut);
}

void append(std::string& line, const std::string& text, std::size_t width, Align align,
            std::string_view paint) {
  const std::string padding(width - std::min(width, text.size()), ' ');
  if (align == Align::kRight) line += padding;
  if (paint.empty()) {
    line += text;
  } else {
    line += std::string(paint) + text + std::string(kReset);
  }
  if (align == Align::kLeft) line += padding;
}

void end_line(std::string& out, std::string& line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + "\n";
  line.clear();
}

}  // namespace

void Table::add(std::vector<Cell> row) {
  assert(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::natural_widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].title.size();
    for (const auto& row : rows_) width = std::max(width, row[i].text.size());
    widths.push_back(width);
  }
  return widths;
}

Table::Rendered Table::render(const Terminal& terminal) const {
  std::vector<std::size_t> shown(columns_.size());
  std::iota(shown.begin(), shown.end(), std::size_t{0});
  auto widths = natural_widths();
  while (terminal.width > 0 && !squeeze(widths, shown, columns_, terminal.width) && shown.size() > 1) {
    const auto least = std::min_element(shown.rbegin(), shown.rend(), [&](std::size_t a, std::size_t b) {
      return columns_[a].importance < columns_[b].importance;
    });
    shown.erase(std::next(least).base());
    widths = natural_widths();
  }
  // A terminal too narrow for a single column cuts it.
  if (terminal.width > 0 && shown.size() == 1) widths[shown[0]] = std::min(widths[shown[0]], terminal.width);
  Rendered out;
  out.hidden = columns_.size() - shown.size();
  std::string line;
  const auto add_cell = [&](std::size_t i, const std::string& text, std::string_view paint) {
    if (i != shown.front()) line.append(kGap, ' ');
    append(line, fitted(text, widths[i]), widths[i], columns_[i].align, terminal.colour ? paint : "");
  };
  for (const auto i : shown) add_cell(i, std::string(columns_[i].title), kBold);
  end_line(out.text, line);
  for (const auto& row : rows_) {
    for (const auto i : shown) add_cell(i, row[i].text, code(row[i].colour));
    end_line(out.text, line);
  }
  return out;
}

}  // namespace sluice::ctl
