// link: sluice_edge_dataplane
// What L2TP costs the edge, seconds a packet in the column "packet". Targets: classification and relay lookup
// together 15 ns with one tunnel and 60 ns with 100 000; a control message parsed in 1 us.
//   bin/l2tp_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <vector>

#include "edge/dataplane/flat_table.hpp"
#include "edge/dataplane/routes.hpp"
#include "esp/prefetch.hpp"
#include "l2tp/observer.hpp"

namespace sluice::edge {
namespace {

using benchmark::Counter;

constexpr std::size_t kBurst = 64;
constexpr std::size_t kPacketSize = 1400;
constexpr std::size_t kBursts = 1024;  // before the picks repeat

/// As big as what the pipeline keeps of a tunnel and of a client, each in its own piece of the heap.
struct Relay {
  RelayId id;
  std::uint64_t packets = 0;
  l2tp::Observer observer;
  std::array<std::byte, 128> rest{};
};
struct Peer {
  std::array<std::byte, 192> before{};
  Routes<Relay> routes;
  std::array<std::byte, 64> after{};
};

ByteVector data_packet(TunnelId tunnel, bool with_length) {
  ByteVector packet(kPacketSize);
  ByteWriter out(packet);
  l2tp::write_header({.has_length = with_length, .tunnel = tunnel, .session = SessionId(1)},
                     kPacketSize - (with_length ? 8 : 6), out);
  return packet;
}

/// Tunnels with packets that hit them at random.
struct Edge {
  Edge(std::size_t count, bool with_length) {
    std::mt19937 dice(1);
    for (std::size_t i = 0; i < count; ++i) {
      peers.push_back(std::make_unique<Peer>());
      relays.push_back(std::make_unique<Relay>());
      relays.back()->id = RelayId(static_cast<std::uint32_t>(i + 1));
      tunnel_of.push_back(TunnelId(static_cast<std::uint16_t>(1 + dice() % 0xffff)));
      peers.back()->routes.add(tunnel_of.back(), 1701, relays.back().get());
      by_id.insert(static_cast<std::uint32_t>(i + 1), relays.back().get());
    }
    for (std::size_t i = 0; i < kBurst * kBursts; ++i) {
      picks.push_back(static_cast<std::uint32_t>(dice() % count));
      picked_tunnels.push_back(tunnel_of[picks.back()]);
    }
    // The packets themselves are in the cache: they were decrypted a moment ago.
    for (std::size_t i = 0; i < kBurst; ++i) packets.push_back(data_packet(TunnelId(1), with_length));
  }
  std::span<const std::uint32_t> burst(std::size_t number) const {
    return std::span(picks).subspan(number % kBursts * kBurst, kBurst);
  }
  std::span<const TunnelId> tunnels(std::size_t number) const {
    return std::span(picked_tunnels).subspan(number % kBursts * kBurst, kBurst);
  }
  void address(std::size_t slot, TunnelId tunnel, bool with_length) {
    store_be16(packets[slot].data() + (with_length ? 4 : 2), tunnel.value());
  }

  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<std::unique_ptr<Relay>> relays;
  std::vector<TunnelId> tunnel_of, picked_tunnels;
  FlatTable<Relay> by_id;
  std::vector<std::uint32_t> picks;
  std::vector<ByteVector> packets;
};

void per_packet(benchmark::State& state) {
  state.counters["packet"] =
      Counter(static_cast<double>(kBurst), Counter::kIsIterationInvariantRate | Counter::kInvert);
}

/// From the client: the SA names the peer, the packet the tunnel. Staged over a burst as in the pipeline.
void up(benchmark::State& state) {
  const bool with_length = state.range(1) != 0;
  Edge edge(static_cast<std::size_t>(state.range(0)), with_length);
  std::array<Peer*, kBurst> peers{};
  std::size_t number = 0;
  std::uint64_t sum = 0;
  for (auto _ : state) {
    const auto picks = edge.burst(number);
    const auto tunnels = edge.tunnels(number++);
    for (std::size_t i = 0; i < kBurst; ++i) edge.address(i, tunnels[i], with_length);
    for (std::size_t i = 0; i < kBurst; ++i) {
      peers[i] = edge.peers[picks[i]].get();
      esp::prefetch_line(&peers[i]->routes);
    }
    for (const auto* peer : peers) esp::prefetch_line(peer->routes.likeliest());
    for (std::size_t i = 0; i < kBurst; ++i) {
      const auto l2tp = l2tp::classify(edge.packets[i]);
      auto* relay = l2tp.kind == l2tp::PacketKind::kBad ? nullptr : peers[i]->routes.find(l2tp.tunnel, 1701);
      if (relay == nullptr) return state.SkipWithError("a packet has no relay");
      sum += ++relay->packets + l2tp.payload_size;
    }
  }
  benchmark::DoNotOptimize(sum);
  per_packet(state);
}

/// From the agent: the frame names the relay, the packet must name its tunnel.
void down(benchmark::State& state) {
  Edge edge(static_cast<std::size_t>(state.range(0)), false);
  std::size_t number = 0;
  std::uint64_t sum = 0;
  std::array<Relay*, kBurst> relays{};
  for (auto _ : state) {
    const auto picks = edge.burst(number++);
    for (const auto pick : picks) edge.by_id.prefetch(pick + 1);
    for (std::size_t i = 0; i < kBurst; ++i) {
      relays[i] = edge.by_id.find(picks[i] + 1);
      esp::prefetch_line(relays[i]);
    }
    for (std::size_t i = 0; i < kBurst; ++i) {
      const auto l2tp = l2tp::classify(edge.packets[i]);
      if (l2tp.kind == l2tp::PacketKind::kBad) return state.SkipWithError("a packet is bad");
      sum += ++relays[i]->packets + l2tp.payload_size;
    }
  }
  benchmark::DoNotOptimize(sum);
  per_packet(state);
}

void classify_alone(benchmark::State& state) {
  const auto packet = data_packet(TunnelId(7), state.range(0) != 0);
  for (auto _ : state) {
    auto* bytes = packet.data();
    benchmark::DoNotOptimize(bytes);
    benchmark::DoNotOptimize(l2tp::classify(Bytes(bytes, packet.size())));
  }
}

ByteVector sccrq() {
  l2tp::MessageBuilder b(l2tp::MessageType::kSccrq);
  using enum l2tp::AvpType;
  b.u16(kProtocolVersion, 0x0100)
      .u32(kFramingCapabilities, 1)
      .u32(kBearerCapabilities, 0)
      .u16(kFirmwareRevision, 0x0a00);
  b.text(kHostName, "DESKTOP-4711")
      .text(kVendorName, "Microsoft")
      .u16(kAssignedTunnelId, 7)
      .u16(kReceiveWindowSize, 8);
  return b.finish({}, {}, 0, 0);
}
ByteVector icrq() {
  l2tp::MessageBuilder b(l2tp::MessageType::kIcrq);
  b.u16(l2tp::AvpType::kAssignedSessionId, 7)
      .u32(l2tp::AvpType::kCallSerialNumber, 1)
      .u32(l2tp::AvpType::kBearerType, 2);
  return b.finish(TunnelId(3), {}, 2, 1);
}

void parse(benchmark::State& state, const ByteVector& packet) {
  for (auto _ : state) {
    const auto header = l2tp::parse_header(packet);
    const auto message = l2tp::parse_message(header->payload);
    benchmark::DoNotOptimize(message->avps().size());
  }
}

/// What the edge does with each control message that it relays.
void observe(benchmark::State& state) {
  l2tp::Observer observer;
  const auto first = sccrq();
  observer.from_client(first);
  auto packet = icrq();
  std::uint16_t ns = 1;
  for (auto _ : state) {
    store_be16(packet.data() + 8, ns++);
    benchmark::DoNotOptimize(observer.from_client(packet));
  }
}

BENCHMARK(up)->Name("lookup/up")->Args({1, 0})->Args({1, 1})->Args({100'000, 0})->Args({100'000, 1});
BENCHMARK(down)->Name("lookup/down")->Arg(1)->Arg(100'000);
BENCHMARK(classify_alone)->Name("classify/plain")->Arg(0);
BENCHMARK(classify_alone)->Name("classify/length")->Arg(1);
BENCHMARK_CAPTURE(parse, sccrq, sccrq())->Name("parse/sccrq");
BENCHMARK_CAPTURE(parse, icrq, icrq())->Name("parse/icrq");
BENCHMARK(observe)->Name("observe/icrq");

}  // namespace
}  // namespace sluice::edge
