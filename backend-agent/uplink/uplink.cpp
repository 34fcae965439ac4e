#include "backend-agent/uplink/uplink.hpp"

#include <algorithm>

#include "base/app/clock.hpp"
#include "base/app/log.hpp"

namespace sluice::agent {
namespace {

using app::LogField;

std::string edge_of(const transport::ChannelDialer& dialer) {
  return dialer.config().edge_name;
}

/// Endings after which the edge may come back and want its tunnels: all where it did not say goodbye and
/// nobody here closed.
bool cut_off(channel::DeadCause cause) {
  return cause == channel::DeadCause::kStreamClosed || cause == channel::DeadCause::kSilent ||
         cause == channel::DeadCause::kStalled;
}

}  // namespace

Uplink::Uplink(UplinkContext context, const std::vector<EdgeAddress>& edges,
               const transport::TlsIdentity& identity, const channel::Hello& hello)
    : context_(std::move(context)),
      spis_(hello.workers, context_.random),
      keeper_(context_.grace),
      grace_timer_(context_.io) {
  for (const auto& edge : edges) {
    transport::ChannelDialerConfig config;
    config.host = edge.address.address.to_string();
    config.port = edge.address.port;
    config.edge_name = edge.name;
    config.control.hello = hello;
    dialers_.push_back(transport::ChannelDialer::make(context_.io, std::move(config), identity, spis_,
                                                      context_.random, *this));
  }
}

Uplink::~Uplink() = default;

void Uplink::start() {
  for (const auto& dialer : dialers_) dialer->start();
}

void Uplink::stop(const std::string& reason) {
  grace_timer_.cancel();
  for (const auto& dialer : dialers_) dialer->stop(reason);
}

std::optional<ChannelId> Uplink::channel_of(const transport::ChannelDialer& dialer) const {
  const auto found = std::find_if(links_.begin(), links_.end(),
                                  [&](const auto& link) { return link.second.dialer == &dialer; });
  if (found == links_.end()) return std::nullopt;
  return found->first;
}

transport::ChannelDialer* Uplink::dialer_of(ChannelId channel) const {
  const auto found = links_.find(channel);
  return found == links_.end() ? nullptr : found->second.dialer;
}

EdgeId Uplink::edge_id(const transport::ChannelDialer& dialer) const {
  const auto found = std::find_if(dialers_.begin(), dialers_.end(),
                                  [&](const auto& known) { return known.get() == &dialer; });
  return EdgeId(static_cast<std::uint32_t>(found - dialers_.begin()) + 1);
}

void Uplink::set_identity(const transport::TlsIdentity& identity) {
  for (const auto& dialer : dialers_) dialer->set_identity(identity);
}

void Uplink::set_load(const channel::LoadReport& load, bool now) {
  for (const auto& dialer : dialers_) dialer->set_load(load, now);
}

void Uplink::session_up(ChannelId channel, const channel::SessionUp& up) {
  const TunnelKey key = keeper_.current({channel, up.relay});
  keeper_.session_up(key, up);
  channel::SessionUp told = up;
  told.relay = key.relay;
  if (auto* dialer = dialer_of(key.channel)) dialer->session_up(told);
}

void Uplink::session_down(ChannelId channel, const channel::SessionDown& down) {
  const TunnelKey key = keeper_.current({channel, down.relay});
  keeper_.session_down(key, down.session);
  channel::SessionDown told = down;
  told.relay = key.relay;
  if (auto* dialer = dialer_of(key.channel)) dialer->session_down(told);
}

std::string Uplink::edge_name(ChannelId channel) const {
  const auto found = links_.find(channel);
  return found == links_.end() ? std::string() : found->second.edge.peer.name;
}

void Uplink::close_tunnel(const TunnelKey& known, channel::CloseCause cause, const std::string& text) {
  const TunnelKey key = keeper_.current(known);
  keeper_.tunnel_over(key);
  if (auto* dialer = dialer_of(key.channel)) dialer->close_tunnel(key.relay, cause, text);
}

void Uplink::channel_up(transport::ChannelDialer& dialer, const transport::EdgeLink& link,
                        const channel::EdgeReady& ready, std::vector<channel::PathKeys> keys) {
  const ChannelId id(++last_channel_);
  links_[id] = {.dialer = &dialer, .edge = link, .carrier = ready.edge.carrier};
  last_failure_.erase(&dialer);
  app::log_info("channel.edge-up", "edge connected",
                {LogField("edge", link.peer.name), LogField("control", link.control.to_string()),
                 LogField("data", link.data.to_string()), LogField("workers", ready.edge.workers),
                 LogField("carrier", channel::to_string(ready.edge.carrier))});
  context_.post(InstallPaths{id, link.data, link.local, std::move(keys), ready.edge.carrier});
  if (ready.edge.carrier == channel::CarrierMode::kTls) dialer.want_data_link(true);
  for (const auto waiting : keeper_.waiting(edge_id(dialer))) context_.post(DescribeTunnels{waiting});
}

void Uplink::offer(const TunnelsDescribed& described) {
  const auto waiting = waiting_.find(described.channel);
  if (waiting == waiting_.end()) return;
  auto& dialer = *dialers_[waiting->second.value() - 1];
  const auto over = channel_of(dialer);
  if (!over) return;  // cut off again: the next channel asks anew
  std::size_t offered = 0;
  for (const auto& numbers : described.tunnels) {
    const auto resume = keeper_.offer(numbers, *over);
    if (resume && dialer.resume_tunnel(*resume)) ++offered;
  }
  app::log_info("channel.tunnels-offered", "tunnels offered to the edge again",
                {LogField("edge", edge_of(dialer)), LogField("tunnels", offered)});
}

void Uplink::tunnel_resumed(transport::ChannelDialer& dialer, const channel::TunnelResumed& resumed) {
  const auto over = channel_of(dialer);
  const auto rebind = over ? keeper_.resumed(resumed, *over) : std::nullopt;
  if (!rebind) {
    // It ended, or was given up, while the edge made up its mind.
    dialer.close_tunnel(resumed.relay, channel::CloseCause::kByAgent, "the tunnel is over");
    return;
  }
  context_.post(*rebind);
  release_waiting(rebind->from.channel, edge_id(dialer));
}

void Uplink::tunnel_lost(transport::ChannelDialer& dialer, const channel::TunnelLost& lost) {
  const auto over = channel_of(dialer);
  const auto key = over ? keeper_.lost(lost, *over) : std::nullopt;
  if (!key) return;
  const std::string text(to_string(lost.cause));
  app::log_warning("tunnel.not-taken-back", "tunnel not taken back",
                   {LogField("edge", edge_of(dialer)), LogField("cause", text), LogField("text", lost.text)});
  context_.post(CloseTunnel{*key, lost.text.empty() ? text : text + ": " + lost.text});
  release_waiting(key->channel, edge_id(dialer));
}

void Uplink::release_waiting(ChannelId channel, EdgeId edge) {
  if (!keeper_.empty(channel)) return;
  keeper_.forget(channel);
  waiting_.erase(channel);
  context_.post(RemoveChannel{channel, "its tunnels went to a new channel"});
  if (keeper_.waiting(edge).empty()) dialers_[edge.value() - 1]->set_urgent(false);
}

void Uplink::end_channel(ChannelId channel, const std::string& text) {
  keeper_.forget(channel);
  waiting_.erase(channel);
  context_.post(RemoveChannel{channel, text});
}

void Uplink::watch_grace() {
  const auto next = keeper_.next_timeout();
  if (!next) return;
  grace_timer_.expires_after(std::max(*next - app::now(), Duration::zero()));
  grace_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    for (const auto channel : keeper_.expired(app::now())) {
      const EdgeId edge = waiting_.at(channel);
      app::log_warning("channel.edge-gone", "the edge did not come back in time, its tunnels end",
                       {LogField("edge", edge_of(*dialers_[edge.value() - 1]))});
      end_channel(channel, "the edge did not come back within the grace time");
      if (keeper_.waiting(edge).empty()) dialers_[edge.value() - 1]->set_urgent(false);
    }
    watch_grace();
  });
}

void Uplink::paths_renewed(transport::ChannelDialer& dialer, const channel::DataPaths& paths,
                           std::vector<channel::PathKeys> keys) {
  const auto id = channel_of(dialer);
  if (!id) return;
  const auto& edge = links_.at(*id).edge;
  app::log_debug("channel.edge-keys-renewed", "data keys renewed",
                 {LogField("edge", edge.peer.name), LogField("epoch", paths.epoch)});
  context_.post(InstallPaths{*id, edge.data, edge.local, std::move(keys), links_.at(*id).carrier});
}

void Uplink::tunnel_open(transport::ChannelDialer& dialer, const channel::TunnelOpen& open) {
  const auto id = channel_of(dialer);
  if (!id) return;
  if (const auto refusal = context_.refusal()) {
    app::log_warning("tunnel.not-taken", "tunnel refused",
                     {LogField("id", open.correlation_id), LogField("client", open.client.to_string()),
                      LogField("cause", *refusal)});
    dialer.refuse(open.relay, *refusal);
    return;
  }
  TunnelSpec spec;
  spec.key = {*id, open.relay};
  spec.edge_worker = open.edge_worker;
  spec.agent_worker = open.agent_worker;
  spec.assigned = open.assigned_tunnel;
  spec.client = open.client;
  spec.peer_identity = open.peer_identity;
  spec.correlation_id = open.correlation_id;
  spec.ppp_mtu = open.ppp_mtu;
  spec.probe = open.probe;
  keeper_.tunnel_opened(*id, open);
  // The worker hears of it before the edge does, so that the first packet finds its tunnel.
  context_.post(OpenTunnel{std::move(spec)});
  dialer.accept(open.relay);
  app::log(open.probe ? app::LogLevel::kDebug : app::LogLevel::kInfo, "tunnel.taken", "tunnel taken",
           {LogField("id", open.correlation_id), LogField("client", open.client.to_string()),
            LogField("identity", open.peer_identity), LogField("cipher", open.cipher),
            LogField("edge", edge_of(dialer))});
}

void Uplink::tunnel_close(transport::ChannelDialer& dialer, const channel::TunnelClose& close) {
  const auto id = channel_of(dialer);
  if (!id) return;
  keeper_.tunnel_over({*id, close.relay});
  const std::string text(to_string(close.cause));
  context_.post(CloseTunnel{{*id, close.relay}, close.text.empty() ? text : text + ": " + close.text});
}

void Uplink::tunnel_end(transport::ChannelDialer& dialer, const channel::TunnelEnd& end) {
  const auto id = channel_of(dialer);
  if (id) context_.post(EndTunnel{{*id, end.relay}, end.text});
}

void Uplink::channel_down(transport::ChannelDialer& dialer, const channel::Dead& dead) {
  const auto id = channel_of(dialer);
  if (!id) return;
  const bool wanted = dead.cause == channel::DeadCause::kLocalClose;
  app::log(wanted ? app::LogLevel::kInfo : app::LogLevel::kWarning, "channel.edge-down", "edge disconnected",
           {LogField("edge", edge_of(dialer)), LogField("cause", to_string(dead.cause)),
            LogField("text", dead.text)});
  const EdgeId edge = edge_id(dialer);
  links_.erase(*id);
  if (cut_off(dead.cause) && keeper_.cut_off(*id, edge, app::now())) {
    waiting_[*id] = edge;
    context_.post(HoldChannel{*id});
    dialer.set_urgent(true);
    return watch_grace();
  }
  end_channel(*id, "the channel to the edge is down");
  if (cut_off(dead.cause)) return;
  // An edge that says goodbye wants nothing back.
  for (const auto waiting : keeper_.waiting(edge)) {
    end_channel(waiting, "the channel to the edge is down");
  }
  dialer.set_urgent(false);
}

void Uplink::connection_failed(transport::ChannelDialer& dialer, const std::string& cause,
                               std::chrono::milliseconds retry_in) {
  // The same failure again and again is one line.
  const bool again = std::exchange(last_failure_[&dialer], cause) == cause;
  app::log(
      again ? app::LogLevel::kDebug : app::LogLevel::kWarning, "channel.edge-unreachable",
      "cannot reach the edge",
      {LogField("edge", edge_of(dialer)), LogField("cause", cause), LogField("retry_ms", retry_in.count())});
}

}  // namespace sluice::agent
