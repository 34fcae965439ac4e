#pragma once
// The packet path of one worker, without its sockets: ESP from clients to L2TP to the agents' channel, and
// back. upstream.cpp and downstream.cpp read top to bottom, a stage at a time over the whole burst. Thread:
// one worker. Counters may be read from any thread.

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "base/counters.hpp"
#include "base/random.hpp"
#include "edge/dataplane/drops.hpp"
#include "edge/dataplane/early_packets.hpp"
#include "edge/dataplane/flat_table.hpp"
#include "edge/dataplane/ike_guard.hpp"
#include "edge/dataplane/messages.hpp"
#include "esp/engine.hpp"
#include "l2tp/drop_reason.hpp"
#include "l2tp/observer.hpp"
#include "proto/channel/data_frame.hpp"
#include "proto/transport/packet.hpp"

namespace sluice::edge {

/// Where a sealed packet leaves.
enum class Exit : std::uint8_t {
  kClientUdp,
  kClientRaw,
  kAgent,
  kAgentStream,  ///< by the agent's TLS data link
  kAgentWhole,   ///< to be fragmented by nobody
};

struct Outgoing {
  Exit exit = Exit::kAgent;
  transport::TxPacket packet;
  BackendId backend{};  ///< of kAgentStream
};

/// Which packets of a burst go where; the bytes stay valid until the next call into the pipeline or the port
/// they came from.
class OutgoingBatch {
 public:
  void clear() { packets_.clear(); }
  void add(Exit exit, const transport::TxPacket& packet, BackendId backend = {}) {
    packets_.push_back({exit, packet, backend});
  }
  std::span<const Outgoing> packets() const { return packets_; }

 private:
  std::vector<Outgoing> packets_;
};

/// What one client may ask of its worker, and what its path takes.
struct PipelineLimits {
  std::uint32_t control_per_second = 100;  ///< L2TP control messages of one peer; 0: no limit
  std::uint32_t mtu = 1500;                ///< of the path to the clients, bytes
  IkeLimits ike;
};

class Pipeline {
 public:
  static constexpr std::size_t kMaxBurst = 256;
  using Emit = std::function<void(Event)>;

  Pipeline(std::unique_ptr<esp::Engine> engine, std::uint32_t replay_window, Emit emit,
           PipelineLimits limits = {});
  ~Pipeline();

  /// Datagrams from the UDP port that has nothing but IKE.
  void from_ike(std::span<const transport::RxPacket> packets, std::uint16_t local_port, Instant now);
  /// Datagrams from the UDP port where IKE has a marker, and ESP packets without UDP. At most kMaxBurst each.
  void from_clients(std::span<transport::RxPacket> packets, std::uint16_t local_port, Instant now,
                    OutgoingBatch& out);
  void from_clients_raw(std::span<transport::RxPacket> packets, Instant now, OutgoingBatch& out);
  /// Data frames from agents, by UDP or, with `stream`, by a TLS data link. At most kMaxBurst.
  void from_agents(std::span<transport::RxPacket> packets, Instant now, OutgoingBatch& out,
                   bool stream = false);

  void apply(Command command, Instant now, OutgoingBatch& out);
  /// Timers: grace times and farewells.
  void on_timeout(Instant now, OutgoingBatch& out);
  std::optional<Instant> next_timeout() const;

  const CounterArray<Drop>& drops() const { return drops_; }
  const CounterArray<esp::DropReason>& client_esp_drops() const { return client_esp_drops_; }
  const CounterArray<esp::DropReason>& channel_esp_drops() const { return channel_esp_drops_; }
  const CounterArray<l2tp::DropReason>& l2tp_drops() const { return l2tp_drops_; }
  const CounterArray<IkeDrop>& ike_drops() const { return ike_drops_; }
  const Counter& keepalives() const { return keepalives_; }
  /// Packets to clients that do not fit the MTU whole: sent, and fragmented by the kernel.
  const Counter& oversize() const { return oversize_; }
  /// Packets to agents that are larger than what their path is known to pass whole: likewise.
  const Counter& channel_oversize() const { return channel_oversize_; }
  std::string_view engine_name() const { return engine_->name(); }
  std::size_t inbound_sas() const { return inbound_.size(); }
  std::size_t relays() const { return relays_.size(); }
  std::size_t peers() const { return peers_.size(); }

 private:
  struct PeerState;
  struct PathEpoch;
  struct PathState;
  struct RelayState;
  struct InboundEntry {
    Spi spi;
    PeerState* peer = nullptr;
    esp::InboundSaPtr sa;
    std::shared_ptr<SaStats> stats;
    std::optional<Instant> remove_at;
    std::optional<Instant> soft_at, hard_at;  // limits by time, still to come
  };
  struct OutboundEntry {
    Spi spi;
    Spi paired_inbound;
    esp::OutboundSaPtr sa;
    std::shared_ptr<SaStats> stats;
  };
  /// When an SA reaches a limit by time.
  struct TimeLimit {
    Instant at;
    Spi spi;
    bool hard = false;
    auto operator<=>(const TimeLimit&) const = default;
  };
  struct FarewellState {
    l2tp::StopResult result{};
    std::string text;
    int sent = 0;
    Instant next;
  };
  using PathKey = std::pair<BackendId, std::uint32_t>;

  // upstream
  void take_ike(Bytes message, const transport::RxPacket& from, std::uint16_t local_port, bool marker,
                Instant now);
  void open_from_clients(std::span<transport::RxPacket* const> packets, std::uint16_t local_port,
                         Instant now);
  void hold_or_drop(const transport::RxPacket& packet, std::uint16_t local_port, Instant now);
  void replay_early(Spi spi, Instant now, OutgoingBatch& out);
  void take_opened(const esp::OpenJob& job, const transport::RxPacket& from, std::uint16_t local_port,
                   Instant now);
  void follow_peer(InboundEntry& entry, const esp::OpenJob& job, const transport::RxPacket& from,
                   std::uint16_t local_port);
  void l2tp_from_client(PeerState& peer, esp::PacketBuffer packet, std::uint16_t client_port, Instant now);
  void control_from_client(RelayState& relay, Bytes packet);
  void tunnel_less(PeerState& peer, esp::PacketBuffer packet, std::uint16_t client_port);
  void queue_to_agent(RelayState& relay, esp::PacketBuffer packet);
  void seal_to_agents(OutgoingBatch& out);
  /// One packet of our own making, or one that was kept.
  void send_to_agent(RelayState& relay, Bytes l2tp_packet, OutgoingBatch& out);

  // downstream
  void take_frame(PathEpoch& epoch, const esp::OpenJob& job, const transport::RxPacket& from, Instant now,
                  bool stream);
  void queue_to_client(PeerState& peer, std::uint16_t client_port, esp::PacketBuffer packet);
  void seal_to_clients(OutgoingBatch& out);
  /// One packet of our own making.
  void send_to_client(PeerState& peer, std::uint16_t client_port, Bytes l2tp_packet, OutgoingBatch& out);

  // captures
  bool tapped() const { return !taps_.empty(); }
  void tap_ike(Bytes message, const transport::RxPacket& from, std::uint16_t local_port, bool marker);
  void tap_esp(const transport::RxPacket& from, std::uint16_t local_port);
  void tap_sealed(const esp::SealJob& job);
  void tap_inner(const PeerState& peer, Bytes udp, bool from_client);

  // state
  PeerState& peer_for(const AddSa& command);
  void apply_one(ExpectIke& command, Instant now, OutgoingBatch& out);
  void apply_one(LiveSource& command, Instant now, OutgoingBatch& out);
  void apply_one(SetRates& command, Instant now, OutgoingBatch& out);
  void apply_one(ExpectSpi& command, Instant now, OutgoingBatch& out);
  void apply_one(AddSa& command, Instant now, OutgoingBatch& out);
  void apply_one(RemoveSa& command, Instant now, OutgoingBatch& out);
  void apply_one(ExtendSa& command, Instant now, OutgoingBatch& out);
  void apply_one(MovePeer& command, Instant now, OutgoingBatch& out);
  void apply_one(RemovePeer& command, Instant now, OutgoingBatch& out);
  void apply_one(BindRelay& command, Instant now, OutgoingBatch& out);
  void apply_one(ResumeRelay& command, Instant now, OutgoingBatch& out);
  void apply_one(UnbindRelay& command, Instant now, OutgoingBatch& out);
  void apply_one(Farewell& command, Instant now, OutgoingBatch& out);
  void apply_one(SendL2tp& command, Instant now, OutgoingBatch& out);
  void apply_one(BindProbe& command, Instant now, OutgoingBatch& out);
  void apply_one(SendProbe& command, Instant now, OutgoingBatch& out);
  void apply_one(AddPath& command, Instant now, OutgoingBatch& out);
  void apply_one(RemovePaths& command, Instant now, OutgoingBatch& out);
  void apply_one(StartCapture& command, Instant now, OutgoingBatch& out);
  void apply_one(StopCapture& command, Instant now, OutgoingBatch& out);
  void remove_inbound(Spi spi);
  void limit_by_time(InboundEntry& entry, const SaLifetime& lifetime, Instant now);
  void expire_by_time(Instant now);
  void report_limit(const esp::SealJob& job);
  /// In the tables, joined with its path; without a peer it is a probe's.
  template <class Binding>
  RelayState* bind(const Binding& command);
  RelayState& add_relay(RelayId id, PathKey path);
  void remove_relay(RelayId relay);
  void remove_path(PathKey key);
  void retire_epochs(PathState& path, Instant now);
  void tick_paths(Instant now, OutgoingBatch& out);
  void say_hello(PathState& path, Instant now, OutgoingBatch& out);
  bool probe_mtu(PathState& path, Instant now, OutgoingBatch& out);
  void send_hello(PathState& path, esp::PacketBuffer hello, Exit exit, OutgoingBatch& out);
  void follow_health(PathState& path);
  /// Lets the observer look at a control message and counts what it saw.
  l2tp::Observation observe(RelayState& relay, l2tp::Side from, Bytes control);
  void report(const RelayState& relay, l2tp::Observation what);
  void say_farewell(RelayState& relay, Instant now, OutgoingBatch& out);
  void finish_farewell(RelayState& relay, bool acknowledged);
  void drop(Drop reason, std::uint64_t count = 1) { drops_.add(reason, count); }

  std::unique_ptr<esp::Engine> engine_;
  std::uint32_t replay_window_;
  Emit emit_;
  PipelineLimits limits_;
  IkeGuard guard_;

  // Declared after the engine: SAs go before it.
  std::map<PeerId, std::unique_ptr<PeerState>> peers_;
  std::map<Spi, std::unique_ptr<InboundEntry>> inbound_owned_;
  FlatTable<InboundEntry> inbound_;
  EarlyPackets early_;
  std::vector<ByteVector> early_memory_;  // of early packets under way, until the next command
  std::map<RelayId, std::unique_ptr<RelayState>> relays_;
  FlatTable<RelayState> relay_table_;
  std::map<PathKey, std::unique_ptr<PathState>> paths_;
  FlatTable<PathEpoch> path_table_;
  std::optional<Instant> path_tick_;               // the next, while a path wants any
  std::set<std::pair<Instant, Spi>> lingering_;    // inbound SAs with a time to go
  std::set<TimeLimit> time_limits_;                // of inbound SAs: a pair's halves end together
  std::vector<RelayId> farewells_;                 // relays that say goodbye
  std::vector<std::shared_ptr<CaptureTap>> taps_;  // nearly always none
  Instant burst_at_{};                             // when what is being worked on came

  // Work space of one burst.
  struct Workspace;
  std::unique_ptr<Workspace> work_;

  CounterArray<Drop> drops_;
  CounterArray<esp::DropReason> client_esp_drops_, channel_esp_drops_;
  CounterArray<l2tp::DropReason> l2tp_drops_;
  CounterArray<IkeDrop> ike_drops_;
  Counter keepalives_, oversize_, channel_oversize_;
};

}  // namespace sluice::edge
