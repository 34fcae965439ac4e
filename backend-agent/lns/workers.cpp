#include "backend-agent/lns/workers.hpp"

#include "backend-agent/lns/dispatch.hpp"

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
