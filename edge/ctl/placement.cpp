#include "edge/ctl/placement.hpp"

#include <charconv>
#include <chrono>
#include <thread>

#include "base/text.hpp"
#include "edge/ctl/human.hpp"
#include "edge/ctl/json.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;
using vici::Message;

constexpr auto kLook = std::chrono::milliseconds(300);
constexpr std::uint64_t kYear = 366 * 86400;

std::string text(const Message& row, std::string_view name) {
  return escaped(row.get(name, "-"), 256);
}
std::uint64_t number(const Message& row, std::string_view name) {
  return row.number(name).value_or(0);
}
bool yes(const Message& row, std::string_view name) {
  return row.get(name) == "yes";
}

std::string score_text(std::uint64_t milli) {
  const auto fraction = std::to_string(milli % 1000);
  return std::to_string(milli / 1000) + "." + std::string(3 - fraction.size(), '0') + fraction;
}

Table agents_table(const Rows& rows) {
  constexpr auto kRight = Align::kRight;
  Table table({{"AGENT", Align::kLeft, 10, 8},
               {"STATE", Align::kLeft, 9},
               {"SCORE", kRight, 8},
               {"TUNNELS", kRight, 7},
               {"WEIGHT", kRight, 7},
               {"HANDICAP", kRight, 4},
               {"BUSY", kRight, 6},
               {"PACKETS/S", kRight, 4},
               {"RADIUS", kRight, 4},
               {"FREE IPS", kRight, 3},
               {"WHY NOT", Align::kLeft, 9, 12}});
  for (const auto& row : rows) {
    const bool chosen = yes(row, "chosen"), in = yes(row, "eligible");
    const std::string state = chosen ? "chosen" : in ? (yes(row, "spare") ? "spare" : "in") : "out";
    table.add({{text(row, "name")},
               {state, chosen ? Colour::kGood
                       : in   ? Colour::kNone
                              : Colour::kWarning},
               {score_text(number(row, "score-milli"))},
               {text(row, "tunnels")},
               {text(row, "weight")},
               {text(row, "handicap")},
               {permille_text(number(row, "busy-permille"))},
               {count_text(number(row, "packets-per-second"))},
               {number(row, "radius-ms") == 0 ? "-" : delay_text(number(row, "radius-ms") * 1000)},
               {text(row, "free-addresses")},
               {in ? "" : text(row, "why")}});
  }
  return table;
}

std::string whom(const DrainWords& words) {
  return words.agent.empty() ? "this edge" : escaped(words.agent);
}

Message order(const DrainWords& words) {
  Message out;
  out.add("kind", words.agent.empty() ? "edge" : "agent");
  if (!words.agent.empty()) out.add("name", words.agent);
  return out;
}

/// The one drain that is meant; nothing when it is not there.
struct Progress {
  std::optional<Message> row;
  std::optional<vici::Error> error;
};
Progress look(const DrainWords& words, const Conversation& with) {
  Message arguments;
  arguments.add("kind", words.agent.empty() ? "edge" : "agent");
  if (!words.agent.empty()) arguments.add("agent", words.agent);
  auto answer = with.ask("list-drains", "list-drain", std::move(arguments));
  Progress out{.row = {}, .error = answer.error};
  if (!answer.rows.empty()) out.row = std::move(answer.rows.front());
  return out;
}

std::string progress_text(const DrainWords& words, const Message& row) {
  const auto tunnels = number(row, "tunnels");
  if (tunnels == 0) return whom(words) + " is empty";
  std::string out = whom(words) + ": " + std::to_string(tunnels) + " of " + text(row, "began-with") +
                    " tunnels left, " + text(row, "sessions") + " sessions";
  if (const auto ending = number(row, "ending"); ending > 0) out += ", " + std::to_string(ending) + " ending";
  return out;
}

int wait_until_empty(const DrainWords& words, const Conversation& with) {
  std::string said;
  for (;;) {
    const auto now = look(words, with);
    if (now.error) return with.complain(*now.error);
    if (!now.row) {
      with.to.error << "sluicectl: somebody undid it: " << whom(words) << " is in service\n";
      return kFailed;
    }
    if (auto line = progress_text(words, *now.row); line != said && !with.json) {
      with.to.out << line << "\n" << std::flush;
      said = std::move(line);
    }
    if (number(*now.row, "tunnels") == 0) return kOk;
    std::this_thread::sleep_for(kLook);
  }
}

int undo(const DrainWords& words, const Conversation& with) {
  const auto answer = with.ask("undrain", "", order(words));
  if (answer.error) return with.complain(*answer.error);
  if (with.json) {
    with.print("sluice.drain/1", {{"drain", nullptr}});
  } else {
    with.to.out << whom(words) << " is in service again\n";
  }
  return kOk;
}

}  // namespace

std::optional<std::uint32_t> seconds_of(std::string_view given) {
  std::uint64_t value = 0;
  const auto* last = given.data() + given.size();
  const auto [end, error] = std::from_chars(given.data(), last, value);
  const std::string_view unit(end, static_cast<std::size_t>(last - end));
  const std::uint64_t factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error != std::errc() || factor == 0 || value > kYear / factor) return std::nullopt;
  return static_cast<std::uint32_t>(value * factor);
}

CLI::App* ExplainCommand::add_to(CLI::App& app) {
  auto* explain = app.add_subcommand("explain", "why something is so");
  explain->require_subcommand(1);
  examples(*explain, {"explain placement bob@example.net"});
  auto* placement =
      explain->add_subcommand("placement", "which agent a client would get, and why not another");
  placement->add_option("identity", identity_, "the client's IKE identity")->required();
  placement->add_option("--listener", listener_, "the listener it dials; main is [listen]");
  placement->add_option("--client", client_, "its public address");
  placement->add_option("--host", host_, "the host name that its L2TP tells");
  examples(*placement, {"explain placement bob@example.net --client 198.51.100.7"});
  return explain;
}

CLI::App* ReadyCommand::add_to(CLI::App& app) {
  auto* ready = app.add_subcommand(
      "ready", "whether new clients should come here, for VRRP and the like: exit code 0 or 1");
  examples(*ready, {"ready"});
  return ready;
}

CLI::App* DrainCommand::add_to(CLI::App& app) {
  auto* drain = app.add_subcommand("drain", "takes an agent or this edge out of service, gently");
  drain->require_subcommand(1);
  examples(*drain, {"drain agent agent1 --deadline 10m --wait", "drain edge"});
  auto* agent = drain->add_subcommand("agent", "gives an agent no more tunnels");
  agent->add_option("name", words_.agent, "the agent's name")->required();
  examples(*agent, {"drain agent agent1 --deadline 10m --wait", "drain agent agent1 --undo"});
  auto* edge = drain->add_subcommand("edge", "lets this edge say that it is not ready");
  examples(*edge, {"drain edge --deadline 2h --kick-rate 20", "drain edge --undo"});
  for (auto* command : {agent, edge}) {
    command->add_option("--deadline", words_.deadline,
                        "when the last tunnel is to be gone, from now: 90, 90s, 5m, 2h; without, they end by "
                        "themselves");
    command->add_option("--kick-rate", words_.kick_rate, "tunnels ended each second towards the deadline")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    command->add_flag("--undo", words_.undo, "puts it back in service");
    command->add_flag("--wait", words_.wait, "shows what is left and returns when nothing is");
  }
  return drain;
}

int ExplainCommand::run(const Conversation& with) {
  Message arguments;
  arguments.add("identity", identity_);
  if (!listener_.empty()) arguments.add("listener", listener_);
  if (!client_.empty()) arguments.add("client", client_);
  if (!host_.empty()) arguments.add("host", host_);
  const auto answer = with.ask("explain-placement", "placement-agent", std::move(arguments));
  if (answer.error) return with.complain(*answer.error);
  const bool chosen = !answer.last.get("chosen").empty();
  if (with.json) {
    ordered_json value;
    for (const auto* key : {"chosen", "policy", "pool", "text"})
      value[key] = escaped(answer.last.get(key), 1024);
    value["rule"] = number(answer.last, "rule");
    auto& agents = value["agents"] = ordered_json::array();
    for (const auto& row : answer.rows) agents.push_back(to_json(row));
    with.print("sluice.placement/1", {{"placement", std::move(value)}});
  } else {
    with.show(agents_table(answer.rows), "agents");
    with.to.out << escaped(answer.last.get("text"), 1024) << "\n";
  }
  return chosen ? kOk : kFailed;
}

int DrainCommand::run(const Conversation& with) {
  const auto& words = words_;
  if (words.undo) return undo(words, with);
  auto arguments = order(words);
  if (!words.deadline.empty()) {
    const auto seconds = seconds_of(words.deadline);
    if (!seconds) {
      return with.refuse_usage("--deadline is a time from now, such as 90, 90s, 5m or 2h; a year at most");
    }
    arguments.add("deadline", *seconds);
  }
  arguments.add("kick-rate", words.kick_rate);
  const auto answer = with.ask("drain", "", std::move(arguments));
  if (answer.error) return with.complain(*answer.error);
  if (!with.json) with.to.out << whom(words) << " is being drained\n" << std::flush;
  const int code = words.wait ? wait_until_empty(words, with) : kOk;
  const auto now = look(words, with);
  if (now.error) return with.complain(*now.error);
  if (with.json) {
    with.print("sluice.drain/1", {{"drain", now.row ? to_json(*now.row) : ordered_json(nullptr)}});
  } else if (now.row && !words.wait) {
    with.to.out << progress_text(words, *now.row) << "\n";
  }
  return code;
}

int ReadyCommand::run(const Conversation& with) {
  const auto answer = with.ask("stats", "", {});
  if (answer.error) return with.complain(*answer.error);
  const bool is_ready = yes(answer.last, "ready");
  if (with.json) {
    with.print("sluice.ready/1", {{"ready",
                                   {{"ready", is_ready},
                                    {"draining", yes(answer.last, "draining")},
                                    {"reason", escaped(answer.last.get("not-ready"), 1024)}}}});
  } else if (is_ready) {
    with.to.out << "ready\n";
  } else {
    with.to.error << "sluicectl: not ready: " << escaped(answer.last.get("not-ready"), 1024) << "\n";
  }
  return is_ready ? kOk : kFailed;
}

}  // namespace sluice::ctl
