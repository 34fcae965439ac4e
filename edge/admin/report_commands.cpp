#include "edge/admin/report_commands.hpp"

#include <algorithm>
#include <memory>

#include "edge/admin/arguments.hpp"

namespace sluice::edge {
namespace {

using vici::Message;
using Stream = vici::Server::Stream;

// A value of a message ends at 65535 bytes.
constexpr std::size_t kPiece = 32 * 1024;

Stream refused(Message answer) {
  Stream out;
  out.answer = std::move(answer);
  return out;
}

Message to_message(const app::ConfigValue& setting) {
  Message out;
  out.add("key", std::string_view(setting.key)).add("value", std::string_view(setting.text));
  if (setting.line != 0) out.add("line", setting.line);
  return out;
}

Stream settings_stream(app::ConfigValues values) {
  Stream out;
  out.answer.add("success", true).add("count", values.size());
  out.next = [values = std::make_shared<app::ConfigValues>(std::move(values)),
              at = std::size_t{0}]() mutable -> std::optional<Message> {
    return at == values->size() ? std::nullopt : std::optional(to_message((*values)[at++]));
  };
  return out;
}

/// Pieces end at the ends of lines where they can.
Stream page_stream(std::string page) {
  Stream out;
  out.answer.add("success", true).add("bytes", page.size());
  out.next = [page = std::make_shared<std::string>(std::move(page)),
              at = std::size_t{0}]() mutable -> std::optional<Message> {
    if (at == page->size()) return std::nullopt;
    auto piece = std::string_view(*page).substr(at, kPiece);
    if (const auto end = piece.rfind('\n'); end != std::string_view::npos) piece = piece.substr(0, end + 1);
    at += piece.size();
    return Message().add("text", piece);
  };
  return out;
}

}  // namespace

void add_report_commands(vici::Server& server, ReportHandlers handlers) {
  server.stream_command("list-settings", "list-setting",
                        [settings = std::move(handlers.settings)](const Message& arguments) {
                          auto bad = unknown_argument(arguments, {});
                          return bad ? refused(std::move(*bad)) : settings_stream(settings());
                        });
  server.stream_command("list-metrics", "list-metric",
                        [metrics = std::move(handlers.metrics)](const Message& arguments) {
                          auto bad = unknown_argument(arguments, {});
                          return bad ? refused(std::move(*bad)) : page_stream(metrics());
                        });
}

}  // namespace sluice::edge
