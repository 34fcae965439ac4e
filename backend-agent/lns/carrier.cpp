#include "backend-agent/lns/carrier.hpp"

#include <algorithm>

#include "proto/channel/data_frame.hpp"

namespace sluice::agent {
namespace {

/// How long an epoch's keys stay usable for receiving after a newer one came.
constexpr Duration kOldEpoch = std::chrono::seconds(10);
/// A new epoch is sent on once the edge used it, or after this long: its half may be installed a moment
/// later.
constexpr Duration kSwitchAfter = std::chrono::seconds(2);

}  // namespace

struct Carrier::Path {
  ChannelId channel;
  std::uint32_t edge_worker = 0;
  Endpoint edge;
  IpAddress local;
  esp::InboundSaPtr in;
  esp::OutboundSaPtr out;
};

struct Carrier::Lane {
  Path* sending = nullptr;
  Path* next = nullptr;  ///< a newer epoch that the edge has not used yet
  std::optional<Instant> switch_at;
  Path* old = nullptr;  ///< an older one that still receives
  std::optional<Instant> forget_at;
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

std::optional<std::string> Carrier::install(const InstallPaths& paths, Instant now) {
  for (const auto& keys : paths.keys) {
    auto in = engine_->make_inbound(channel::data_sa(keys.path.spi_to_agent, keys.to_agent));
    if (!in) return in.error();
    auto out = engine_->make_outbound(channel::data_sa(keys.path.spi_to_edge, keys.to_edge));
    if (!out) return out.error();
    const Endpoint edge{paths.edge.address, channel::port_of(paths.edge.port, keys.path.edge_worker)};
    auto path = std::make_unique<Path>(
        Path{paths.channel, keys.path.edge_worker, edge, paths.local, std::move(*in), std::move(*out)});
    Lane& lane = lanes_[lane_key(paths.channel, keys.path.edge_worker)];
    if (lane.next != nullptr) retire(*std::exchange(lane.next, nullptr));
    if (lane.sending == nullptr) {
      lane.sending = path.get();
    } else {
      lane.next = path.get();
      lane.switch_at = now + kSwitchAfter;
    }
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
  std::erase_if(lanes_, [&](const auto& lane) { return lane.first >> 32 == channel.value(); });
  std::vector<Path*> paths;
  for (const auto& [spi, path] : by_spi_) {
    if (path->channel == channel) paths.push_back(path.get());
  }
  for (Path* path : paths) retire(*path);
}

std::span<const Carrier::Frame> Carrier::open(std::span<transport::RxPacket> packets, Instant now) {
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
    if (!job.ok()) {
      if (job.result != esp::DropReason::kDummy) drops_.add(CarrierDrop::kNotOpened);
      continue;
    }
    if (auto& lane = lanes_[lane_key(path.channel, path.edge_worker)]; lane.next == &path)
      lane.switch_at = now;
    const auto frame = channel::parse_data_frame(job.next_header, job.packet.mutable_bytes());
    if (!frame) {
      drops_.add(CarrierDrop::kBadFrame);
    } else if (!frame->keepalive()) {
      frames_.push_back({{path.channel, frame->relay}, frame->l2tp});
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
  const auto jobs = std::span(seal_jobs_).first(seals_);
  engine_->seal(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!jobs[i].ok()) {
      drops_.add(CarrierDrop::kNotSealed);
      continue;
    }
    sealed_.push_back({jobs[i].packet.bytes(), seal_paths_[i]->edge, seal_paths_[i]->local});
  }
  seals_ = 0;
  return sealed_;
}

void Carrier::on_timeout(Instant now) {
  for (auto& [key, lane] : lanes_) {
    if (lane.next != nullptr && lane.switch_at && *lane.switch_at <= now) {
      if (lane.old != nullptr) retire(*lane.old);
      lane.old = std::exchange(lane.sending, std::exchange(lane.next, nullptr));
      lane.switch_at.reset();
      lane.forget_at = now + kOldEpoch;
    }
    if (lane.old != nullptr && lane.forget_at && *lane.forget_at <= now) {
      retire(*std::exchange(lane.old, nullptr));
      lane.forget_at.reset();
    }
  }
}

std::optional<Instant> Carrier::next_timeout() const {
  std::optional<Instant> next;
  for (const auto& [key, lane] : lanes_) {
    for (const auto& at : {lane.switch_at, lane.forget_at}) {
      if (at && (!next || *at < *next)) next = at;
    }
  }
  return next;
}

}  // namespace sluice::agent
