// Measures the relay path and its floor; prints JSON: one object for each case, CPU nanoseconds a packet of
// the thread that relays (what the kernel does for it on that thread included).
//   relay_bench [--rounds N] [--runs N] [--sas 1,4096,100000]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "load.hpp"
#include "path.hpp"

namespace sluice::bench {
namespace {

struct Settings {
  std::size_t runs = 5, rounds = 60;
  std::vector<std::uint32_t> sas{1, 4096, 100000};
  std::vector<std::size_t> sizes{64, 512, 1400};
  std::vector<std::string> ways{"up", "down"};
  std::vector<std::string> suites{"gcm", "cbc"};
  std::vector<std::string> paths{"sockets", "floor", "edge"};
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Median over the rounds of one run, ns a packet.
double run_once(Load& load, RelayPath& path, bool up, std::size_t size, std::size_t rounds) {
  std::vector<double> times;
  for (std::size_t round = 0; round < rounds; ++round) {
    up ? load.send_up(size, path.client_side_port()) : load.send_down(size, path.agent_side_port());
    const double begin = cpu_seconds();
    up ? path.relay_up(kRound) : path.relay_down(kRound);
    const double took = cpu_seconds() - begin;
    const std::size_t arrived = up ? load.arrived_at_agent() : load.arrived_at_clients();
    if (arrived != kRound) {
      std::fprintf(stderr, "%s %s %zu: %zu of %zu packets arrived\n", std::string(path.name()).c_str(),
                   up ? "up" : "down", size, arrived, kRound);
      continue;
    }
    times.push_back(took / kRound * 1e9);
  }
  if (times.empty()) fail("no packet was relayed");
  return median(times);
}

void measure(const Settings& s, nlohmann::json& out) {
  const Nets nets;
  pin(0);
  Load load(nets, 1);
  std::vector<std::unique_ptr<RelayPath>> paths;
  for (const bool crypto : {false, true}) {
    if (auto floor = make_floor(nets, crypto)) paths.push_back(std::move(floor));
  }
  paths.push_back(make_product(nets));
  for (const auto& suite_name : s.suites) {
    const auto& suite =
        esp::suite(suite_name == "gcm" ? esp::SuiteId::kAesGcm128 : esp::SuiteId::kAes128CbcSha1);
    for (const auto sas : s.sas) {
      load.use(suite, sas);
      std::vector<RelayPath*> chosen;
      for (const auto& path : paths) {
        if (path->name() != "edge" && suite_name != "gcm") continue;
        if (path->name() == "sockets" && sas != 1) continue;
        if (std::find(s.paths.begin(), s.paths.end(), path->name()) == s.paths.end()) continue;
        path->use(suite, sas);
        chosen.push_back(path.get());
      }
      load.arrived_at_agent();
      std::map<std::string, std::pair<nlohmann::json, std::vector<double>>> cases;
      for (std::size_t run = 0; run < s.runs; ++run) {
        for (const auto& way : s.ways) {
          for (const auto size : s.sizes) {
            for (auto* path : chosen) {
              const std::string name(path->name());
              auto& [about, figures] = cases[name + way + std::to_string(size)];
              about = {{"path", name}, {"way", way}, {"bytes", size}, {"suite", suite_name}, {"sas", sas}};
              figures.push_back(run_once(load, *path, way == "up", size, s.rounds));
            }
          }
        }
      }
      for (auto& [key, value] : cases) {
        value.first["ns"] = median(value.second);
        value.first["runs"] = value.second;
        std::fprintf(stderr, "%s %.0f\n", value.first.dump().substr(0, 100).c_str(), median(value.second));
        out.push_back(value.first);
      }
    }
  }
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// What two packet loops on two cores carry at once, over what one carries while the other is idle: from the
/// CPU time of rounds in which they ran side by side for most of the time.
double two_workers(const Settings& s, bool up) {
  constexpr std::size_t kBurstsEach = 8, kSize = 1400;
  constexpr double kMostly = 0.7;
  const Nets nets;
  pin(0);
  Load load(nets, 1);
  Helper beside([&nets] {
    nets.enter_edge();
    pin(1);
  });
  const auto one = make_product(nets, 0), two = make_product(nets, 1);
  load.use(esp::suite(esp::SuiteId::kAesGcm128), 1);
  one->use(esp::suite(esp::SuiteId::kAesGcm128), 1);
  two->use(esp::suite(esp::SuiteId::kAesGcm128), 1);
  struct Took {
    double cpu = 0, begin = 0, end = 0;
  };
  const auto send = [&](RelayPath& path) {
    for (std::size_t i = 0; i < kBurstsEach; ++i) {
      up ? load.send_up(kSize, path.client_side_port()) : load.send_down(kSize, path.agent_side_port());
    }
  };
  const auto relay = [up](RelayPath& path, Took& took) {
    took.begin = wall_seconds();
    const double cpu = cpu_seconds();
    up ? path.relay_up(kRound * kBurstsEach) : path.relay_down(kRound * kBurstsEach);
    took.cpu = cpu_seconds() - cpu;
    took.end = wall_seconds();
  };
  std::vector<double> alone, first, second;
  for (std::size_t round = 0; round < s.runs * s.rounds; ++round) {
    Took a, b;
    send(*one);
    relay(*one, a);
    alone.push_back(a.cpu);
    send(*one);
    send(*two);
    beside.start([&] { relay(*two, b); });
    relay(*one, a);
    beside.wait();
    up ? load.arrived_at_agent() : load.arrived_at_clients();
    const double shared = std::min(a.end, b.end) - std::max(a.begin, b.begin);
    if (shared < kMostly * std::max(a.end - a.begin, b.end - b.begin)) continue;
    first.push_back(a.cpu);
    second.push_back(b.cpu);
  }
  if (first.empty()) return 0;
  std::fprintf(stderr, "two workers %s: alone %.0f ns, side by side %.0f and %.0f, %zu rounds\n",
               up ? "up" : "down", median(alone) / kRound / kBurstsEach * 1e9,
               median(first) / kRound / kBurstsEach * 1e9, median(second) / kRound / kBurstsEach * 1e9,
               first.size());
  return median(alone) / median(first) + median(alone) / median(second);
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice::bench;
  Settings s;
  CLI::App cli("CPU time a packet of the relay path and of its floor");
  cli.add_option("--runs", s.runs);
  cli.add_option("--rounds", s.rounds);
  cli.add_option("--sas", s.sas)->delimiter(',');
  cli.add_option("--sizes", s.sizes)->delimiter(',');
  cli.add_option("--ways", s.ways)->delimiter(',');
  cli.add_option("--suites", s.suites)->delimiter(',');
  cli.add_option("--paths", s.paths)->delimiter(',');
  bool workers = false;
  cli.add_flag("--workers", workers, "two packet loops at once against one");
  CLI11_PARSE(cli, argc, argv);
  if (workers) {
    const nlohmann::json ratios = {{"up", two_workers(s, true)}, {"down", two_workers(s, false)}};
    std::printf("%s\n", ratios.dump().c_str());
    return 0;
  }
  auto out = nlohmann::json::array();
  measure(s, out);
  std::printf("%s\n", out.dump(1).c_str());
}
