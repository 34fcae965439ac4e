#pragma once
// Carries out what operators want drained: remembers it over restarts, ends tunnels when it is time, tells
// how far it is. Thread: control.

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "edge/admin/placement_view.hpp"
#include "edge/placement/drains.hpp"
#include "edge/relay/relays.hpp"

namespace sluice::edge {

struct DrainingContext {
  Relays& relays;
  std::function<std::int64_t()> now_ms;  ///< since the epoch
  /// Whether an agent of this name is known, connected or not.
  std::function<bool(const std::string& agent)> known;
  /// Something an operator wants to hear of.
  std::function<void(const std::string& text)> tell;
  std::filesystem::path file;  ///< where orders outlive a restart
};

class Draining {
 public:
  explicit Draining(DrainingContext context) : context_(std::move(context)) {}

  /// Takes up the orders in the file. One that cannot be read is told, and stays as it is until the next
  /// order.
  void load();
  /// Why not; nothing when it is done, and noted in the file.
  std::optional<std::string> begin(const DrainRequest& request);
  std::optional<std::string> undo(const std::string& agent);
  std::vector<DrainView> list() const;
  bool drained(const std::string& agent) const { return drains_.find(agent) != nullptr; }
  bool drains_edge() const { return drains_.drains_edge(); }
  /// Why this edge takes no tunnel any more; empty while it does: one that drains goes on until its deadline,
  /// for clients still find it.
  std::string closed() const;
  /// Call each 100 ms or so.
  void tick();

 private:
  struct Left {
    std::vector<RelayId> relays;  ///< that are not ending yet
    std::uint32_t tunnels = 0, sessions = 0, ending = 0;
  };
  Left left_of(const std::string& agent) const;
  std::optional<std::string> save() const;

  DrainingContext context_;
  Drains drains_;
  std::set<std::string> empty_;  ///< of which it was told
};

}  // namespace sluice::edge
