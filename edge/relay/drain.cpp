// Tunnels that are ended for an operator, in good order: CDN and StopCCN by the agent, then the client's SAs.
#include "base/app/log.hpp"
#include "edge/relay/relays.hpp"

namespace sluice::edge {
namespace {

using app::LogField;

// What an agent has for a farewell to a client; then the edge says it.
constexpr auto kFarewellTime = std::chrono::seconds(4);
// A kicked client is not waited for on the SAs it has.
constexpr auto kGoAway = std::chrono::seconds(1);

}  // namespace

void Relays::drain(RelayId id, const std::string& why, Duration come_back) {
  end_in_order(id, "draining", why, come_back);
}

void Relays::kick(RelayId id, const std::string& why) {
  end_in_order(id, "kicked", why, kGoAway);
}

void Relays::end_in_order(RelayId id, std::string_view cause, const std::string& why, Duration come_back) {
  auto* relay = find(id);
  if (relay == nullptr || relay->stage != RelayStage::kBound || relay->ending_until) return;
  app::log_info("tunnel.ending", "tunnel is ended",
                {LogField("id", relay->correlation_id), LogField("agent", relay->backend_name),
                 LogField("cause", why)});
  relay->come_back = come_back;
  relay->ending_cause = cause;
  note(*relay, JournalKind::kEnding,
       {.cause = cause, .text = why, .details = {{"by", std::string(kByOperator)}}});
  relay->ending_until = context_.now() + kFarewellTime;
  ending_.emplace(*relay->ending_until, id);
  auto* backend = context_.backends.find(relay->backend);
  const bool asked =
      backend != nullptr && backend->channel != nullptr && backend->channel->end_tunnel(id, why);
  if (!asked) end(*relay, relay->ending_cause, why);
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
    bare ? let_go(*relay) : end(*relay, relay->ending_cause, "the agent did not end the tunnel in time");
  }
}

}  // namespace sluice::edge
