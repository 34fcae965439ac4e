// Tunnels that are ended for an operator, in good order: CDN and StopCCN by the agent, then the client's SAs.
#include "base/app/log.hpp"
#include "edge/relay/relays.hpp"

namespace sluice::edge {
namespace {

using app::LogField;

// What an agent has for a farewell to a client; then the edge says it.
constexpr auto kFarewellTime = std::chrono::seconds(4);

}  // namespace

void Relays::drain(RelayId id, const std::string& why, Duration come_back) {
  auto* relay = find(id);
  if (relay == nullptr || relay->stage != RelayStage::kBound || relay->ending_until) return;
  app::log_info("tunnel.ending", "tunnel is ended",
                {LogField("id", relay->correlation_id), LogField("agent", relay->backend_name),
                 LogField("cause", why)});
  relay->come_back = come_back;
  relay->ending_until = context_.now() + kFarewellTime;
  ending_.emplace(*relay->ending_until, id);
  auto* backend = context_.backends.find(relay->backend);
  const bool asked =
      backend != nullptr && backend->channel != nullptr && backend->channel->end_tunnel(id, why);
  if (!asked) end(*relay, "draining", why);
}

void Relays::tick_drain(Instant now) {
  for (auto at = ending_.begin(); at != ending_.end();) {
    auto* relay = find(at->second);
    const bool over = relay == nullptr || relay->stage != RelayStage::kBound;
    const auto* peer = over ? nullptr : context_.peers.find(relay->peer);
    // Some clients end their SAs as soon as they hear CDN: nobody is left to acknowledge the rest.
    const bool bare = peer != nullptr && peer->bare_since;
    if (!over && !bare && now < at->first) {
      ++at;
      continue;
    }
    at = ending_.erase(at);
    if (over) continue;
    bare ? let_go(*relay) : end(*relay, "draining", "the agent did not end the tunnel in time");
  }
}

}  // namespace sluice::edge
