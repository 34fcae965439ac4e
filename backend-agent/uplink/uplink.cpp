#include "backend-agent/uplink/uplink.hpp"

#include <algorithm>

#include "base/app/log.hpp"

namespace sluice::agent {
namespace {

using app::LogField;

std::string edge_of(const transport::ChannelDialer& dialer) {
  return dialer.config().edge_name;
}

}  // namespace

Uplink::Uplink(UplinkContext context, const std::vector<EdgeAddress>& edges,
               const transport::TlsIdentity& identity, const channel::Hello& hello)
    : context_(std::move(context)), spis_(hello.workers, context_.random) {
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

void Uplink::set_load(const channel::LoadReport& load, bool now) {
  for (const auto& dialer : dialers_) dialer->set_load(load, now);
}

void Uplink::session_up(ChannelId channel, const channel::SessionUp& up) {
  if (auto* dialer = dialer_of(channel)) dialer->session_up(up);
}

void Uplink::session_down(ChannelId channel, const channel::SessionDown& down) {
  if (auto* dialer = dialer_of(channel)) dialer->session_down(down);
}

void Uplink::close_tunnel(const TunnelKey& key, channel::CloseCause cause, const std::string& text) {
  if (auto* dialer = dialer_of(key.channel)) dialer->close_tunnel(key.relay, cause, text);
}

std::string Uplink::edge_name(ChannelId channel) const {
  const auto found = links_.find(channel);
  return found == links_.end() ? std::string() : found->second.edge.peer.name;
}

void Uplink::channel_up(transport::ChannelDialer& dialer, const transport::EdgeLink& link,
                        const channel::EdgeReady& ready, std::vector<channel::PathKeys> keys) {
  const ChannelId id(++last_channel_);
  links_[id] = {&dialer, link};
  last_failure_.erase(&dialer);
  app::log_info("edge connected",
                {LogField("edge", link.peer.name), LogField("control", link.control.to_string()),
                 LogField("data", link.data.to_string()), LogField("workers", ready.edge.workers)});
  context_.post(InstallPaths{id, link.data, link.local, std::move(keys)});
}

void Uplink::paths_renewed(transport::ChannelDialer& dialer, const channel::DataPaths& paths,
                           std::vector<channel::PathKeys> keys) {
  const auto id = channel_of(dialer);
  if (!id) return;
  const auto& edge = links_.at(*id).edge;
  app::log_debug("data keys renewed", {LogField("edge", edge.peer.name), LogField("epoch", paths.epoch)});
  context_.post(InstallPaths{*id, edge.data, edge.local, std::move(keys)});
}

void Uplink::tunnel_open(transport::ChannelDialer& dialer, const channel::TunnelOpen& open) {
  const auto id = channel_of(dialer);
  if (!id) return;
  if (const auto refusal = context_.refusal()) {
    app::log_warning("tunnel refused",
                     {LogField("id", open.correlation_id), LogField("client", open.client.to_string()),
                      LogField("cause", *refusal)});
    dialer.refuse(open.relay, *refusal);
    return;
  }
  TunnelSpec spec;
  spec.key = {*id, open.relay};
  spec.edge_worker = open.edge_worker;
  spec.assigned = open.assigned_tunnel;
  spec.client = open.client;
  spec.peer_identity = open.peer_identity;
  spec.correlation_id = open.correlation_id;
  spec.ppp_mtu = open.ppp_mtu;
  spec.probe = open.probe;
  // The worker hears of it before the edge does, so that the first packet finds its tunnel.
  context_.post(OpenTunnel{std::move(spec)});
  dialer.accept(open.relay);
  app::log(open.probe ? app::LogLevel::kDebug : app::LogLevel::kInfo, "tunnel taken",
           {LogField("id", open.correlation_id), LogField("client", open.client.to_string()),
            LogField("identity", open.peer_identity), LogField("cipher", open.cipher),
            LogField("edge", edge_of(dialer))});
}

void Uplink::tunnel_close(transport::ChannelDialer& dialer, const channel::TunnelClose& close) {
  const auto id = channel_of(dialer);
  if (!id) return;
  const std::string text(to_string(close.cause));
  context_.post(CloseTunnel{{*id, close.relay}, close.text.empty() ? text : text + ": " + close.text});
}

void Uplink::channel_down(transport::ChannelDialer& dialer, const channel::Dead& dead) {
  const auto id = channel_of(dialer);
  if (!id) return;
  const bool wanted = dead.cause == channel::DeadCause::kLocalClose;
  app::log(wanted ? app::LogLevel::kInfo : app::LogLevel::kWarning, "edge disconnected",
           {LogField("edge", edge_of(dialer)), LogField("cause", to_string(dead.cause)),
            LogField("text", dead.text)});
  context_.post(RemoveChannel{*id, "the channel to the edge is down"});
  links_.erase(*id);
}

void Uplink::connection_failed(transport::ChannelDialer& dialer, const std::string& cause,
                               std::chrono::milliseconds retry_in) {
  // The same failure again and again is one line.
  const bool again = std::exchange(last_failure_[&dialer], cause) == cause;
  app::log(
      again ? app::LogLevel::kDebug : app::LogLevel::kWarning, "cannot reach the edge",
      {LogField("edge", edge_of(dialer)), LogField("cause", cause), LogField("retry_ms", retry_in.count())});
}

}  // namespace sluice::agent
