#pragma once
// What a list can show: its columns, from which its tables, filters, orders and projections are made. Each
// column has a key, its title in small letters with hyphens; the daemon's own names ("traffic.bytes-in") are
// keys, too.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "edge/ctl/row.hpp"
#include "edge/ctl/table.hpp"

namespace CLI {
class App;
}

namespace sluice::ctl {

struct ViewColumn {
  Column column;
  /// The values of a row that it is made of; the first is what it is ordered by.
  std::vector<std::string_view> paths;
  Cell (*cell)(const Row& row, std::uint64_t now);
  std::string key() const;  ///< "IKE PROPOSAL" is "ike-proposal"
};

struct View {
  std::string_view name;  ///< what there is none of when there is none: "sessions"
  std::vector<ViewColumn> columns;
  std::vector<std::string_view> more;  ///< paths that no column shows
};

/// What the user wants of a list, as typed.
struct Selection {
  std::vector<std::string> where;    ///< "KEY=PATTERN", "KEY!=PATTERN"; * and ? as in a shell
  std::vector<std::string> columns;  ///< each some keys with commas between
  std::string sort;                  ///< "KEY", "KEY:desc"
  std::size_t limit = 0;
};
/// --where, --columns, --sort, --limit.
void add_selection(CLI::App& command, Selection& selection);

/// A selection whose keys are all known. Refers to its view.
class Chosen {
 public:
  /// The text of what is wrong, with the nearest key.
  static Result<Chosen, std::string> resolve(const View& view, const Selection& selection);

  /// Filtered, ordered, cut.
  void apply(Rows& rows, std::uint64_t now) const;
  Table table(const Rows& rows, std::uint64_t now) const;
  /// As the daemon's rows are, with the chosen columns alone.
  std::vector<nlohmann::ordered_json> json(const Rows& rows) const;

 private:
  /// A column, or a path of its own.
  struct Key {
    const ViewColumn* column = nullptr;
    std::string path;
  };
  struct Condition {
    Key key;
    bool negated = false;
    std::string pattern;
  };
  explicit Chosen(const View& view) : view_(&view) {}
  static Result<Key, std::string> find(const View& view, std::string_view name);
  static Cell cell(const Key& key, const Row& row, std::uint64_t now);
  static bool matches(const Condition& condition, const vici::Message& row, std::uint64_t now);
  bool before(const vici::Message& a, const vici::Message& b) const;

  const View* view_;
  std::vector<Condition> where_;
  std::vector<Key> columns_;  ///< empty: as the view has them
  std::optional<Key> sort_;
  bool descending_ = false;
  std::size_t limit_ = 0;
};

/// A row for each key, for `--columns help`.
Table keys_table(const View& view);

}  // namespace sluice::ctl
