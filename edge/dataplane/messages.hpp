#pragma once
// What the control thread and a data worker say to each other, over queues. Values only; whoever receives one
// owns it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/counters.hpp"
#include "base/ids.hpp"
#include "base/ip.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "edge/capture/tap.hpp"
#include "edge/ike/provider.hpp"
#include "esp/suite.hpp"
#include "l2tp/codes.hpp"
#include "l2tp/observer.hpp"
#include "proto/channel/messages.hpp"

namespace sluice::edge {

/// Counters of one SA direction. Written by its worker, read by the control thread, which outlives the SA
/// with it.
struct SaStats {
  Counter packets, bytes;  ///< bytes of the ESP payload
  Counter replayed, unauthentic, malformed;
  Counter last_use;  ///< monotonic seconds, set by add of the difference
  Counter top;       ///< inbound: newest sequence number, likewise
};

/// What one side of a tunnel's control connection did, as its relay saw it.
struct ControlStats {
  Counter resent;  ///< messages sent again
  Counter window;  ///< what it takes at once, set by add of the difference; 0 while not known
};
/// Counters of one relay, "in" being from the client.
struct RelayStats {
  Counter packets_in, bytes_in, packets_out, bytes_out;  ///< L2TP packets
  ControlStats client, agent;
};

/// Data frames from an agent, one worker's share. Loss on the way is what was expected less what came.
struct PathStats {
  Counter expected;  ///< by the sequence numbers of those that came
  Counter received;
};

// ---- control to worker
// --------------------------------------------------------------------------------------------

/// The worker that all IKE comes to: it alone has the plain port, and the zero marker on the other steers
/// there.
inline constexpr std::uint32_t kIkeWorker = 0;

/// IKE goes to `source` that carries this (IkeView::token): whoever sends it back receives what we send
/// there.
struct ExpectIke {
  IpAddress source;
  std::uint64_t token = 0;
};
/// One more peer with live SAs is at this address, or one fewer.
struct LiveSource {
  IpAddress source;
  bool live = false;
};
/// Other rates from now on; as in PipelineLimits and IkeLimits.
struct SetRates {
  std::uint32_t control_per_second = 0;
  std::uint32_t ike_per_source = 0, ike_per_prefix = 0, ike_new_sources = 0;
};
/// An SPI was given out: its first packets may come before its SA.
struct ExpectSpi {
  Spi spi;
};
/// Installs one direction of a child SA; its peer comes into being with the first.
struct AddSa {
  PeerId peer;
  SaSpec spec;
  esp::SuiteId suite{};
  Spi paired_inbound;  ///< of an outbound SA: a packet on that one proves that the peer uses the new pair
  std::shared_ptr<SaStats> stats;
};
/// An inbound SA lives on for `grace`; an outbound one goes at once.
struct RemoveSa {
  Spi spi;
  bool inbound = false;
  PeerId peer;
  Duration grace{};
};
/// An outbound SA may use sequence numbers up to `last`.
struct ExtendSa {
  Spi spi;
  PeerId peer;
  std::uint64_t last = 0;
};
struct MovePeer {
  PeerId peer;
  Endpoint local, remote;
  bool udp_encapsulated = false;
};
/// The peer with all its SAs and tunnels.
struct RemovePeer {
  PeerId peer;
};
/// Binds a tunnel to an agent and relays its first packet.
struct BindRelay {
  RelayId relay;
  PeerId peer;
  BackendId backend;
  std::uint32_t agent_worker = 0;
  TunnelId client_tunnel, agent_tunnel;
  std::uint16_t client_port = 0;  ///< of L2TP inside ESP
  std::shared_ptr<RelayStats> stats;
  ByteVector first_packet;
};
/// Binds a tunnel that an agent kept: its observer begins with what the agent knows. In place of a binding
/// that is there.
struct ResumeRelay {
  RelayId relay;
  PeerId peer;
  BackendId backend;
  std::uint32_t agent_worker = 0;
  TunnelId client_tunnel, agent_tunnel;
  std::uint16_t client_port = 0;
  std::uint16_t ns = 0, nr = 0;  ///< of the agent: next to send, next expected
  bool established = false;
  std::vector<l2tp::ObservedSession> sessions;
  std::shared_ptr<RelayStats> stats;
};
struct UnbindRelay {
  RelayId relay;
};
/// Speaks StopCCN in a dead agent's name until the client acknowledges or the retransmissions are used up.
struct Farewell {
  RelayId relay;
  l2tp::StopResult result{};
  std::string text;
};
/// One L2TP packet to a client that has no relay: a refusal.
struct SendL2tp {
  PeerId peer;
  std::uint16_t client_port = 0;
  ByteVector packet;
};
/// A tunnel of the edge's own to an agent, for a probe: what the agent says in it comes back as ProbeArrived.
/// UnbindRelay ends it.
struct BindProbe {
  RelayId relay;
  BackendId backend;
  std::uint32_t agent_worker = 0;
  TunnelId tunnel;   ///< ours
  bool ppp = false;  ///< data packets come back, too
};
/// One L2TP packet from a probe to its agent.
struct SendProbe {
  RelayId relay;
  ByteVector packet;
};
/// The data path to one worker of an agent. For one that is there: a new epoch of its keys.
struct AddPath {
  BackendId backend;
  std::uint32_t agent_worker = 0;
  Spi to_edge, to_agent;
  Secret to_edge_key, to_agent_key;  ///< AES-128-GCM key and salt
  Endpoint agent;                    ///< where it takes data frames, until its own say otherwise
  IpAddress local;                   ///< our address towards it
  channel::CarrierMode carrier = channel::CarrierMode::kUdp;
  std::uint64_t spent_packets = 0, spent_bytes = 0;  ///< either way, then PathSpent; 0: never
  std::shared_ptr<PathStats> stats = {};             ///< nobody counts without
};
struct RemovePaths {
  BackendId backend;
};
/// Packets that fit go to the tap, too, until the capture of its id stops.
struct StartCapture {
  std::shared_ptr<CaptureTap> tap;
};
struct StopCapture {
  std::uint32_t id = 0;
};
struct StopWorker {};

using Command =
    std::variant<std::monostate, ExpectIke, LiveSource, SetRates, ExpectSpi, AddSa, RemoveSa, ExtendSa,
                 MovePeer, RemovePeer, BindRelay, ResumeRelay, UnbindRelay, Farewell, SendL2tp, BindProbe,
                 SendProbe, AddPath, RemovePaths, StartCapture, StopCapture, StopWorker>;

// ---- worker to control
// --------------------------------------------------------------------------------------------

/// An IKE datagram, without non-ESP marker.
struct IkeArrived {
  Endpoint local, remote;
  bool marker = false;
  bool proven = false;  ///< its address receives our answers
  ByteVector datagram;
};
/// An SCCRQ that belongs to no relay.
struct SccrqArrived {
  PeerId peer;
  std::uint16_t client_port = 0;
  ByteVector packet;
};
/// A control message changed what is known of a tunnel.
struct TunnelObserved {
  RelayId relay;
  l2tp::Observation what{};
  std::vector<l2tp::ObservedSession> sessions;
  std::string client_host;
  std::string close_text;  ///< who closed and why, where something was closed
  bool closed_by_client = false;
};
/// Authenticated packets of a peer come from elsewhere.
struct PeerMoved {
  PeerId peer;
  Spi inbound;
  Endpoint local, old_remote, new_remote;
};
/// Half of an outbound SA's reserved sequence numbers are used.
struct SequenceLow {
  PeerId peer;
  Spi outbound;
  Endpoint remote;
  std::uint64_t reserved = 0;  ///< as far as they are
};
struct SaExpired {
  PeerId peer;
  Spi inbound;
  Endpoint local;
  bool hard = false;
};
/// The client has acknowledged the farewell, or was given every chance to.
struct FarewellDone {
  RelayId relay;
  bool acknowledged = false;
};

/// An L2TP packet from an agent to a probe.
struct ProbeArrived {
  RelayId relay;
  ByteVector packet;
};

/// Data of a path goes by TLS from now on, or by UDP again.
struct PathCarrier {
  BackendId backend;
  bool stream = false;
};
/// The largest IP packet that gets through a path to the agent whole.
struct PathMtuFound {
  BackendId backend;
  std::uint16_t size = 0;
};
/// A path's keys have worked as much as they are to.
struct PathSpent {
  BackendId backend;
};
/// Nothing is received on it any more.
struct PathRetired {
  Spi to_edge;
};

using Event =
    std::variant<std::monostate, IkeArrived, SccrqArrived, TunnelObserved, PeerMoved, SaExpired, SequenceLow,
                 FarewellDone, ProbeArrived, PathCarrier, PathMtuFound, PathSpent, PathRetired>;

}  // namespace sluice::edge
