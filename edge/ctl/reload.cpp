#include "edge/ctl/reload.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;
using vici::Message;

// charon takes its time with many listeners.
constexpr Duration kReloadTimeout = std::chrono::seconds(30);

/// As the daemon says it, quotes included; what could steer a terminal is escaped.
std::string text(const Message& row, std::string_view name) {
  std::string out;
  for (const char c : row.get(name)) {
    const bool plain = c == '"' || c == '\\';
    out += plain ? std::string(1, c) : escaped(std::string_view(&c, 1));
  }
  return out;
}

std::string place(const Message& row) {
  const auto line = row.number("line").value_or(0);
  const auto file = text(row, "file");
  if (line == 0) return file + ": ";
  return file + ":" + std::to_string(line) + ":" + std::to_string(row.number("column").value_or(0)) + ": ";
}

ordered_json fault_json(const Message& row) {
  return {{"file", text(row, "file")},
          {"line", row.number("line").value_or(0)},
          {"column", row.number("column").value_or(0)},
          {"text", text(row, "text")}};
}

ordered_json change_json(const Message& row) {
  ordered_json out;
  for (const auto* key : {"key", "before", "after", "takes", "text", "whom"}) out[key] = text(row, key);
  return out;
}

ordered_json to_json(const std::vector<Message>& rows, std::string_view kind) {
  auto out = ordered_json::array();
  for (const auto& row : rows) {
    if (row.get("kind") == kind) out.push_back(kind == "change" ? change_json(row) : fault_json(row));
  }
  return out;
}

void print_faults(const Answer& answer, std::ostream& error) {
  for (const auto& row : answer.rows) {
    if (row.get("kind") == "error") error << place(row) << text(row, "text") << "\n";
    if (row.get("kind") == "warning") error << place(row) << "warning: " << text(row, "text") << "\n";
  }
}

void print_changes(const Answer& answer, bool dry_run, std::ostream& out) {
  std::size_t taken = 0, waiting = 0;
  for (const auto& row : answer.rows) {
    if (row.get("kind") != "change") continue;
    const bool restart = row.get("takes") == "restart";
    ++(restart ? waiting : taken);
    out << (restart ? "needs a restart: " : dry_run ? "would change: " : "changed: ") << text(row, "text");
    if (!restart && !row.get("whom").empty()) out << " (" << text(row, "whom") << ")";
    out << "\n";
  }
  const std::string count = std::to_string(taken) + (taken == 1 ? " setting " : " settings ");
  out << count << (dry_run ? "would change, " : "changed, ") << waiting
      << (waiting == 1 ? " waits for a restart\n" : " wait for a restart\n");
}

}  // namespace

CLI::App* ReloadCommand::add_to(CLI::App& app) {
  auto* reload = app.add_subcommand("reload", "has the edge read its configuration again");
  reload->add_flag("--dry-run", dry_run_, "only says what would change, when, and whom it concerns");
  examples(*reload, {"reload --dry-run", "reload"});
  return reload;
}

int ReloadCommand::run(const Conversation& with) {
  Question question =
      with.question("reload", "reload-item", Message().add("dry-run", dry_run_ ? "yes" : "no"));
  question.timeout = std::max(question.timeout, kReloadTimeout);
  const auto answer = ask(question);
  const bool judged = answer.last.value("taken").has_value();
  if (!judged && answer.error) return with.complain(*answer.error);
  if (with.json) {
    with.print("sluice.reload/1", {{"file", text(answer.last, "file")},
                                   {"dry_run", dry_run_},
                                   {"taken", answer.last.get("taken") == "yes"},
                                   {"errors", to_json(answer.rows, "error")},
                                   {"warnings", to_json(answer.rows, "warning")},
                                   {"changes", to_json(answer.rows, "change")}});
    return answer.error ? kFailed : kOk;
  }
  print_faults(answer, with.to.error);
  if (answer.error) return with.fail("the configuration is faulty and nothing was changed");
  print_changes(answer, dry_run_, with.to.out);
  return kOk;
}

}  // namespace sluice::ctl
