#pragma once
// All data workers as one: commands go to whom they concern, events come from all. Thread: control.

#include <memory>
#include <optional>
#include <vector>

#include "backend-agent/lns/worker.hpp"

namespace sluice::agent {

class Workers {
 public:
  /// Starts a thread for each. At least one. Throws std::runtime_error.
  explicit Workers(std::vector<WorkerParts> parts);

  std::uint32_t size() const { return static_cast<std::uint32_t>(workers_.size()); }
  void post(Command command);
  /// Commands that found a queue full; call it now and then.
  void flush();
  /// AllClosed comes once, when the last has said it.
  std::optional<Event> next_event();
  /// Data frames that came by an edge's TLS data link, for the workers that their SPIs name.
  void give_frames(Bytes records);
  std::optional<transport::FrameExchange::Batch> next_frames();
  /// SPIs that are no longer received on.
  std::optional<Spi> next_released();

  // Sums, and what each has
  std::uint32_t tunnels() const;
  std::uint32_t sessions() const;
  std::uint64_t packets() const;  ///< up and down
  std::string_view engine_name() const { return workers_.front()->engine_name(); }
  const std::vector<std::unique_ptr<Worker>>& each() const { return workers_; }

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
  std::size_t closing_ = 0;  ///< who has not said AllClosed yet
};

}  // namespace sluice::agent
