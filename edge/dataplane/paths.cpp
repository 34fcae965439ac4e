// The data paths to agents: epochs of keys that overlap, and whether UDP carries data. Thread: the worker,
// between bursts.
#include <algorithm>

#include "edge/dataplane/state.hpp"
#include "proto/channel/data_keys.hpp"

namespace sluice::edge {
namespace {

/// A new epoch is sent on when the agent's worker has surely got it, and an old one is received on while the
/// agent may still send on it, or packets be under way.
constexpr Duration kSwitchAfter = std::chrono::milliseconds(300);
constexpr Duration kOldEpoch = std::chrono::seconds(5);
constexpr std::size_t kProbesInTick = 32;

}  // namespace

void Pipeline::apply_one(AddPath& command, Instant now, OutgoingBatch&) {
  auto in = channel::data_sa(command.to_edge, command.to_edge_key);
  in.limits = {.soft_bytes = command.spent_bytes, .soft_packets = command.spent_packets};
  auto out = channel::data_sa(command.to_agent, command.to_agent_key);
  out.limits = in.limits;
  auto in_sa = engine_->make_inbound(in);
  auto out_sa = engine_->make_outbound(out);
  if (!in_sa || !out_sa) return channel_esp_drops_.add(esp::DropReason::kEngineFailure);
  const PathKey key{command.backend, command.agent_worker};
  auto& slot = paths_[key];
  const bool fresh = !slot;
  if (fresh) {
    slot = std::make_unique<PathState>();
    slot->key = key;
    slot->agent = command.agent;
    slot->local = command.local;
    slot->carrier = command.carrier;
    slot->stream = command.carrier == channel::CarrierMode::kTls;
    if (command.carrier == channel::CarrierMode::kAuto) {
      slot->health.emplace(now);
      slot->mtu.emplace(now);
    }
  }
  auto& path = *slot;
  if (path.switch_at) path.send_on_newest(now, kOldEpoch);
  path.epochs.push_back(
      std::make_unique<PathEpoch>(PathEpoch{&path, command.to_edge, std::move(*in_sa), std::move(*out_sa),
                                            std::nullopt, std::move(command.stats)}));
  path_table_.insert(command.to_edge.value(), path.epochs.back().get());
  if (fresh) {
    path.send_on_newest(now, kOldEpoch);
  } else {
    path.switch_at = now + kSwitchAfter;
  }
  if (!path_tick_ && (path.health || path.switch_at)) path_tick_ = now;
}

void Pipeline::apply_one(RemovePaths& command, Instant, OutgoingBatch&) {
  std::vector<PathKey> keys;
  for (const auto& [key, path] : paths_) {
    if (key.first == command.backend) keys.push_back(key);
  }
  for (const auto& key : keys) remove_path(key);
}

void Pipeline::remove_path(PathKey key) {
  const auto found = paths_.find(key);
  for (auto& [id, relay] : relays_) {
    if (relay->path == found->second.get()) relay->path = nullptr;
  }
  for (const auto& epoch : found->second->epochs) {
    path_table_.erase(epoch->to_edge.value());
    emit_(PathRetired{epoch->to_edge});
  }
  paths_.erase(found);
}

void Pipeline::retire_epochs(PathState& path, Instant now) {
  std::erase_if(path.epochs, [&](const auto& epoch) {
    if (!epoch->retire_at || *epoch->retire_at > now) return false;
    path_table_.erase(epoch->to_edge.value());
    emit_(PathRetired{epoch->to_edge});
    return true;
  });
}

void Pipeline::tick_paths(Instant now, OutgoingBatch& out) {
  path_tick_.reset();
  std::size_t probes = 0;
  for (const auto& [key, path] : paths_) {
    if (path->switch_at && *path->switch_at <= now) path->send_on_newest(now, kOldEpoch);
    if (path->epochs.size() > 1) retire_epochs(*path, now);
    if (path->health) say_hello(*path, now, out);
    // As many as there are buffers for; the others have their turn in the next.
    if (path->mtu && probes < kProbesInTick && probe_mtu(*path, now, out)) ++probes;
    if (path->health || path->epochs.size() > 1) path_tick_ = now + channel::kHelloInterval;
  }
}

void Pipeline::say_hello(PathState& path, Instant now, OutgoingBatch& out) {
  if (std::exchange(path.heard, false)) path.health->on_traffic(now);
  const auto hello = path.health->tick(now);
  path.hears = hello.heard;
  follow_health(path);
  constexpr std::size_t kHead = esp::kMaxHeadroom, kSize = channel::kRelayHeader + channel::kHelloBytes;
  MutableBytes buffer(path.hello_room);
  channel::put_relay_header(buffer.data() + kHead, RelayId());
  channel::write_hello(hello, buffer.subspan(kHead + channel::kRelayHeader, channel::kHelloBytes));
  send_hello(path, esp::PacketBuffer::within(buffer, kHead, kSize), Exit::kAgent, out);
}

void Pipeline::send_hello(PathState& path, esp::PacketBuffer hello, Exit exit, OutgoingBatch& out) {
  auto& work = *work_;
  work.targets[work.seals] = {
      .remote = path.agent, .local = path.local, .exit = exit, .backend = path.key.first};
  work.seal[work.seals++].set(*path.out, hello, channel::kNextHeaderRelay);
  seal_to_agents(out);
}

/// A hello that is padded so that its IP packet has the size in question.
bool Pipeline::probe_mtu(PathState& path, Instant now, OutgoingBatch& out) {
  if (path.stream) {
    path.mtu->pause();
    return false;
  }
  const auto probe = path.mtu->poll(now);
  if (!probe) return false;
  // RFC 4303 §2: header, IV, pad length and next header, ICV; the text is padded to a multiple of four.
  constexpr std::size_t kAround = esp::kEspHeaderSize + 8 + 16, kTrailer = 2;
  const std::size_t headers = (path.agent.address.is_v6() ? kIpv6Header : kIpv4Header) + kUdpHeader;
  const std::size_t size = (probe->size - headers - kAround) / 4 * 4 - kTrailer;
  const auto buffer = work_->own_buffer();
  constexpr std::size_t kRoom = 128;
  channel::put_relay_header(buffer.data() + kRoom, RelayId());
  channel::write_hello({.heard = path.hears, .probe = probe->number},
                       buffer.subspan(kRoom + channel::kRelayHeader, size - channel::kRelayHeader));
  send_hello(path, esp::PacketBuffer::within(buffer, kRoom, size), Exit::kAgentWhole, out);
  return true;
}

void Pipeline::follow_health(PathState& path) {
  const bool stream = !path.health->udp_works();
  if (std::exchange(path.stream, stream) != stream) emit_(PathCarrier{path.key.first, stream});
}

}  // namespace sluice::edge
