// link: sluice_esp sluice_app
// Cost of sealing and opening ESP packets, seconds a packet in the column "packet" (median of the rounds).
// Names are engine/suite/direction/bytes/burst/SAs. The SA of each packet is picked at random and prefetched
// as the data plane does. "raw" is the library alone, without ESP around it: what an engine costs beyond that
// is ours.
//   bin/esp_bench --benchmark_filter='(raw|ipsec_mb)/AES_GCM_16_128/.*/64/1/'
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/app/system_random.hpp"
#include "esp/engine.hpp"
#ifdef SLUICE_HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

namespace sluice::esp {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kRing =
    64;  // packets; all are sealed, then all are opened: what one receive call brings
constexpr std::size_t kSlot = 2048;  // bytes of buffer for each

struct Setup {
  std::string engine;
  const Suite* suite = nullptr;
  bool sealing = false;
  std::size_t size = 0;
  std::size_t burst = 0;
  std::size_t sas = 0;
  bool prefetch = true;
};

/// Unlike the mean, it does not count the rounds that something else interrupted.
double median(std::vector<double>& times) {
  if (times.empty()) return 0;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

template <class T>
T or_exit(Result<T, std::string> result) {
  if (!result) {
    std::cerr << result.error() << "\n";
    std::exit(1);
  }
  return std::move(result).value();
}

/// An engine and pairs of SAs; kept from one benchmark to the next where they are alike.
struct World {
  std::string engine_name;
  SuiteId suite;
  std::unique_ptr<Engine> engine;
  std::vector<InboundSaPtr> in;
  std::vector<OutboundSaPtr> out;

  explicit World(const Setup& setup) : engine_name(setup.engine), suite(setup.suite->id) {
    app::SystemRandom random;
    engine = or_exit(make_engine(setup.engine, random));
    ByteVector key(setup.suite->keying_size()), integrity(setup.suite->integrity_key_size);
    for (std::size_t i = 0; i < setup.sas; ++i) {
      random.fill(key);
      random.fill(integrity);
      SaParameters p;
      p.spi = Spi(static_cast<std::uint32_t>(0x10000 + i));
      p.suite = setup.suite;
      p.encryption_key = key;
      p.integrity_key = integrity;
      in.push_back(or_exit(engine->make_inbound(p)));
      out.push_back(or_exit(engine->make_outbound(p)));
    }
  }
  bool fits(const Setup& s) const {
    return engine_name == s.engine && suite == s.suite->id && in.size() == s.sas;
  }
};

World& world_for(const Setup& setup) {
  // Botan's allocator has to be there before the static that uses it, so as to go after it.
  static std::unique_ptr<World> world = std::make_unique<World>(setup);
  if (!world || !world->fits(setup)) {
    world.reset();
    world = std::make_unique<World>(setup);
  }
  return *world;
}

void run(benchmark::State& state, const Setup& setup) {
  World& world = world_for(setup);
  std::mt19937 pick(1);
  ByteVector storage(kRing * kSlot);
  std::vector<SealJob> seals(kRing);
  std::vector<OpenJob> opens(kRing);
  std::vector<double> times;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kRing; ++i) {
      const std::size_t sa = pick() % setup.sas;
      const auto slot = MutableBytes(storage).subspan(i * kSlot, kSlot);
      seals[i].set(*world.out[sa], PacketBuffer::within(slot, 64, setup.size), 17);
      opens[i].sa = world.in[sa].get();
    }
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < kRing; i += setup.burst) {
      const auto burst = std::span(seals).subspan(i, setup.burst);
      if (setup.prefetch && setup.sas > 1) {
        for (const auto& job : burst) job.sa->prefetch();
      }
      world.engine->seal(burst);
    }
    const auto sealed = Clock::now();
    for (std::size_t i = 0; i < kRing; ++i) opens[i].packet = seals[i].packet;
    const auto middle = Clock::now();
    for (std::size_t i = 0; i < kRing; i += setup.burst) {
      const auto burst = std::span(opens).subspan(i, setup.burst);
      if (setup.prefetch && setup.sas > 1) {
        for (const auto& job : burst) job.sa->prefetch(load_be32(job.packet.data() + 4));
      }
      world.engine->open(burst);
    }
    const auto end = Clock::now();
    times.push_back(std::chrono::duration<double>(setup.sealing ? sealed - begin : end - middle).count());
    state.SetIterationTime(times.back());
    for (const auto& job : opens) {
      if (!job.ok()) return state.SkipWithError(std::string(drop_reason_name(job.result)).c_str());
    }
  }
  state.counters["packet"] = median(times) / kRing;
}

void add(const Setup& setup) {
  const std::string name = setup.engine + "/" + std::string(setup.suite->name) + "/" +
                           (setup.sealing ? "seal" : "open") + "/" + std::to_string(setup.size) + "/" +
                           std::to_string(setup.burst) + "/" + std::to_string(setup.sas) +
                           (setup.prefetch ? "" : "/cold");
  benchmark::RegisterBenchmark(name.c_str(), run, setup)->UseManualTime();
}

#ifdef SLUICE_HAVE_IPSEC_MB
/// The job interface on AES-128-GCM with nothing but the fields it reads.
void run_raw(benchmark::State& state, bool sealing, std::size_t size) {
  const std::unique_ptr<IMB_MGR, decltype(&free_mb_mgr)> manager(alloc_mb_mgr(0), &free_mb_mgr);
  IMB_MGR& m = *manager;
  init_mb_mgr_auto(&m, nullptr);
  const std::uint8_t secret[16] = {1, 2, 3}, iv[12] = {}, aad[8] = {};
  std::uint8_t tag[16];
  gcm_key_data key;
  m.gcm128_pre(secret, &key);
  ByteVector storage(kRing * kSlot);
  std::vector<double> times;
  for (auto _ : state) {
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < kRing; ++i) {
      IMB_JOB& job = *m.get_next_job(&m);
      job.enc_keys = job.dec_keys = &key;
      job.key_len_in_bytes = 16;
      job.src = job.dst = storage.data() + i * kSlot + 64;
      job.cipher_start_src_offset_in_bytes = 0;
      job.msg_len_to_cipher_in_bytes = size;
      job.iv = iv;
      job.iv_len_in_bytes = sizeof(iv);
      job.auth_tag_output = tag;
      job.auth_tag_output_len_in_bytes = sizeof(tag);
      job.u.GCM.aad = aad;
      job.u.GCM.aad_len_in_bytes = sizeof(aad);
      job.cipher_mode = IMB_CIPHER_GCM;
      job.hash_alg = IMB_AUTH_AES_GMAC;
      job.cipher_direction = sealing ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
      job.chain_order = sealing ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
      benchmark::DoNotOptimize(m.submit_job_nocheck(&m));
    }
    times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    state.SetIterationTime(times.back());
  }
  state.counters["packet"] = median(times) / kRing;
}

void add_raw() {
  for (const bool sealing : {true, false}) {
    for (const std::size_t size : {std::size_t{64}, std::size_t{512}, std::size_t{1400}}) {
      const std::string name =
          std::string("raw/AES_GCM_16_128/") + (sealing ? "seal/" : "open/") + std::to_string(size) + "/64/1";
      benchmark::RegisterBenchmark(name.c_str(), run_raw, sealing, size)->UseManualTime();
    }
  }
}
#else
void add_raw() {}
#endif

const bool kRegistered = [] {
  add_raw();
  const SuiteId chosen[] = {SuiteId::kAesGcm128,     SuiteId::kAesGcm256,       SuiteId::kChaCha20Poly1305,
                            SuiteId::kAes128CbcSha1, SuiteId::kAes256CbcSha256, SuiteId::kAes256CbcSha512};
  for (const auto engine : {"ipsec_mb", "botan"}) {
    for (const SuiteId id : chosen) {
      const Suite& s = suite(id);
      for (const bool sealing : {true, false}) {
        for (const std::size_t size : {std::size_t{64}, std::size_t{512}, std::size_t{1400}}) {
          add({engine, &s, sealing, size, 64, 1});
          if (s.aead()) continue;
          for (const std::size_t burst : {1, 2, 4, 8, 16, 32}) add({engine, &s, sealing, size, burst, 1});
        }
      }
    }
    for (const SuiteId id : {SuiteId::kAesGcm128, SuiteId::kAes128CbcSha1}) {
      for (const bool sealing : {true, false}) {
        for (const std::size_t sas : {std::size_t{64}, std::size_t{4096}, std::size_t{100000}}) {
          for (const bool prefetch : {true, false})
            add({engine, &suite(id), sealing, 512, 64, sas, prefetch});
        }
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace sluice::esp
