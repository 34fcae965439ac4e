// link: sluice_edge_dataplane
// What the IKE guard costs for one message: in a flood from made-up addresses, and of a client that is known.
// Target: 500 ns, so that 20 000 forged messages a second cost the worker 1 % of its time.
//   bin/ike_guard_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only
#include <benchmark/benchmark.h>

#include <random>

#include "edge/dataplane/ike_guard.hpp"
#include "edge/dataplane/ike_view.hpp"

namespace sluice::edge {
namespace {

ByteVector message(std::uint64_t responder_spi) {
  ByteVector out(216);
  ByteWriter to(out);
  to.u64(1);
  to.u64(responder_spi);
  to.u8(1);
  to.u8(0x10);
  to.u8(2);
  to.u8(0);
  to.u32(0);
  to.u32(static_cast<std::uint32_t>(out.size()));
  return out;
}

std::vector<IpAddress> addresses(std::size_t count) {
  std::mt19937 dice(1);
  std::vector<IpAddress> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(IpAddress::v4(static_cast<std::uint32_t>(dice())));
  return out;
}

void flood(benchmark::State& state) {
  IkeGuard guard{IkeLimits{}};
  const auto from = addresses(static_cast<std::size_t>(state.range(0)));
  const auto first = message(0);
  Instant now{std::chrono::hours(1)};
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(guard.admit(from[at], first, now));
    if (++at == from.size()) at = 0;
    now += std::chrono::microseconds(50);
  }
}
BENCHMARK(flood)->Name("guard/flood")->Arg(10'000)->Arg(1'000'000);

void known(benchmark::State& state) {
  IkeGuard guard{IkeLimits{.per_source = 0, .per_prefix = 0, .new_sources = 0, .key = {}}};
  const auto from = addresses(10'000);
  for (const auto& address : from) guard.add_live(address);
  const auto later = message(7);
  Instant now{std::chrono::hours(1)};
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(guard.admit(from[at], later, now));
    if (++at == from.size()) at = 0;
    now += std::chrono::microseconds(50);
  }
}
BENCHMARK(known)->Name("guard/known");

}  // namespace
}  // namespace sluice::edge
