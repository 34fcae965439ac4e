#include "edge/app/draining.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/app/log.hpp"
#include "base/app/unique_fd.hpp"

namespace sluice::edge {
namespace {

using app::LogField;

constexpr std::size_t kLargestFile = 1 << 20;
// A drained agent's client may redial on the SAs it has; a drained edge's is to look for another edge.
constexpr auto kComeBack = std::chrono::seconds(10), kGoAway = std::chrono::seconds(1);

std::string name_of(const std::string& agent) {
  return agent.empty() ? "this edge" : agent;
}

/// Whole or not at all: by another file that takes its place.
bool write_file(const std::filesystem::path& path, const std::string& text) {
  const auto temporary = path.string() + ".new";
  {
    const app::UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd) return false;
    const auto size = static_cast<ssize_t>(text.size());
    if (::write(fd.get(), text.data(), text.size()) != size || ::fsync(fd.get()) != 0) return false;
  }
  return ::rename(temporary.c_str(), path.c_str()) == 0;
}

}  // namespace

void Draining::load() {
  std::ifstream in(context_.file, std::ios::binary);
  if (!in) return;
  std::string text(std::istreambuf_iterator<char>(in), {});
  const auto orders = text.size() <= kLargestFile ? orders_of(text) : std::nullopt;
  if (!orders) {
    app::log_error("placement.drains-lost",
                   "what was drained is not known any more: its file cannot be read. Drain again",
                   {LogField("file", context_.file.string())});
    return;
  }
  for (const auto& order : *orders) {
    app::log_info("placement.still-draining", "still draining",
                  {LogField("who", name_of(order.agent)), LogField("deadline", order.deadline)});
    drains_.begin(order);
  }
}

std::optional<std::string> Draining::save() const {
  if (write_file(context_.file, drains_.to_text())) return std::nullopt;
  return context_.file.string() + " cannot be written (" + std::strerror(errno) +
         "): a restart of the edge would forget this. Is edge.state_dir writable?";
}

std::optional<std::string> Draining::begin(const DrainRequest& request) {
  if (!request.agent.empty() && (!is_agent_name(request.agent) || !context_.known(request.agent)))
    return "no agent of this name was ever connected; `sluicectl backends` shows those that were";
  const auto now = static_cast<std::uint32_t>(context_.now_ms() / 1000);
  DrainOrder order{.agent = request.agent, .since = now, .kick_rate = request.kick_rate};
  if (request.deadline) order.deadline = now + static_cast<std::uint32_t>(request.deadline->count());
  order.began_with = left_of(request.agent).tunnels;
  empty_.erase(request.agent);
  drains_.begin(order);
  app::log_info("placement.draining", "draining",
                {LogField("who", name_of(order.agent)), LogField("tunnels", order.began_with),
                 LogField("deadline", order.deadline), LogField("kick_rate", order.kick_rate)});
  context_.tell(name_of(order.agent) + " is drained");
  return save();
}

std::optional<std::string> Draining::undo(const std::string& agent) {
  if (!drains_.undo(agent)) return name_of(agent) + " is not being drained";
  app::log_info("placement.in-service", "in service again", {LogField("who", name_of(agent))});
  context_.tell(name_of(agent) + " is in service again");
  return save();
}

Draining::Left Draining::left_of(const std::string& agent) const {
  Left out;
  for (const auto& [id, relay] : context_.relays.all()) {
    // One that is said farewell by the edge itself is no agent's any more.
    if (relay.stage == RelayStage::kFarewell || (!agent.empty() && relay.backend_name != agent)) continue;
    ++out.tunnels;
    out.sessions += static_cast<std::uint32_t>(relay.agent_sessions.size());
    out.ending += relay.ending_until ? 1 : 0;
    if (!relay.ending_until && relay.stage == RelayStage::kBound) out.relays.push_back(id);
  }
  return out;
}

std::vector<DrainView> Draining::list() const {
  std::vector<DrainView> out;
  for (const auto& order : drains_.all()) {
    const auto left = left_of(order.agent);
    const auto* state = left.tunnels == 0 ? "empty" : drains_.ending(order.agent) ? "ending" : "waiting";
    out.push_back({.agent = order.agent,
                   .since = order.since,
                   .deadline = order.deadline,
                   .kick_rate = order.kick_rate,
                   .began_with = order.began_with,
                   .tunnels = left.tunnels,
                   .sessions = left.sessions,
                   .ending = left.ending,
                   .state = state});
  }
  return out;
}

std::string Draining::closed() const {
  const auto* order = drains_.find("");
  const bool over =
      order != nullptr && order->deadline != 0 && context_.now_ms() / 1000 >= std::int64_t{order->deadline};
  return over ? "this edge is out of service" : "";
}

void Draining::tick() {
  if (drains_.empty()) return;
  const auto now = context_.now_ms();
  for (const auto& order : drains_.all()) {
    const auto& agent = order.agent;
    const auto left = left_of(agent);
    const auto due = drains_.due(agent, static_cast<std::uint32_t>(left.relays.size()), now);
    for (std::uint32_t i = 0; i < due; ++i)
      context_.relays.drain(
          left.relays[i],
          agent.empty() ? "the edge is going out of service" : "the PPP server is going out of service",
          agent.empty() ? kGoAway : kComeBack);
    if (left.tunnels != 0) {
      empty_.erase(agent);
    } else if (empty_.insert(agent).second) {
      app::log_info("placement.drained", "drained: nothing is left", {LogField("who", name_of(agent))});
      context_.tell(name_of(agent) + " is empty");
    }
  }
}

}  // namespace sluice::edge
