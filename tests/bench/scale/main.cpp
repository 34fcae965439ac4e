// Installs 100 000 peers with a pair of SAs each through the tables of the control thread and a worker's
// pipeline, deletes them, and does so again: time, memory, and whether anything stays behind. Prints JSON.
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/app/clock.hpp"
#include "base/app/system_random.hpp"
#include "edge/dataplane/pipeline.hpp"
#include "edge/relay/peers.hpp"

namespace sluice::bench {
namespace {

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

double seconds_since(Instant begin) {
  return std::chrono::duration<double>(app::now() - begin).count();
}

struct Tables {
  app::SystemRandom random;
  Instant now = app::now();
  edge::OutgoingBatch out;
  edge::Pipeline pipeline;
  edge::Peers peers;

  Tables()
      : pipeline(std::move(esp::make_engine("auto", random)).value(), 256, [](edge::Event) {}),
        peers({}, {.random = random,
                   .now = [this] { return now; },
                   .unix_seconds = [] { return 0; },
                   .post = [this](std::uint32_t,
                                  edge::Command command) { pipeline.apply(std::move(command), now, out); },
                   .peer_gone = {}}) {}

  /// A pair of SAs for each of `count` peers; `generation` counts the pairs of a peer.
  void install(std::uint32_t count, const esp::Suite& suite, std::uint16_t encryption,
               std::uint16_t integrity, std::uint32_t generation = 0) {
    const ByteVector key(suite.keying_size(), 7), auth(suite.integrity_key_size, 9);
    const Endpoint local{IpAddress::v4(0xc0000201), 4500};
    for (std::uint32_t i = 0; i < count; ++i) {
      const Endpoint remote{IpAddress::v4(0x0a000000 + i), 4500};
      const edge::IkeSaId ike(i + 1);
      const auto in = peers.allocate_spi(ike, "client", local, remote);
      const auto add = [&](Spi spi, bool inbound) {
        edge::SaSpec spec;
        spec.spi = spi;
        spec.ike_sa = ike;
        spec.peer_identity = "client";
        spec.inbound = inbound;
        spec.udp_encapsulated = true;
        spec.source = inbound ? remote : local;
        spec.destination = inbound ? local : remote;
        spec.encryption = encryption;
        spec.integrity = integrity;
        spec.encryption_key = Secret(Bytes(key));
        spec.integrity_key = Secret(Bytes(auth));
        if (peers.add_sa(std::move(spec))) std::abort();
      };
      add(*in, true);
      add(Spi(0x10000 + generation * count + i), false);
      peers.ike_up({.ike_sa = ike,
                    .version = 2,
                    .local = local,
                    .remote = remote,
                    .identity = "client",
                    .proposal = {},
                    .nat = true});
    }
  }

  void remove() {
    while (!peers.all().empty()) {
      const auto& peer = peers.all().begin()->second;
      const auto id = peer.id;
      const auto children = peer.children;
      const auto ike = peer.ike.ike_sa;
      for (const auto& child : children) {
        peers.remove_sa(child.in, true, peer.local);
        peers.remove_sa(child.out, false, child.out_destination);
      }
      peers.ike_down(ike);
      peers.remove(id);
    }
    now += std::chrono::minutes(1);
    pipeline.on_timeout(now, out);
  }
};

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice;
  using namespace sluice::bench;
  std::uint32_t count = 100000;
  CLI::App cli("100 000 peers: time and memory");
  cli.add_option("--peers", count);
  CLI11_PARSE(cli, argc, argv);
  auto out = nlohmann::json::array();
  // IKEv2 transform ids (IANA): AES-GCM-16 is 20, AES-CBC 12 with HMAC-SHA1-96 2.
  struct Case {
    const char* name;
    esp::SuiteId suite;
    std::uint16_t encryption, integrity;
  };
  for (const auto& [name, id, encryption, integrity] :
       {Case{"gcm", esp::SuiteId::kAesGcm128, 20, 0}, Case{"cbc", esp::SuiteId::kAes128CbcSha1, 12, 2}}) {
    Tables tables;
    const auto start = resident_bytes();
    std::size_t full = 0, with_second = 0, heap_after_first = 0, heap_after_last = 0;
    double seconds = 0;
    for (int round = 0; round < 3; ++round) {
      const auto begin = app::now();
      tables.install(count, esp::suite(id), encryption, integrity);
      if (tables.pipeline.inbound_sas() != count) return 2;
      const auto installed = seconds_since(begin);
      if (round == 0) {
        full = resident_bytes();
        tables.install(count, esp::suite(id), encryption, integrity, 1);
        with_second = resident_bytes();
      }
      const auto removing = app::now();
      tables.remove();
      seconds = std::max(seconds, installed + seconds_since(removing));
      (round == 0 ? heap_after_first : heap_after_last) = ::mallinfo2().uordblks;
    }
    out.push_back({{"suite", name},
                   {"peers", count},
                   {"seconds", seconds},
                   {"bytes_per_pair", (with_second - full) / count},
                   {"bytes_per_peer", (full - start) / count},
                   {"left_sas", tables.pipeline.inbound_sas() + tables.peers.sa_count()},
                   {"left_peers", tables.peers.all().size()},
                   {"heap_growth", static_cast<std::int64_t>(heap_after_last) -
                                       static_cast<std::int64_t>(heap_after_first)}});
    ::malloc_trim(0);
  }
  std::printf("%s\n", out.dump(1).c_str());
}
