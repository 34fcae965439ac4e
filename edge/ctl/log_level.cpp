#include "edge/ctl/log_level.hpp"

#include "edge/ctl/human.hpp"
#include "edge/ctl/json.hpp"
#include "edge/ctl/placement.hpp"
#include "edge/ctl/row.hpp"

namespace sluice::ctl {
namespace {

constexpr std::uint32_t kDay = 86400;

Table table_of(const Rows& rows) {
  Table table({{"MODULE", Align::kLeft, 10},
               {"LEVEL", Align::kLeft, 9},
               {"CONFIGURED", Align::kLeft, 8},
               {"FOR", Align::kRight, 7},
               {"ABOUT", Align::kLeft, 6, 12}});
  for (const auto& message : rows) {
    const Row row(message);
    const bool set = row.has("seconds-left");
    table.add({{row.text("module")},
               {row.text("level"), set ? Colour::kWarning : Colour::kNone},
               {row.text("configured")},
               {set ? duration_text(row.number("seconds-left")) : "-"},
               {row.text("about")}});
  }
  return table;
}

}  // namespace

CLI::App* LogCommand::add_to(CLI::App& app) {
  auto* log = app.add_subcommand("log", "the log's levels by module; or another level for a time");
  log->add_option("module", module_, "such as ike, tunnel, channel; all: each of them");
  log->add_option("level", level_, "debug, info, warning, error; configured: back to what the file says");
  log->add_option("--for", time_, "how long, a day at most: 90, 90s, 5m, 2h")->capture_default_str();
  examples(*log, {"log", "log ike debug --for 10m", "log all configured"});
  return log;
}

int LogCommand::run(const Conversation& with) {
  if (level_.empty()) return show(with);
  if (const int code = set(with); code != kOk) return code;
  return show(with);
}

int LogCommand::set(const Conversation& with) const {
  const auto seconds = seconds_of(time_);
  if (!seconds || *seconds == 0 || *seconds > kDay) {
    return with.refuse_usage("--for is a time such as 90, 90s, 5m or 2h; a day at most");
  }
  const auto answer = with.ask(
      "set-log", "",
      vici::Message().add("module", module_).add("level", level_).add("seconds", std::uint64_t{*seconds}));
  return answer.error ? with.complain(*answer.error) : kOk;
}

/// The one module that is meant, or all.
int LogCommand::show(const Conversation& with) const {
  vici::Message arguments;
  if (!module_.empty() && module_ != "all") arguments.add("module", module_);
  const auto answer = with.ask("list-log", "list-log-module", std::move(arguments));
  if (answer.error) return with.complain(*answer.error);
  if (answer.rows.empty())
    return with.refuse_usage("there is no module \"" + module_ + "\"; 'log' lists them");
  if (!with.json) {
    with.show(table_of(answer.rows), "modules");
    return kOk;
  }
  std::vector<nlohmann::ordered_json> rows;
  for (const auto& row : answer.rows) rows.push_back(to_json(row));
  with.print_rows("sluice.log/1", "modules", rows);
  return kOk;
}

}  // namespace sluice::ctl
