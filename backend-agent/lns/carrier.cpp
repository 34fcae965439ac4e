#include "backend-agent/lns/carrier.hpp"

#include <algorithm>

#include "proto/channel/data_frame.hpp"
#include "proto/channel/path_health.hpp"

namespace sluice::agent {
namespace {

/// How long an epoch's keys stay usable for receiving after a newer one came.
constexpr Duration kOldEpoch = std::chrono::seconds(10);
/// A new epoch is sent on once the edge used it, or after this long: its half may be installed a moment
/// later.
constexpr Duration kSwitchAfter = std::chrono::seconds(2);

}  // namespace

struct Carrier::Path {
  Lane* lane = nullptr;
  esp::InboundSaPtr in;
  esp::OutboundSaPtr out;
  std::optional<Instant> forget_at;  ///< once a newer one is sent on
  std::uint64_t counted = 0;         ///< sequence numbers that were expected
};

struct Carrier::Lane {
  ChannelId channel;
  Endpoint edge;
  IpAddress local;
  std::vector<Path*> paths;                   ///< oldest first, all of them received on
  Path* sending = nullptr;                    ///< one of them
  std::optional<Instant> switch_at;           ///< when the newest is sent on
  std::optional<channel::PathHealth> health;  ///< where the two choose between UDP and TLS
  bool stream = false;                        ///< data goes by TLS
  bool heard = false;                         ///< something came by UDP since the last tick
  // One for each lane: all of them say hello in one batch.
  std::array<std::uint8_t,
             esp::kMaxHeadroom + channel::kRelayHeader + channel::kHelloBytes + esp::kMaxTailroom>
      hello_room{};

  void send_on_newest(Instant now) {
    sending = paths.back();
    switch_at.reset();
    for (Path* path : paths) {
      if (path != sending && !path->forget_at) path->forget_at = now + kOldEpoch;
    }
  }
};

std::string_view to_string(CarrierDrop reason) {
  switch (reason) {
    case CarrierDrop::kTooShort:
      return "too-short";
    case CarrierDrop::kUnknownSpi:
      return "unknown-spi";
    case CarrierDrop::kNotOpened:
      return "not-opened";
    case CarrierDrop::kBadFrame:
      return "bad-frame";
    case CarrierDrop::kNoPath:
      return "no-path";
    case CarrierDrop::kNoRoom:
      return "no-room";
    case CarrierDrop::kNotSealed:
      return "not-sealed";
    case CarrierDrop::kCount:
      break;
  }
  return "unknown";
}

Carrier::Carrier(std::unique_ptr<esp::Engine> engine) : engine_(std::move(engine)) {
  frames_.reserve(kBurst);
  sealed_.reserve(kBurst);
}
Carrier::~Carrier() = default;

Carrier::Lane& Carrier::lane_for(const InstallPaths& paths, std::uint32_t edge_worker, Instant now) {
  const auto [at, fresh] = lanes_.try_emplace(lane_key(paths.channel, edge_worker));
  Lane& lane = at->second;
  if (!fresh) return lane;
  lane.channel = paths.channel;
  lane.edge = {paths.edge.address, channel::port_of(paths.edge.port, edge_worker)};
  lane.local = paths.local;
  lane.stream = paths.carrier == channel::CarrierMode::kTls;
  if (paths.carrier == channel::CarrierMode::kAuto) lane.health.emplace(now);
  return lane;
}

std::optional<std::string> Carrier::install(const InstallPaths& paths, Instant now) {
  for (const auto& keys : paths.keys) {
    auto in = engine_->make_inbound(channel::data_sa(keys.path.spi_to_agent, keys.to_agent));
    if (!in) return in.error();
    auto out = engine_->make_outbound(channel::data_sa(keys.path.spi_to_edge, keys.to_edge));
    if (!out) return out.error();
    Lane& lane = lane_for(paths, keys.path.edge_worker, now);
    auto path = std::make_unique<Path>(Path{&lane, std::move(*in), std::move(*out), std::nullopt});
    // One that the edge has not used yet: it may do so still.
    if (lane.switch_at) lane.send_on_newest(now);
    lane.paths.push_back(path.get());
    if (lane.sending == nullptr) {
      lane.send_on_newest(now);
    } else {
      lane.switch_at = now + kSwitchAfter;
    }
    // The edge's worker gets its half a moment later.
    if (!next_tick_ && (lane.health || lane.switch_at)) next_tick_ = now + channel::kHelloInterval;
    by_spi_[keys.path.spi_to_agent] = std::move(path);
  }
  return std::nullopt;
}

void Carrier::retire(Path& path) {
  const Spi spi = path.in->spi();
  released_.push_back(spi);
  by_spi_.erase(spi);
}

void Carrier::remove(ChannelId channel) {
  for (auto at = lanes_.begin(); at != lanes_.end();) {
    if (at->second.channel != channel) {
      ++at;
      continue;
    }
    for (Path* path : at->second.paths) retire(*path);
    at = lanes_.erase(at);
  }
}

std::span<const Carrier::Frame> Carrier::open(std::span<transport::RxPacket> packets, Instant now,
                                              bool stream) {
  frames_.clear();
  std::size_t jobs = 0;
  for (auto& rx : packets.first(std::min(packets.size(), kBurst))) {
    const auto header = esp::parse_esp_header(rx.packet.bytes());
    if (!header) {
      drops_.add(CarrierDrop::kTooShort);
      continue;
    }
    const auto found = by_spi_.find(header->spi);
    if (found == by_spi_.end()) {
      drops_.add(CarrierDrop::kUnknownSpi);
      continue;
    }
    open_paths_[jobs] = found->second.get();
    open_jobs_[jobs++].set(*found->second->in, rx.packet);
  }
  const auto opened = std::span(open_jobs_).first(jobs);
  engine_->open(opened);
  for (std::size_t i = 0; i < jobs; ++i) {
    const auto& job = opened[i];
    Path& path = *open_paths_[i];
    if (job.ok() || job.result == esp::DropReason::kDummy) {
      const auto top = path.in->replay().top();
      counts_.add(CarrierCount::kExpected, top - std::exchange(path.counted, top));
      counts_.add(CarrierCount::kReceived);
    }
    if (!job.ok()) {
      if (job.result != esp::DropReason::kDummy) drops_.add(CarrierDrop::kNotOpened);
      continue;
    }
    Lane& lane = *path.lane;
    if (!stream) lane.heard = true;
    if (lane.switch_at && lane.paths.back() == &path) lane.send_on_newest(now);
    const auto frame = channel::parse_data_frame(job.next_header, job.packet.mutable_bytes());
    if (!frame) {
      drops_.add(CarrierDrop::kBadFrame);
    } else if (frame->relay) {
      frames_.push_back({{lane.channel, frame->relay}, frame->l2tp});
    } else if (frame->is_hello && !stream && lane.health) {
      // What came by TLS says nothing of UDP.
      lane.health->on_hello(frame->hello, now);
      follow_health(lane);
    }
  }
  return frames_;
}

void Carrier::queue(const TunnelKey& key, std::uint32_t edge_worker, esp::PacketBuffer l2tp) {
  const auto lane = lanes_.find(lane_key(key.channel, edge_worker));
  if (lane == lanes_.end() || lane->second.sending == nullptr) return drops_.add(CarrierDrop::kNoPath);
  if (full() || !l2tp.prepend(channel::kRelayHeader)) return drops_.add(CarrierDrop::kNoRoom);
  channel::put_relay_header(l2tp.data(), key.relay);
  seal_paths_[seals_] = lane->second.sending;
  seal_jobs_[seals_++].set(*lane->second.sending->out, l2tp, channel::kNextHeaderRelay);
}

std::span<const transport::TxPacket> Carrier::seal() {
  sealed_.clear();
  streamed_.clear();
  const auto jobs = std::span(seal_jobs_).first(seals_);
  engine_->seal(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!jobs[i].ok()) {
      drops_.add(CarrierDrop::kNotSealed);
      continue;
    }
    const Lane& lane = *seal_paths_[i]->lane;
    if (lane.stream) {
      streamed_.push_back({lane.channel, jobs[i].packet.bytes()});
    } else {
      sealed_.push_back({jobs[i].packet.bytes(), lane.edge, lane.local});
    }
  }
  seals_ = 0;
  return sealed_;
}

void Carrier::on_timeout(Instant now) {
  hellos_.clear();
  next_tick_.reset();
  for (auto& [key, lane] : lanes_) tick(lane, now);
}

void Carrier::tick(Lane& lane, Instant now) {
  if (lane.switch_at && *lane.switch_at <= now) lane.send_on_newest(now);
  std::erase_if(lane.paths, [&](Path* path) {
    if (!path->forget_at || *path->forget_at > now) return false;
    retire(*path);
    return true;
  });
  if (lane.health) say_hello(lane, now);
  if (lane.health || lane.paths.size() > 1) next_tick_ = now + channel::kHelloInterval;
}

void Carrier::say_hello(Lane& lane, Instant now) {
  if (std::exchange(lane.heard, false)) lane.health->on_traffic(now);
  const auto hello = lane.health->tick(now);
  follow_health(lane);
  constexpr std::size_t kHead = esp::kMaxHeadroom, kSize = channel::kRelayHeader + channel::kHelloBytes;
  MutableBytes room(lane.hello_room);
  channel::put_relay_header(room.data() + kHead, RelayId());
  channel::write_hello(hello, room.subspan(kHead + channel::kRelayHeader, channel::kHelloBytes));
  esp::SealJob job;
  job.set(*lane.sending->out, esp::PacketBuffer::within(room, kHead, kSize), channel::kNextHeaderRelay);
  engine_->seal({&job, 1});
  if (!job.ok()) return drops_.add(CarrierDrop::kNotSealed);
  hellos_.push_back({job.packet.bytes(), lane.edge, lane.local});
}

void Carrier::follow_health(Lane& lane) {
  const bool stream = !lane.health->udp_works();
  if (std::exchange(lane.stream, stream) != stream) changes_.push_back({lane.channel, stream});
}

}  // namespace sluice::agent
