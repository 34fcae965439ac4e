#include "edge/admin/log_commands.hpp"

#include <charconv>
#include <memory>

#include "base/app/log.hpp"
#include "base/app/log_control.hpp"
#include "base/text.hpp"
#include "edge/admin/arguments.hpp"

namespace sluice::edge {
namespace {

using app::LogField;
using vici::Message;
using Stream = vici::Server::Stream;

constexpr std::uint32_t kLongest = 86400;
constexpr std::string_view kAll = "all";
constexpr std::string_view kConfigured = "configured";

Message to_message(const app::LogModuleState& state, Instant now) {
  Message out;
  const auto& row = app::about(state.module);
  out.add("module", row.name).add("level", to_string(state.level));
  out.add("configured", to_string(state.configured));
  if (state.until) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*state.until - now);
    out.add("seconds-left", static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 0)));
  }
  out.add("about", row.about);
  return out;
}

Stream list(Instant now, const Message& arguments) {
  Stream out;
  if (auto bad = unknown_argument(arguments, {"module"})) {
    out.answer = std::move(*bad);
    return out;
  }
  auto rows = std::make_shared<std::vector<Message>>();
  for (const auto& state : app::log_module_states()) {
    auto row = to_message(state, now);
    const auto wanted = arguments.value("module");
    if (!wanted || row.get("module") == *wanted) rows->push_back(std::move(row));
  }
  out.answer.add("success", true).add("count", rows->size());
  out.next = [rows, at = std::size_t{0}]() mutable -> std::optional<Message> {
    return at == rows->size() ? std::nullopt : std::optional(std::move((*rows)[at++]));
  };
  return out;
}

std::string names_of_modules() {
  std::string out(kAll);
  for (const auto& row : app::kLogModules) out.append(", ").append(row.name);
  return out;
}

std::optional<std::uint32_t> seconds_of(std::string_view text) {
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  const bool good = error == std::errc() && end == text.data() + text.size() && out >= 1 && out <= kLongest;
  return good ? std::optional(out) : std::nullopt;
}

Message set(Instant now, const Message& arguments) {
  if (auto bad = unknown_argument(arguments, {"module", "level", "seconds"})) return *bad;
  const auto name = arguments.get("module"), word = arguments.get("level");
  const auto module = app::find_log_module(name);
  if (!module && name != kAll) return refusal("argument 'module' must be one of " + names_of_modules());
  const auto level = app::parse_log_level(word);
  if (!level && word != kConfigured)
    return refusal("argument 'level' must be debug, info, warning, error or configured");
  const auto seconds = seconds_of(arguments.get("seconds", "600"));
  if (!seconds) return refusal("argument 'seconds' must be whole seconds, at least 1 and at most a day");
  for (const auto& row : app::kLogModules) {
    if (!module || row.module == *module)
      app::set_log_level(row.module, level, now + std::chrono::seconds(*seconds));
  }
  app::log_info("log.level-set", "an operator set a log level",
                {LogField("module", name), LogField("level", word),
                 LogField("seconds", level ? *seconds : std::uint32_t{0})});
  return Message().add("success", true);
}

}  // namespace

void add_log_commands(vici::Server& server, std::function<Instant()> now) {
  server.stream_command("list-log", "list-log-module",
                        [now](const Message& arguments) { return list(now(), arguments); });
  server.command("set-log", [now](const Message& arguments) { return set(now(), arguments); });
}

}  // namespace sluice::edge
