#pragma once
// What a worker keeps of peers, relays and paths. Included by the pipeline's own files only.

#include "edge/dataplane/pipeline.hpp"
#include "edge/dataplane/rate_budget.hpp"
#include "edge/dataplane/routes.hpp"
#include "proto/channel/path_health.hpp"
#include "proto/channel/path_mtu.hpp"

namespace sluice::edge {

inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint16_t kL2tpPort = 1701;
inline constexpr std::size_t kUdpHeader = 8;
inline constexpr std::uint32_t kIpv4Header = 20, kIpv6Header = 40;

struct Pipeline::PeerState {
  PeerId id;
  Endpoint local, remote;
  bool udp_encapsulated = false;
  std::vector<Spi> inbound;             // oldest first
  std::vector<OutboundEntry> outbound;  // oldest first
  std::size_t current = 0;              // of outbound: the newest that is proven
  Routes<RelayState> relays;
  RateBudget control;  // of L2TP control messages

  OutboundEntry* sending() { return outbound.empty() ? nullptr : &outbound[current]; }
  /// A packet came in on `spi`: the peer has the pair, so that its outbound half may be used.
  void prove(Spi spi) {
    for (std::size_t i = current + 1; i < outbound.size(); ++i) {
      if (outbound[i].paired_inbound == spi) current = i;
    }
  }
};

/// One epoch of a path's keys.
struct Pipeline::PathEpoch {
  PathState* path = nullptr;
  Spi to_edge;
  esp::InboundSaPtr in;
  esp::OutboundSaPtr out;
  std::optional<Instant> retire_at;  // once a newer one is sent on
  std::shared_ptr<PathStats> stats;
  std::uint64_t counted = 0;  // sequence numbers that were expected

  void count_received() {
    if (!stats) return;
    stats->received.add();
    const auto top = in->replay().top();
    stats->expected.add(top - counted);
    counted = top;
  }
};

struct Pipeline::PathState {
  PathKey key;
  Endpoint agent;
  IpAddress local;
  channel::CarrierMode carrier{};
  std::vector<std::unique_ptr<PathEpoch>> epochs;  // oldest first, all of them received on
  esp::OutboundSa* out = nullptr;                  // of the epoch that is sent on
  std::optional<Instant> switch_at;                // when the newest is
  std::optional<channel::PathHealth> health;       // where the two choose between UDP and TLS
  std::optional<channel::PathMtu> mtu;             // likewise
  std::uint32_t limit = UINT32_MAX;  // the largest ESP packet that passes whole, as far as known
  bool stream = false;               // data goes by TLS
  bool hears = false;                // as the last hello said
  bool heard = false;                // something came by UDP since the last tick
  // One for each path: all of them say hello in one batch.
  std::array<std::uint8_t,
             esp::kMaxHeadroom + channel::kRelayHeader + channel::kHelloBytes + esp::kMaxTailroom>
      hello_room{};

  void send_on_newest(Instant now, Duration keep_old) {
    out = epochs.back()->out.get();
    switch_at.reset();
    for (const auto& epoch : epochs) {
      if (epoch != epochs.back() && !epoch->retire_at) epoch->retire_at = now + keep_old;
    }
  }
};

struct Pipeline::RelayState {
  RelayId id;
  PeerState* peer = nullptr;  // none: a probe of our own
  bool probe_ppp = false;     // which wants to see data packets, too
  PathKey path_key;
  PathState* path = nullptr;
  TunnelId client_tunnel, agent_tunnel;
  std::uint16_t client_port = 0;
  std::shared_ptr<RelayStats> stats;
  l2tp::Observer observer;
  std::optional<FarewellState> farewell;
};

/// Jobs and buffers of one burst, made once.
struct Pipeline::Workspace {
  struct SealTarget {
    Endpoint remote;
    IpAddress local;
    Exit exit = Exit::kAgent;
    SaStats* stats = nullptr;
    BackendId backend{};  // towards an agent
    std::uint32_t limit = UINT32_MAX;
  };
  std::array<esp::OpenJob, kMaxBurst> open;
  std::array<esp::SealJob, kMaxBurst> seal;
  std::array<SealTarget, kMaxBurst> targets;
  std::size_t seals = 0;
  std::array<transport::RxPacket*, kMaxBurst> packets{};
  std::array<PathEpoch*, kMaxBurst> paths{};
  // For packets of our own making: one buffer for each until the batch was sent.
  static constexpr std::size_t kOwnBuffers = 64, kOwnSize = 4096;
  std::array<std::array<std::uint8_t, kOwnSize>, kOwnBuffers> own;
  std::size_t own_used = 0;

  MutableBytes own_buffer() {
    auto& buffer = own[own_used];
    own_used = (own_used + 1) % kOwnBuffers;
    return buffer;
  }
};

inline void count_packet(SaStats& stats, std::uint64_t bytes, Instant now) {
  stats.packets.add();
  stats.bytes.add(bytes);
  const auto seconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  stats.last_use.add(seconds - stats.last_use.read());
}

}  // namespace sluice::edge
