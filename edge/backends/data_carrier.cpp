// By what agents' data goes, and with which keys: the control thread's part.
#include "base/app/log.hpp"
#include "edge/backends/backends.hpp"
#include "proto/channel/data_stream.hpp"
#include "proto/channel/spi_source.hpp"

namespace sluice::edge {
namespace {

/// However little the keys may do: an epoch's overlap costs memory.
constexpr Duration kShortestEpoch = std::chrono::seconds(1);

}  // namespace

std::string_view name_of(StreamDrop drop) {
  switch (drop) {
    case StreamDrop::kNoLink:
      return "no-data-link";
    case StreamDrop::kWorkerFull:
      return "data-link-worker-full";
    case StreamDrop::kCount:
      break;
  }
  return "?";
}

std::string Backend::carrier_in_use() const {
  if (carrier == channel::CarrierMode::kTls || (stream_paths > 0 && stream_paths == paths)) return "tls";
  return stream_paths == 0 ? "udp" : "udp+tls";
}

void Backends::data_link(transport::EdgeChannel& channel, bool up, const std::string& cause) {
  auto* backend = find(channel);
  if (backend == nullptr) return;
  backend->data_link = up;
  if (up) {
    app::log_info("channel.data-link-up", "TLS data link up", {{"agent", backend->name}});
  } else {
    app::log_info("channel.data-link-down", "TLS data link down",
                  {{"agent", backend->name}, {"cause", cause}});
  }
}

void Backends::data_frames(transport::EdgeChannel&, Bytes records) {
  const auto give = [this](std::uint32_t worker, Bytes some) {
    if (context_.give_frames(worker, some)) return;
    channel::for_each_record(some, [this](Bytes) { stream_drops_.add(StreamDrop::kWorkerFull); });
  };
  if (context_.workers == 1) return give(0, records);
  sorted_.resize(context_.workers);
  channel::for_each_record(records, [this](Bytes record) {
    const Spi spi(load_be32(record.data() + channel::kRecordHeader));
    auto& to = sorted_[channel::worker_of(spi, context_.workers)];
    to.insert(to.end(), record.begin(), record.end());
  });
  for (std::uint32_t worker = 0; worker < context_.workers; ++worker) {
    if (!sorted_[worker].empty()) give(worker, sorted_[worker]);
    sorted_[worker].clear();
  }
}

void Backends::send_frames(BackendId id, Bytes records, std::size_t frames) {
  const auto* backend = find(id);
  if (backend == nullptr || backend->channel == nullptr || !backend->channel->send_frames(records, frames))
    stream_drops_.add(StreamDrop::kNoLink, frames);
}

void Backends::on_path_carrier(const PathCarrier& event) {
  auto* backend = find(event.backend);
  if (backend == nullptr || backend->channel == nullptr) return;
  const auto before = backend->carrier_in_use();
  if (event.stream) {
    ++backend->stream_paths;
  } else if (backend->stream_paths > 0) {
    --backend->stream_paths;
  }
  const auto now = backend->carrier_in_use();
  if (now == before) return;
  app::log_warning(
      "channel.carrier-changed", "data carrier changed",
      {{"agent", backend->name},
       {"carrier", now},
       {"cause", event.stream ? "UDP brings nothing from the agent, or nothing to it" : "UDP works again"}});
}

void Backends::on_path_mtu(const PathMtuFound& event) {
  auto* backend = find(event.backend);
  // The paths of one agent go the same way.
  if (backend == nullptr || std::exchange(backend->path_mtu, event.size) == event.size) return;
  app::log_warning("channel.path-mtu", "path MTU of the data carrier changed",
                   {{"agent", backend->name}, {"bytes", std::to_string(event.size)}});
}

void Backends::on_path_spent(const PathSpent& event) {
  if (auto* backend = find(event.backend)) backend->spent = true;
}

void Backends::tick() {
  const auto now = context_.now();
  for (auto& [id, backend] : backends_) {
    if (backend.channel == nullptr) continue;
    const auto age = now - backend.renewed_at;
    const bool old = context_.rekey.time.count() > 0 && age >= context_.rekey.time;
    // False while the agent has not answered the last offer.
    if (old || (backend.spent && age >= kShortestEpoch)) backend.channel->renew_paths();
  }
}

}  // namespace sluice::edge
