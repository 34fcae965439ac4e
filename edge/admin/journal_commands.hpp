#pragma once
// The operations socket's commands on the journal: list-events, follow-events, trace, why; the event
// journal-entry; and kick (docs/operations-socket.md). Thread: control.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/admin/state_view.hpp"
#include "edge/journal/journal.hpp"
#include "vici/server.hpp"

namespace sluice::edge {

/// Tunnels that an operator wants ended.
struct KickRequest {
  std::vector<RelayId> relays;  ///< as the view has them
  std::uint32_t rate = 10;      ///< ended each second, 1..1000
  std::string reason;           ///< what clients are told; printable
  bool dry_run = false;         ///< count only
};

struct JournalHandlers {
  const StateView& state;
  const Journal& journal;
  /// How many of them end by it: those that are bound and not ending yet.
  std::function<std::size_t(const KickRequest&)> kick;
};

class JournalCommands {
 public:
  /// Adds them. What `handlers` refer to, the server and this live as long as each other.
  JournalCommands(vici::Server& server, JournalHandlers handlers);

  /// To whoever follows, or is registered for journal-entry; cheap when nobody is.
  void raise(const JournalEntry& entry);

 private:
  struct Follower {
    std::shared_ptr<vici::Server::Live> live;
    JournalFilter filter;
    std::uint64_t missed = 0;
  };
  void follow(const vici::Request& request, std::shared_ptr<vici::Server::Live> live);
  void send(Follower& follower, const JournalEntry& entry);

  vici::Server& server_;
  JournalHandlers handlers_;
  std::vector<Follower> followers_;
};

}  // namespace sluice::edge
