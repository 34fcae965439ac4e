#include "edge/backends/backends.hpp"

#include <algorithm>

#include "base/app/log.hpp"

namespace sluice::edge {

Backends::Backends(std::vector<std::string> allowed, BackendsContext context, BackendEvents events)
    : allowed_(allowed.begin(), allowed.end()), context_(std::move(context)), events_(std::move(events)) {}

bool Backends::authorise(const transport::PeerName& agent) {
  return agent.role == transport::Role::kAgent && (allowed_.empty() || allowed_.contains(agent.name));
}

void Backends::set_allowed(const std::vector<std::string>& allowed) {
  allowed_ = {allowed.begin(), allowed.end()};
  std::vector<transport::EdgeChannel*> gone;
  for (const auto& [id, backend] : backends_) {
    if (backend.channel != nullptr && !allowed_.empty() && !allowed_.contains(backend.name))
      gone.push_back(backend.channel);
  }
  for (auto* channel : gone) channel->close(channel->peer().name + " is none of channel.agents any more");
}

void Backends::channel_up(transport::EdgeChannel& channel, const channel::AgentReady& ready,
                          std::vector<channel::PathKeys> keys) {
  const auto& name = channel.peer().name;
  std::vector<transport::EdgeChannel*> former;
  for (auto& [id, other] : backends_) {
    if (other.name != name || other.channel == nullptr) continue;
    other.cut_off = other.hello.boot_id == ready.agent.boot_id;
    former.push_back(other.channel);
  }
  const bool same_life = std::any_of(backends_.begin(), backends_.end(), [&](const auto& row) {
    return row.second.name == name && row.second.hello.boot_id == ready.agent.boot_id;
  });
  if (!former.empty()) health_[name].lost(context_.placement.health, context_.now());
  // An agent that was cut off comes back before its old connection is known to be dead.
  for (auto* old : former) old->close("the agent connected anew");
  std::erase_if(backends_,
                [&](const auto& row) { return row.second.name == name && row.second.channel == nullptr; });

  const BackendId id(next_id_++);
  Backend& backend = backends_[id];
  backend = {.id = id,
             .name = name,
             .remote = channel.remote(),
             .channel = &channel,
             .hello = ready.agent,
             .load = {},
             .reported_at = context_.now(),
             .connected_since = context_.unix_seconds(),
             .placed = 0,
             .carrier = ready.carrier,
             .paths = static_cast<std::uint32_t>(keys.size()),
             .renewed_at = context_.now()};
  // One that was cut off for a moment brings its tunnels back.
  backend.newcomer = !same_life;
  health_[name].came(same_life ? 0 : behind_the_others(backend), context_.now());
  for (std::uint32_t worker = 0; worker < context_.workers; ++worker)
    backend.path_stats.push_back(std::make_shared<PathStats>());
  install(backend, channel, std::move(keys));
  events_.up(backend);
}

void Backends::install(const Backend& backend, const transport::EdgeChannel& channel,
                       std::vector<channel::PathKeys> keys) {
  app::log_debug("channel.paths", "data paths to an agent are set up",
                 {{"agent", backend.name},
                  {"pairs_of_workers", keys.size()},
                  {"carrier", channel::to_string(backend.carrier)}});
  for (auto& key : keys) {
    context_.post(key.path.edge_worker, AddPath{.backend = backend.id,
                                                .agent_worker = key.path.agent_worker,
                                                .to_edge = key.path.spi_to_edge,
                                                .to_agent = key.path.spi_to_agent,
                                                .to_edge_key = std::move(key.to_edge),
                                                .to_agent_key = std::move(key.to_agent),
                                                .agent = channel.data_endpoint(key.path.agent_worker),
                                                .local = channel.local_address(),
                                                .carrier = backend.carrier,
                                                .spent_packets = context_.rekey.packets,
                                                .spent_bytes = context_.rekey.bytes,
                                                .stats = backend.path_stats.at(key.path.edge_worker)});
  }
}

void Backends::paths_renewed(transport::EdgeChannel& channel, const channel::DataPaths& paths,
                             std::vector<channel::PathKeys> keys) {
  auto* backend = find(channel);
  if (backend == nullptr) return;
  backend->epoch = paths.epoch;
  backend->renewed_at = context_.now();
  backend->spent = false;
  app::log_debug("channel.keys-renewed", "data keys renewed",
                 {{"agent", backend->name}, {"epoch", std::to_string(paths.epoch)}});
  install(*backend, channel, std::move(keys));
}

void Backends::channel_event(transport::EdgeChannel& channel, const channel::EdgeEvent& event) {
  auto* backend = find(channel);
  if (backend == nullptr) return;
  if (const auto* load = std::get_if<channel::LoadReport>(&event)) {
    return note_load(*backend, *load);
  }
  events_.event(*backend, event);
}

void Backends::channel_down(transport::EdgeChannel& channel, const channel::Dead& dead) {
  auto* backend = find(channel);
  if (backend == nullptr) return;
  backend->channel = nullptr;
  backend->cut_off |= dead.cause == channel::DeadCause::kStreamClosed;
  for (std::uint32_t worker = 0; worker < context_.workers; ++worker) {
    context_.post(worker, RemovePaths{backend->id});
  }
  const bool orderly =
      dead.cause == channel::DeadCause::kPeerGoodbye || dead.cause == channel::DeadCause::kLocalClose;
  if (!orderly) health_[backend->name].lost(context_.placement.health, context_.now());
  events_.down(*backend,
               std::string(channel::to_string(dead.cause)) + (dead.text.empty() ? "" : ": " + dead.text),
               orderly);
}

void Backends::connection_failed(const Endpoint& remote, const std::string& name, const std::string& cause) {
  app::log_warning("channel.agent-refused", "agent connection refused",
                   {{"remote", remote.to_string()},
                    {"name", name.empty() ? std::string("(not authenticated)") : name},
                    {"cause", cause}});
}

Backend* Backends::find(BackendId id) {
  const auto found = backends_.find(id);
  return found == backends_.end() ? nullptr : &found->second;
}

Backend* Backends::find(const transport::EdgeChannel& channel) {
  for (auto& [id, backend] : backends_) {
    if (backend.channel == &channel) return &backend;
  }
  return nullptr;
}

std::size_t Backends::alive() const {
  return static_cast<std::size_t>(std::count_if(
      backends_.begin(), backends_.end(), [](const auto& row) { return row.second.channel != nullptr; }));
}

}  // namespace sluice::edge
