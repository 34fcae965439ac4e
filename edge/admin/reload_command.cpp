#include "edge/admin/reload_command.hpp"

#include <algorithm>
#include <memory>

#include "edge/admin/arguments.hpp"

namespace sluice::edge {
namespace {

using vici::Message;
using Stream = vici::Server::Stream;

Message to_message(std::string_view kind, const app::ConfigError& error) {
  Message out;
  out.add("kind", kind).add("file", error.file).add("line", error.line).add("column", error.column);
  out.add("text", error.text);
  return out;
}

Message to_message(const ReloadChange& change) {
  const auto& what = change.change;
  Message out;
  out.add("kind", "change").add("key", what.key).add("before", what.before).add("after", what.after);
  out.add("takes", what.takes == app::Takes::kRestart  ? "restart"
                   : what.takes == app::Takes::kReload ? "reload"
                                                       : "new-clients");
  out.add("text", what.to_string()).add("whom", change.whom);
  return out;
}

Stream stream_of(const ReloadView& view) {
  auto rows = std::make_shared<std::vector<Message>>();
  for (const auto& error : view.report.errors) rows->push_back(to_message("error", error));
  for (const auto& warning : view.report.warnings) rows->push_back(to_message("warning", warning));
  for (const auto& change : view.changes) rows->push_back(to_message(change));
  const auto waiting = std::ranges::count_if(
      view.changes, [](const auto& one) { return one.change.takes == app::Takes::kRestart; });
  Stream out;
  out.answer.add("success", view.report.good());
  if (!view.report.good()) {
    const auto& first = view.report.errors.front();
    out.answer.add("errmsg", "the configuration is faulty and nothing was changed: " + first.to_string());
  }
  out.answer.add("file", view.report.file).add("dry-run", view.dry_run).add("taken", view.taken);
  out.answer.add("errors", view.report.errors.size()).add("warnings", view.report.warnings.size());
  out.answer.add("changes", view.changes.size()).add("restart", static_cast<std::size_t>(waiting));
  out.next = [rows, at = std::size_t{0}]() mutable -> std::optional<Message> {
    return at == rows->size() ? std::nullopt : std::optional(std::move((*rows)[at++]));
  };
  return out;
}

}  // namespace

void add_reload_command(vici::Server& server, std::function<ReloadView(bool dry_run)> reload) {
  server.stream_command("reload", "reload-item", [reload = std::move(reload)](const Message& arguments) {
    const auto dry_run = arguments.value("dry-run").value_or("no");
    auto bad = unknown_argument(arguments, {"dry-run"});
    if (!bad && dry_run != "yes" && dry_run != "no") bad = refusal("argument 'dry-run' must be yes or no");
    if (!bad) return stream_of(reload(dry_run == "yes"));
    Stream out;
    out.answer = std::move(*bad);
    return out;
  });
}

}  // namespace sluice::edge
