#pragma once
// A table with aligned columns that fits the terminal: long texts are cut first, then the least important
// columns go.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::ctl {

enum class Align : std::uint8_t { kLeft, kRight };
enum class Colour : std::uint8_t { kNone, kGood, kWarning, kBad };

struct Column {
  std::string title = {};
  Align align = Align::kLeft;
  int importance = 0;        ///< the lowest goes first; of equals, the one further right
  std::size_t at_least = 0;  ///< texts may be cut to this width; 0: never cut
};

struct Cell {
  std::string text;  ///< printable ASCII
  Colour colour = Colour::kNone;
};

/// How and where to print.
struct Terminal {
  std::size_t width = 0;  ///< columns; 0: no limit
  bool colour = false;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as there are columns.
  void add(std::vector<Cell> row);
  std::size_t rows() const { return rows_.size(); }

  struct Rendered {
    std::string text;        ///< header and rows, each with its line end
    std::size_t hidden = 0;  ///< columns left out
  };
  Rendered render(const Terminal& terminal) const;

 private:
  std::vector<std::size_t> natural_widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace sluice::ctl
