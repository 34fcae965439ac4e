#include "backend-agent/lns/workers.hpp"

#include "backend-agent/lns/dispatch.hpp"
#include "proto/channel/spi_source.hpp"

namespace sluice::agent {

Workers::Workers(std::vector<WorkerParts> parts) {
  for (auto& one : parts) workers_.push_back(std::make_unique<Worker>(std::move(one)));
}

void Workers::post(Command command) {
  if (std::holds_alternative<CloseAll>(command)) closing_ = workers_.size();
  dispatch(std::move(command), size(),
           [this](std::uint32_t worker, Command part) { workers_[worker]->post(std::move(part)); });
}

void Workers::flush() {
  for (const auto& worker : workers_) worker->flush();
}

std::optional<Event> Workers::next_event() {
  for (const auto& worker : workers_) {
    while (auto event = worker->next_event()) {
      const bool closed = std::holds_alternative<AllClosed>(*event);
      if (!closed || --closing_ == 0) return event;
    }
  }
  return std::nullopt;
}

void Workers::give_frames(Bytes records) {
  if (size() == 1) return void(workers_.front()->give_frames(records));
  std::vector<ByteVector> parts(size());
  channel::for_each_record(records, [&](Bytes record) {
    const Spi spi(load_be32(record.data() + channel::kRecordHeader));
    auto& part = parts[channel::worker_of(spi, size())];
    part.insert(part.end(), record.begin(), record.end());
  });
  for (std::uint32_t worker = 0; worker < size(); ++worker) {
    if (!parts[worker].empty()) workers_[worker]->give_frames(parts[worker]);
  }
}

std::optional<transport::FrameExchange::Batch> Workers::next_frames() {
  for (const auto& worker : workers_) {
    if (auto batch = worker->next_frames()) return batch;
  }
  return std::nullopt;
}

std::optional<Spi> Workers::next_released() {
  for (const auto& worker : workers_) {
    if (auto spi = worker->next_released()) return spi;
  }
  return std::nullopt;
}

std::uint32_t Workers::tunnels() const {
  std::uint32_t sum = 0;
  for (const auto& worker : workers_) sum += worker->stats().tunnels.load(std::memory_order_relaxed);
  return sum;
}

std::uint32_t Workers::sessions() const {
  std::uint32_t sum = 0;
  for (const auto& worker : workers_) sum += worker->stats().sessions.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t Workers::packets() const {
  std::uint64_t sum = 0;
  for (const auto& worker : workers_)
    sum += worker->stats().packets_up.read() + worker->stats().packets_down.read();
  return sum;
}

}  // namespace sluice::agent
