#include "backend-agent/uplink/keeper.hpp"

#include <algorithm>

namespace sluice::agent {
namespace {

TunnelKey first_of(ChannelId channel) {
  return {channel, RelayId{}};
}

}  // namespace

TunnelKeeper::Kept* TunnelKeeper::find(const TunnelKey& key) {
  const auto found = tunnels_.find(current(key));
  return found == tunnels_.end() ? nullptr : &found->second;
}

TunnelKey TunnelKeeper::current(const TunnelKey& key) const {
  const auto moved = moved_.find(key);
  return moved == moved_.end() ? key : moved->second;
}

void TunnelKeeper::tunnel_opened(ChannelId channel, const channel::TunnelOpen& open) {
  const TunnelKey key{channel, open.relay};
  tunnel_over(key);
  tunnels_[key].open = open;
}

void TunnelKeeper::tunnel_over(const TunnelKey& key) {
  const auto found = tunnels_.find(current(key));
  if (found == tunnels_.end()) return;
  for (const auto& former : found->second.former) moved_.erase(former);
  tunnels_.erase(found);
}

void TunnelKeeper::session_up(const TunnelKey& key, const channel::SessionUp& up) {
  if (Kept* kept = find(key)) kept->sessions[up.session] = up;
}

void TunnelKeeper::session_down(const TunnelKey& key, SessionId session) {
  if (Kept* kept = find(key)) kept->sessions.erase(session);
}

bool TunnelKeeper::empty(ChannelId channel) const {
  const auto first = tunnels_.lower_bound(first_of(channel));
  return first == tunnels_.end() || first->first.channel != channel;
}

bool TunnelKeeper::cut_off(ChannelId channel, EdgeId edge, Instant now) {
  std::erase_if(offers_, [&](const auto& offer) { return offer.second.over == channel; });
  if (grace_ <= Duration::zero() || empty(channel)) return false;
  waits_[channel] = {edge, now + grace_};
  return true;
}

void TunnelKeeper::forget(ChannelId channel) {
  waits_.erase(channel);
  std::erase_if(offers_, [&](const auto& offer) {
    return offer.second.over == channel || offer.second.key.channel == channel;
  });
  for (auto at = tunnels_.lower_bound(first_of(channel));
       at != tunnels_.end() && at->first.channel == channel;) {
    for (const auto& former : at->second.former) moved_.erase(former);
    at = tunnels_.erase(at);
  }
}

std::vector<ChannelId> TunnelKeeper::waiting(EdgeId edge) const {
  std::vector<ChannelId> out;
  for (const auto& [channel, wait] : waits_) {
    if (wait.edge == edge) out.push_back(channel);
  }
  return out;
}

std::vector<ChannelId> TunnelKeeper::expired(Instant now) {
  std::vector<ChannelId> out;
  for (const auto& [channel, wait] : waits_) {
    if (wait.until <= now) out.push_back(channel);
  }
  for (const auto channel : out) waits_.erase(channel);
  return out;
}

std::optional<Instant> TunnelKeeper::next_timeout() const {
  std::optional<Instant> next;
  for (const auto& [channel, wait] : waits_) next = next ? std::min(*next, wait.until) : wait.until;
  return next;
}

std::optional<channel::TunnelResume> TunnelKeeper::offer(const TunnelNumbers& numbers, ChannelId over) {
  const auto found = tunnels_.find(numbers.key);
  if (found == tunnels_.end() || !waits_.contains(numbers.key.channel) || found->second.open.probe) {
    return std::nullopt;
  }
  const Kept& kept = found->second;
  channel::TunnelResume out;
  out.resume = ++last_offer_;
  out.relay = numbers.key.relay;
  out.correlation_id = kept.open.correlation_id;
  out.peer_identity = kept.open.peer_identity;
  out.client = kept.open.client;
  out.l2tp_port = kept.open.l2tp_port;
  out.agent_tunnel = kept.open.assigned_tunnel;
  out.client_tunnel = numbers.client;
  out.agent_worker = kept.open.agent_worker;
  out.ns = numbers.ns;
  out.nr = numbers.nr;
  out.established = numbers.established;
  for (const auto& ids : numbers.sessions) {
    auto& session = out.sessions.emplace_back();
    session.agent = ids.agent;
    session.client = ids.client;
    const auto up = kept.sessions.find(ids.agent);
    if (up == kept.sessions.end()) continue;
    session.up = true;
    session.user = up->second.user;
    session.auth_method = up->second.auth_method;
    session.client_ip = up->second.client_ip;
    session.started_at = up->second.started_at;
  }
  offers_[out.resume] = {numbers.key, over};
  return out;
}

std::optional<TunnelKey> TunnelKeeper::take_offer(std::uint32_t resume, ChannelId over) {
  const auto found = offers_.find(resume);
  if (found == offers_.end() || found->second.over != over) return std::nullopt;
  const TunnelKey key = found->second.key;
  offers_.erase(found);
  if (!tunnels_.contains(key)) return std::nullopt;
  return key;
}

std::optional<RebindTunnel> TunnelKeeper::resumed(const channel::TunnelResumed& answer, ChannelId over) {
  const auto from = take_offer(answer.resume, over);
  if (!from) return std::nullopt;
  const TunnelKey to{over, answer.relay};
  tunnel_over(to);
  auto node = tunnels_.extract(*from);
  Kept& kept = node.mapped();
  kept.open.relay = answer.relay;
  kept.open.edge_worker = answer.edge_worker;
  kept.former.push_back(*from);
  for (const auto& former : kept.former) moved_[former] = to;
  node.key() = to;
  tunnels_.insert(std::move(node));
  return RebindTunnel{*from, to, answer.edge_worker};
}

std::optional<TunnelKey> TunnelKeeper::lost(const channel::TunnelLost& answer, ChannelId over) {
  const auto key = take_offer(answer.resume, over);
  if (key) tunnel_over(*key);
  return key;
}

}  // namespace sluice::agent
