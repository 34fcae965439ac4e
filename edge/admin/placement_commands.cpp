#include "edge/admin/placement_commands.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/text.hpp"
#include "edge/admin/arguments.hpp"

namespace sluice::edge {
namespace {

using vici::Message;
using Stream = vici::Server::Stream;

constexpr std::uint32_t kLongestDeadline = 366 * 86400;
constexpr std::uint32_t kMostKicks = 1000;

std::optional<std::uint32_t> number_of(std::string_view text, std::uint32_t low, std::uint32_t high) {
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  const bool good = error == std::errc() && end == text.data() + text.size() && out >= low && out <= high;
  return good ? std::optional(out) : std::nullopt;
}

Stream refused(Message answer) {
  Stream out;
  out.answer = std::move(answer);
  return out;
}

Stream stream_of(std::vector<Message> rows, Message answer) {
  Stream out;
  out.answer = std::move(answer);
  out.next = [rows = std::make_shared<std::vector<Message>>(std::move(rows)),
              at = std::size_t{0}]() mutable -> std::optional<Message> {
    return at == rows->size() ? std::nullopt : std::optional(std::move((*rows)[at++]));
  };
  return out;
}

Message to_message(const PlacementAgentView& a) {
  Message out;
  out.add("name", a.name).add("chosen", a.chosen).add("eligible", a.eligible);
  if (!a.why.empty()) out.add("why", a.why);
  out.add("spare", a.spare).add("score-milli", static_cast<std::uint64_t>(a.score * 1000));
  out.add("weight", a.weight).add("tunnels", a.tunnels).add("handicap", a.handicap);
  out.add("busy-permille", a.busy_permille).add("packets-per-second", a.packets_per_second);
  out.add("radius-ms", a.radius_ms);
  if (a.free_addresses) out.add("free-addresses", *a.free_addresses);
  return out;
}

Message to_message(const DrainView& d) {
  Message out;
  out.add("kind", d.agent.empty() ? "edge" : "agent");
  if (!d.agent.empty()) out.add("agent", d.agent);
  out.add("state", d.state).add("since", d.since).add("deadline", d.deadline).add("kick-rate", d.kick_rate);
  out.add("began-with", d.began_with).add("tunnels", d.tunnels).add("sessions", d.sessions);
  out.add("ending", d.ending);
  return out;
}

Stream explain(const PlacementHandlers& handlers, const Message& arguments) {
  if (auto bad = unknown_argument(arguments, {"identity", "listener", "host", "client"}))
    return refused(std::move(*bad));
  PlacementQuestion question;
  question.identity = arguments.value("identity").value_or("");
  question.listener = arguments.value("listener").value_or("main");
  question.host = arguments.value("host").value_or("");
  if (question.identity.empty()) return refused(refusal("argument 'identity' is missing: which client?"));
  if (const auto client = arguments.value("client")) {
    question.address = IpAddress::parse(*client);
    if (!question.address) return refused(refusal("'" + escaped(*client) + "' is no IP address"));
  }
  const auto view = handlers.explain(question);
  std::vector<Message> rows;
  for (const auto& agent : view.agents) rows.push_back(to_message(agent));
  Message answer;
  answer.add("success", true).add("count", rows.size());
  answer.add("chosen", view.chosen).add("policy", view.policy).add("pool", view.pool).add("rule", view.rule);
  answer.add("text", view.text);
  return stream_of(std::move(rows), std::move(answer));
}

Message done(const std::optional<std::string>& fault) {
  if (fault) return refusal(*fault);
  Message out;
  out.add("success", true);
  return out;
}

/// The agent that `kind` and `name` say, empty for the edge.
Result<std::string, Message> whom(const Message& arguments) {
  const auto kind = arguments.value("kind").value_or("");
  const auto name = arguments.value("name").value_or("");
  if (kind == "edge" && name.empty()) return std::string();
  if (kind == "edge") return Failure{refusal("the edge is drained without a name")};
  if (kind != "agent") return Failure{refusal("argument 'kind' must be agent or edge")};
  if (name.empty()) return Failure{refusal("argument 'name' is missing: which agent?")};
  return std::string(name);
}

Message drain(const PlacementHandlers& handlers, const Message& arguments) {
  if (auto bad = unknown_argument(arguments, {"kind", "name", "deadline", "kick-rate"})) return *bad;
  auto agent = whom(arguments);
  if (!agent) return agent.error();
  DrainRequest request{.agent = *agent, .deadline = {}};
  if (const auto text = arguments.value("deadline")) {
    const auto seconds = number_of(*text, 0, kLongestDeadline);
    if (!seconds) return refusal("argument 'deadline' must be whole seconds from now, a year at most");
    request.deadline = std::chrono::seconds(*seconds);
  }
  if (const auto text = arguments.value("kick-rate")) {
    const auto rate = number_of(*text, 1, kMostKicks);
    if (!rate) return refusal("argument 'kick-rate' must be a whole number from 1 to 1000");
    request.kick_rate = *rate;
  }
  return done(handlers.drain(request));
}

Message undrain(const PlacementHandlers& handlers, const Message& arguments) {
  if (auto bad = unknown_argument(arguments, {"kind", "name"})) return *bad;
  auto agent = whom(arguments);
  return agent ? done(handlers.undrain(*agent)) : agent.error();
}

Stream drains(const PlacementHandlers& handlers, const Message& arguments) {
  if (auto bad = unknown_argument(arguments, {"kind", "agent"})) return refused(std::move(*bad));
  std::vector<Message> rows;
  for (const auto& each : handlers.drains()) {
    auto row = to_message(each);
    const auto wanted = [&](std::string_view key) {
      const auto value = arguments.value(key);
      return !value || row.get(key) == *value;
    };
    if (wanted("kind") && wanted("agent")) rows.push_back(std::move(row));
  }
  Message answer;
  answer.add("success", true).add("count", rows.size());
  return stream_of(std::move(rows), std::move(answer));
}

}  // namespace

void add_placement_commands(vici::Server& server, PlacementHandlers given) {
  const auto handlers = std::make_shared<PlacementHandlers>(std::move(given));
  server.stream_command("explain-placement", "placement-agent",
                        [handlers](const Message& arguments) { return explain(*handlers, arguments); });
  server.stream_command("list-drains", "list-drain",
                        [handlers](const Message& arguments) { return drains(*handlers, arguments); });
  server.command("drain", [handlers](const Message& arguments) { return drain(*handlers, arguments); });
  server.command("undrain", [handlers](const Message& arguments) { return undrain(*handlers, arguments); });
}

}  // namespace sluice::edge
