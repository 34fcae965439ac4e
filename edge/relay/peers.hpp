#pragma once
// The peers as the control thread knows them: which IKE SAs and child SAs belong to one client, and on which
// worker. It is the data plane that the IKE provider sees. Thread: control.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "edge/dataplane/messages.hpp"
#include "edge/ike/provider.hpp"

namespace sluice::edge {

/// One pair of SAs, or half of one while the other is not installed.
struct ChildSa {
  Spi in, out;
  esp::SuiteId suite{};
  bool udp_encapsulated = false;
  std::int64_t installed_at = 0;  ///< seconds since the epoch
  std::shared_ptr<SaStats> stats_in, stats_out;
  Endpoint out_destination;  ///< where the outbound half was installed towards: with its SPI, its name
  IkeSaId ike_sa;            ///< whose it is; follows when a new IKE SA takes over
  std::optional<Instant> orphan_since;  ///< when that went without taking it along
  std::uint64_t told_seen = 0;          ///< the newest inbound sequence number that was reported
};

/// Sums over SAs.
struct SaTotals {
  std::uint64_t packets_in = 0, bytes_in = 0, packets_out = 0, bytes_out = 0;
  std::uint64_t replayed = 0, unauthentic = 0, malformed = 0;
  void add(const ChildSa& child);
};

/// One client: it outlives its IKE SAs and child SAs, and a NAT that gives it another port.
struct Peer {
  PeerId id;
  std::uint32_t worker = 0;
  std::string correlation_id;
  std::string identity;  ///< as the peer gave it: escape before printing
  Endpoint local, remote;
  IkePeer ike;                        ///< the newest IKE SA; ike_sa is 0 while none is up
  std::set<IkeSaId> ike_sas;          ///< all that are alive
  std::set<IkeSaId> ike_names;        ///< those, and the ones whose SAs came before their ike_up
  std::set<Spi> spis;                 ///< given out to it, installed or not
  std::vector<ChildSa> children;      ///< oldest first
  SaTotals past;                      ///< of children that are gone
  bool restored = false;              ///< an edge before this one had it
  std::int64_t up_since = 0;          ///< seconds since the epoch
  std::optional<IpAddress> live_at;   ///< what the IKE guard was told: it has SAs and is there
  std::optional<Instant> bare_since;  ///< when its last child SA went, or it was made without one
};

/// Numbers and places from outside, so that tests can hand in their own.
struct PeersContext {
  RandomSource& random;
  std::function<Instant()> now;
  std::function<std::int64_t()> unix_seconds;
  /// Hands a command to a worker.
  std::function<void(std::uint32_t worker, Command)> post;
  /// A peer that had no SA for the grace time goes; its relays go first.
  std::function<void(const Peer&)> peer_gone;
  /// The id that the handshake from there was given at its first packet; empty or not set: a new one.
  std::function<std::string(const Endpoint&)> contact_id = {};
};

struct PeersConfig {
  std::uint32_t workers = 1;
  std::uint32_t replay_window = 256;
  Duration delete_grace = std::chrono::seconds(5);
  Duration peer_grace = std::chrono::seconds(15);
  /// SAs whose IKE SA is gone (their IKE daemon died) carry traffic on, and end after this long without any.
  Duration orphan_idle = std::chrono::minutes(10);
};

class Peers final : public DataPlane {
 public:
  Peers(PeersConfig config, PeersContext context);

  // DataPlane
  std::optional<Spi> allocate_spi(IkeSaId ike_sa, const std::string& peer_identity, const Endpoint& local,
                                  const Endpoint& remote) override;
  std::optional<SaError> add_sa(SaSpec spec) override;
  std::optional<SaError> update_sa(Spi spi, bool inbound, const Endpoint& new_source,
                                   const Endpoint& new_destination, bool udp_encapsulated) override;
  std::optional<SaError> remove_sa(Spi spi, bool inbound, const Endpoint& destination) override;
  std::optional<SaUsage> query_sa(Spi spi, bool inbound, const Endpoint& destination) override;
  /// The peer's correlation id.
  std::string note_of(Spi spi, bool inbound, const Endpoint& destination) const override;
  void reserved(Spi outbound, const Endpoint& destination, std::uint64_t last) override;
  void restored(std::size_t count) override;
  void flush() override;

  // What the IKE provider tells of its SAs.
  void ike_up(const IkePeer& ike);
  void ike_rekeyed(IkeSaId old_sa, const IkePeer& ike);
  void ike_down(IkeSaId ike_sa);

  /// A worker saw authenticated packets from a new place.
  void moved(PeerId peer, const Endpoint& new_remote);
  /// How much of its core each worker used lately, in permille: where new peers go depends on it.
  void workers_used(std::span<const std::uint32_t> permille);
  /// Removes orphaned SAs that are idle, and peers whose grace time is over. Call each second or so; more
  /// often does nothing.
  void tick();
  /// Removes the peer at once, as if its grace time were over.
  void remove(PeerId peer);
  /// Inbound SAs that got further since the last call.
  std::vector<SaSeen> take_seen();
  /// The peer that an edge before this one called so; null where there is none.
  const Peer* find_restored(const std::string& correlation_id) const;
  /// All SAs of the time before this process are here again, since when; nothing while they may still come.
  std::optional<Instant> restored_at() const { return restored_at_; }

  const Peer* find(PeerId id) const;
  const Peer* find(IkeSaId ike_sa) const;
  /// A peer at this place; null where there is none.
  const Peer* at(const Endpoint& remote) const;
  const std::map<PeerId, Peer>& all() const { return peers_; }
  std::size_t sa_count() const { return inbound_.size() + outbound_.size(); }

 private:
  struct OutboundKey {
    Spi spi;
    IpAddress destination;
    std::uint16_t port;
    auto operator<=>(const OutboundKey&) const = default;
  };

  Peer& peer_for(IkeSaId ike_sa, const std::string& identity, const Endpoint& local, const Endpoint& remote);
  /// The peer of an SA that was there before this process; null when it cannot be had on its worker.
  Peer* restore_peer(const SaSpec& spec, const Endpoint& local, const Endpoint& remote);
  Peer* place_restored(const SaSpec& spec, const Endpoint& local, const Endpoint& remote);
  Peer& make_peer(const std::string& identity, const Endpoint& local, const Endpoint& remote);
  void attach(Peer& peer, const IkePeer& ike);
  std::uint32_t least_busy_worker() const;
  void name(Peer& peer, IkeSaId ike_sa);
  void relocate(Peer& peer, const Endpoint& remote);
  void unplace(const Peer& peer);
  void tell_guard(Peer& peer);
  ChildSa* child_with(Peer& peer, Spi spi, bool inbound);
  std::optional<PeerId> owner(Spi spi, bool inbound, const Endpoint& destination) const;
  std::optional<OutboundKey> outbound_key(Spi spi, const Endpoint& destination) const;
  bool is_over(const ChildSa& child, Instant now) const;
  void end_orphans(Peer& peer, Instant now);
  void end_returned(Instant now);
  void take_over_double(Peer& peer);
  void forget_half(Peer& peer, Spi spi, bool inbound);

  PeersConfig config_;
  PeersContext context_;
  std::uint32_t worker_mask_;
  std::uint32_t next_id_ = 1;
  Instant last_tick_{};
  std::map<PeerId, Peer> peers_;
  std::unordered_map<std::string, PeerId> by_note_;  ///< restored ones by correlation id
  std::optional<Instant> restored_at_;
  std::unordered_map<IkeSaId, PeerId> by_ike_;
  std::unordered_multimap<Endpoint, PeerId> by_place_;
  /// Whom to give the next peer: first by CPU in coarse steps, then by number of peers.
  struct WorkerLoad {
    std::uint32_t tenths_used = 0;
    std::size_t peers = 0;
    auto operator<=>(const WorkerLoad&) const = default;
  };
  std::vector<WorkerLoad> worker_load_;
  std::unordered_map<Spi, PeerId> reserved_;   // SPIs given out, installed or not
  std::unordered_map<Spi, Instant> returned_;  // of those: given back uninstalled, when
  std::unordered_map<Spi, PeerId> inbound_;
  std::map<OutboundKey, PeerId> outbound_;
};

}  // namespace sluice::edge
