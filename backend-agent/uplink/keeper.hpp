#pragma once
// What the agent keeps of its tunnels for the day a channel is cut off: who the edge said they are, and which
// sessions it was told of. Decides what waits, what is offered to an edge that comes back, and when waiting
// is over (docs/channel.md). No I/O, no clock; thread: control.

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "backend-agent/lns/messages.hpp"
#include "base/time.hpp"
#include "proto/channel/messages.hpp"

namespace sluice::agent {

/// One configured edge, over all its channels.
using EdgeId = StrongId<struct EdgeIdTag, std::uint32_t>;

class TunnelKeeper {
 public:
  /// `grace`: how long tunnels wait for their edge; zero: not at all.
  explicit TunnelKeeper(Duration grace) : grace_(grace) {}

  // A channel's life
  void tunnel_opened(ChannelId channel, const channel::TunnelOpen& open);
  /// Whoever ended it. Nothing happens for an unknown one.
  void tunnel_over(const TunnelKey& key);
  void session_up(const TunnelKey& key, const channel::SessionUp& up);
  void session_down(const TunnelKey& key, SessionId session);
  /// The channel ended without a goodbye. True: its tunnels wait; false: it has none, or none may wait.
  bool cut_off(ChannelId channel, EdgeId edge, Instant now);
  /// The channel and what it still has are over.
  void forget(ChannelId channel);

  // Waiting
  /// Channels whose tunnels wait for this edge.
  std::vector<ChannelId> waiting(EdgeId edge) const;
  std::size_t waiting() const { return waits_.size(); }
  /// Channels that waited long enough; each once. Whoever gets them forgets them.
  std::vector<ChannelId> expired(Instant now);
  std::optional<Instant> next_timeout() const;

  // Resuming over a new channel of the same edge
  /// Nothing for a tunnel that is not waiting, or that is the edge's own probe.
  std::optional<channel::TunnelResume> offer(const TunnelNumbers& numbers, ChannelId over);
  /// The edge takes it. Nothing for an answer nobody waits for.
  std::optional<RebindTunnel> resumed(const channel::TunnelResumed& answer, ChannelId over);
  /// The edge does not: the tunnel to end.
  std::optional<TunnelKey> lost(const channel::TunnelLost& answer, ChannelId over);
  /// True when nothing of a channel that waited is left.
  bool empty(ChannelId channel) const;

  /// Where a tunnel is now: what the worker said before it heard of a resumption names the old key.
  TunnelKey current(const TunnelKey& key) const;

 private:
  struct Kept {
    channel::TunnelOpen open;
    std::map<SessionId, channel::SessionUp> sessions;
    std::vector<TunnelKey> former;  ///< keys it had before
  };
  struct Wait {
    EdgeId edge;
    Instant until;
  };
  struct Offer {
    TunnelKey key;
    ChannelId over;
  };

  Kept* find(const TunnelKey& key);
  std::optional<TunnelKey> take_offer(std::uint32_t resume, ChannelId over);

  Duration grace_;
  std::map<TunnelKey, Kept> tunnels_;
  std::map<ChannelId, Wait> waits_;
  std::map<std::uint32_t, Offer> offers_;
  std::unordered_map<TunnelKey, TunnelKey> moved_;
  std::uint32_t last_offer_ = 0;
};

}  // namespace sluice::agent
