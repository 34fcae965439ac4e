#include "edge/ctl/command.hpp"

#include <algorithm>
#include <filesystem>

#include "base/text.hpp"
#include "edge/ctl/json.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;

int exit_code(const vici::Error& error) {
  switch (error.kind) {
    case vici::ErrorKind::kAddress:
      return kUsage;
    case vici::ErrorKind::kUnreachable:
    case vici::ErrorKind::kClosed:
    case vici::ErrorKind::kTimeout:
    case vici::ErrorKind::kMalformed:
      return kUnreachable;
    case vici::ErrorKind::kUnknownCommand:
    case vici::ErrorKind::kUnknownEvent:
    case vici::ErrorKind::kRefused:
    case vici::ErrorKind::kTooLarge:
    case vici::ErrorKind::kCancelled:
    case vici::ErrorKind::kCount:
      return kFailed;
  }
  return kFailed;
}

}  // namespace

Question Conversation::question(std::string command, std::string event, vici::Message arguments) const {
  Question out;
  const bool is_uri = options_.socket.find("://") != std::string::npos;
  out.uri = is_uri ? options_.socket : std::filesystem::absolute(options_.socket).string();
  out.command = std::move(command);
  out.event = std::move(event);
  out.arguments = std::move(arguments);
  out.timeout = options_.timeout;
  return out;
}

Answer Conversation::ask(std::string command, std::string event, vici::Message arguments) const {
  return ctl::ask(question(std::move(command), std::move(event), std::move(arguments)));
}

Answer Conversation::ask_slow(Duration timeout, std::string command, vici::Message arguments) const {
  auto slow = question(std::move(command), "", std::move(arguments));
  slow.timeout = std::max(slow.timeout, timeout);
  return ctl::ask(slow);
}

int Conversation::complain(const vici::Error& error) const {
  to.error << "sluicectl: " << error.text << "\n";
  if (error.kind == vici::ErrorKind::kUnreachable && options_.socket == kDefaultSocket) {
    to.error << "sluicectl: is sluice-edge running here, and is its admin socket that one? --socket names "
                "another\n";
  }
  return exit_code(error);
}

int Conversation::fail(std::string_view text) const {
  to.error << "sluicectl: " << text << "\n";
  return kFailed;
}

int Conversation::refuse_usage(std::string_view text) const {
  to.error << "sluicectl: " << text << "\n";
  return kUsage;
}

void Conversation::show(const Table& table, std::string_view what) const {
  if (table.rows() == 0) {
    to.out << "no " << what << "\n";
    return;
  }
  auto terminal = to.terminal;
  if (options_.wide) terminal.width = 0;
  const auto rendered = table.render(terminal);
  to.out << rendered.text;
  if (rendered.hidden > 0) {
    to.error << "(" << rendered.hidden << (rendered.hidden == 1 ? " column does" : " columns do")
             << " not fit; --wide or --json shows all)\n";
  }
}

void Conversation::print(std::string_view schema, const ordered_json& value) const {
  ordered_json out;
  out["schema"] = schema;
  out.update(value);
  to.out << (lines ? to_line(out) : to_text(out));
}

void Conversation::print_rows(std::string_view schema, const std::string& key,
                              const std::vector<ordered_json>& rows, const std::string& partial) const {
  if (lines) {
    for (const auto& row : rows) print(schema, row);
    return;
  }
  ordered_json out = ordered_json::object();
  if (!partial.empty()) out["partial"] = partial;
  out[key] = rows;
  print(schema, out);
}

void examples(CLI::App& command, const std::vector<std::string_view>& lines) {
  std::string text = lines.size() == 1 ? "Example:" : "Examples:";
  for (const auto line : lines) text += "\n  sluicectl " + std::string(line);
  command.footer(text);
}

}  // namespace sluice::ctl
