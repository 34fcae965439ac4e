// Measures the relay path and its floor; prints JSON: one object for each case, CPU nanoseconds a packet of the thread
// that relays (what the kernel does for it on that thread included).
//   relay_bench [--rounds N] [--runs N] [--sas 1,4096,100000] [--quick]
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
  std::vector<std::string> paths{"floor", "edge"};
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
  if (auto floor = make_floor(nets)) paths.push_back(std::move(floor));
  paths.push_back(make_product(nets, "auto"));
  for (const auto& suite_name : s.suites) {
    const auto& suite = esp::suite(suite_name == "gcm" ? esp::SuiteId::kAesGcm128 : esp::SuiteId::kAes128CbcSha1);
    for (const auto sas : s.sas) {
      load.use(suite, sas);
      std::vector<RelayPath*> chosen;
      for (const auto& path : paths) {
        if (path->name() == "floor" && suite_name != "gcm") continue;
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
  CLI11_PARSE(cli, argc, argv);
  auto out = nlohmann::json::array();
  measure(s, out);
  std::printf("%s\n", out.dump(1).c_str());
}
