#ifdef SLUICE_HAVE_IPSEC_MB
#include "esp/ipsec_mb_engine.hpp"

#include <intel-ipsec-mb.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

#include "base/secret.hpp"
#include "esp/prefetch.hpp"

namespace sluice::esp {
namespace {

constexpr std::size_t kRoundKeys = 15 * 16;  // AES-256 has the most
constexpr std::size_t kLargestBlock = 128;   // of SHA-512

struct GcmKey {
  gcm_key_data data;
};

struct alignas(64) CbcKey {
  alignas(16) std::uint8_t round_keys[kRoundKeys];  // of the one direction used
  alignas(16) std::uint8_t inner[64];               // HMAC's two states after the padded key (RFC 2104)
  alignas(16) std::uint8_t outer[64];
};

struct alignas(64) ChaChaKey {
  std::uint8_t key[32];
};

/// Bytes of the library's own part of a key state; 0: it does not do the suite.
std::size_t library_part(const Suite& s) {
  switch (s.cipher) {
    case Cipher::kAesGcm:
      return sizeof(GcmKey);
    case Cipher::kChaCha20Poly1305:
      return sizeof(ChaChaKey);
    case Cipher::kAesCbc:
      return sizeof(CbcKey);
    case Cipher::kTripleDesCbc:
      return 0;
  }
  return 0;
}

// How many CBC jobs of a burst with the same hash fill enough lanes to beat Botan one by one: opening,
// sealing. By tests/bench/esp_bench on AVX-512 with SHA extensions, between 64 and 1400 bytes.
constexpr std::uint8_t kLanesWorthIt[kMacCount][2] = {
    {1, 1},  // AEAD
    {3, 2},  // SHA-1
    {5, 3},  // SHA-256
    {1, 1},  // SHA-384, SHA-512: Botan has no instructions for them either
    {1, 1},
};

// With many SAs the keys come from main memory: fetched this many packets early, about 300 ns.
constexpr std::size_t kAhead = 6;

/// What the library will read of a key for a text of that length.
void prefetch_key(const CryptoJob& job) {
  switch (job.suite->cipher) {
    case Cipher::kAesGcm: {
      // Round keys, and from the end of the table as many powers of the hash key as there are blocks, and a
      // few more.
      const std::size_t powers = std::size_t{16} * (job.text_length / 16 + 4);
      const std::size_t table = offsetof(gcm_key_data, ghash_keys);
      prefetch_lines(job.key, 0, std::size_t{16} * (job.suite->key_size / 4 + 7));
      prefetch_lines(job.key,
                     std::max(table, sizeof(gcm_key_data) - std::min(powers, sizeof(gcm_key_data))) / 64 * 64,
                     sizeof(gcm_key_data));
      break;
    }
    case Cipher::kChaCha20Poly1305:
      prefetch_lines(job.key, 0, sizeof(ChaChaKey));
      break;
    case Cipher::kAesCbc:
      prefetch_lines(job.key, 0, sizeof(CbcKey));
      break;
    case Cipher::kTripleDesCbc:
      break;
  }
}

bool tags_equal(const std::uint8_t* a, const std::uint8_t* b, std::size_t size) {
  std::uint64_t difference = 0;
  for (std::size_t i = 0; i + 4 <= size; i += 4) {  // ICVs are whole words
    std::uint32_t x = 0, y = 0;
    std::memcpy(&x, a + i, 4);
    std::memcpy(&y, b + i, 4);
    difference |= x ^ y;
  }
  return difference == 0;
}

IMB_HASH_ALG hash_of(Mac mac) {
  switch (mac) {
    case Mac::kNone:
      return IMB_AUTH_NULL;
    case Mac::kSha1:
      return IMB_AUTH_HMAC_SHA_1;
    case Mac::kSha256:
      return IMB_AUTH_HMAC_SHA_256;
    case Mac::kSha384:
      return IMB_AUTH_HMAC_SHA_384;
    case Mac::kSha512:
      return IMB_AUTH_HMAC_SHA_512;
  }
  return IMB_AUTH_NULL;
}

/// HMAC's inner or outer state: the hash after one block of the key and a constant.
void hmac_state(IMB_MGR& m, Mac mac, Bytes key, std::uint8_t constant, std::uint8_t* state) {
  std::uint8_t block[kLargestBlock];
  std::memset(block, constant, sizeof(block));
  for (std::size_t i = 0; i < key.size(); ++i) block[i] = static_cast<std::uint8_t>(key[i] ^ constant);
  switch (mac) {
    case Mac::kNone:
      break;
    case Mac::kSha1:
      m.sha1_one_block(block, state);
      break;
    case Mac::kSha256:
      m.sha256_one_block(block, state);
      break;
    case Mac::kSha384:
      m.sha384_one_block(block, state);
      break;
    case Mac::kSha512:
      m.sha512_one_block(block, state);
      break;
  }
  wipe(block);
}

void load_gcm(IMB_MGR& m, void* state, Bytes key) {
  auto* gcm = new (state) GcmKey;
  (key.size() == 16 ? m.gcm128_pre : m.gcm256_pre)(key.data(), &gcm->data);
}

void load_cbc(IMB_MGR& m, void* state, const KeyMaterial& material) {
  auto* cbc = new (state) CbcKey;
  alignas(16) std::uint8_t other[kRoundKeys];
  auto* encrypt = material.sealing ? cbc->round_keys : other;
  auto* decrypt = material.sealing ? other : cbc->round_keys;
  const auto expand = material.encryption.size() == 16   ? m.keyexp_128
                      : material.encryption.size() == 24 ? m.keyexp_192
                                                         : m.keyexp_256;
  expand(material.encryption.data(), encrypt, decrypt);
  wipe(other);
  hmac_state(m, material.suite->mac, material.integrity, 0x36, cbc->inner);
  hmac_state(m, material.suite->mac, material.integrity, 0x5c, cbc->outer);
}

/// Every field that the library reads for these modes; it keeps nothing from a job before.
void fill(IMB_JOB& out, CryptoJob& job) {
  const Suite& s = *job.suite;
  out.enc_keys = job.key;
  out.dec_keys = job.key;
  out.key_len_in_bytes = s.key_size;
  out.src = job.esp;
  out.dst = job.text();
  out.cipher_start_src_offset_in_bytes = job.text_offset;
  out.msg_len_to_cipher_in_bytes = job.text_length;
  out.iv = job.iv;
  out.auth_tag_output = job.sealing ? job.icv : job.scratch;
  out.auth_tag_output_len_in_bytes = s.icv_size;
  out.cipher_direction = job.sealing ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
  out.chain_order = job.sealing ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
  out.user_data = &job;
  if (s.aead()) {
    const bool gcm = s.cipher == Cipher::kAesGcm;
    out.cipher_mode = gcm ? IMB_CIPHER_GCM : IMB_CIPHER_CHACHA20_POLY1305;
    out.hash_alg = gcm ? IMB_AUTH_AES_GMAC : IMB_AUTH_CHACHA20_POLY1305;
    out.iv_len_in_bytes = 12;
    out.hash_start_src_offset_in_bytes = job.text_offset;
    out.msg_len_to_hash_in_bytes = job.text_length;
    out.u.GCM.aad = job.aad;  // the same place in both modes
    out.u.GCM.aad_len_in_bytes = job.aad_length;
    out.u.GCM.ctx = nullptr;
    return;
  }
  const auto& key = *static_cast<const CbcKey*>(job.key);
  out.cipher_mode = IMB_CIPHER_CBC;
  out.hash_alg = hash_of(s.mac);
  out.iv_len_in_bytes = 16;
  out.hash_start_src_offset_in_bytes = 0;
  out.msg_len_to_hash_in_bytes = job.mac_length;
  out.u.HMAC._hashed_auth_key_xor_ipad = key.inner;
  out.u.HMAC._hashed_auth_key_xor_opad = key.outer;
}
static_assert(offsetof(IMB_JOB, u.GCM.aad) == offsetof(IMB_JOB, u.CHACHA20_POLY1305.aad));

void take_back(const IMB_JOB& done) {
  auto& job = *static_cast<CryptoJob*>(done.user_data);
  job.failed = done.status != IMB_STATUS_COMPLETED;
  if (!job.sealing) job.authentic = !job.failed && tags_equal(job.scratch, job.icv, job.suite->icv_size);
}

}  // namespace

void IpsecMbEngine::FreeManager::operator()(IMB_MGR* manager) const {
  free_mb_mgr(manager);
}

Result<std::unique_ptr<Engine>, std::string> IpsecMbEngine::create(RandomSource& random) {
  Manager manager(alloc_mb_mgr(0));
  if (!manager) return Failure{std::string("ipsec-mb: no memory for its manager")};
  IMB_ARCH arch = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager.get(), &arch);
  // Its emulation without AES instructions is slower than Botan.
  if (arch < IMB_ARCH_SSE)
    return Failure{std::string("ipsec-mb: this processor lacks the AES or carry-less multiply instructions")};
  const std::uint64_t tested = IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS;
  if ((manager->features & tested) == IMB_FEATURE_SELF_TEST) {
    return Failure{std::string("ipsec-mb: its own self-test failed on this processor")};
  }
  std::unique_ptr<IpsecMbEngine> engine(new IpsecMbEngine(random, std::move(manager)));
  if (std::none_of(engine->good_.begin(), engine->good_.end(), [](bool good) { return good; })) {
    return Failure{std::string("ipsec-mb: gives a wrong answer for every suite")};
  }
  return std::unique_ptr<Engine>(std::move(engine));
}

IpsecMbEngine::IpsecMbEngine(RandomSource& random, Manager manager)
    : Engine(random), botan_(random, kBotanPlaces), manager_(std::move(manager)) {
  for (const auto& s : suites()) {
    auto& good = good_[static_cast<std::size_t>(s.id)];
    good = library_part(s) > 0;
    good = good && known_answers_hold(s);
  }
  testing_ = false;
}

IpsecMbEngine::~IpsecMbEngine() = default;

std::string_view IpsecMbEngine::backend(const Suite& s) const {
  return good(s) ? name() : botan_.backend(s);
}

// A key state is the library's part, if it does the suite, then Botan's, if Botan may have to.
std::size_t IpsecMbEngine::key_state_size(const Suite& s, bool sealing) const {
  const std::size_t own = good(s) ? library_part(s) : 0;
  return own + (good(s) && s.aead() ? 0 : botan_.key_state_size(s, sealing));
}

void* IpsecMbEngine::botan_key(void* state, const Suite& s) const {
  return static_cast<std::byte*>(state) + (good(s) ? library_part(s) : 0);
}

bool IpsecMbEngine::load_key(void* state, const KeyMaterial& key) {
  const Suite& s = *key.suite;
  if (good(s)) {
    switch (s.cipher) {
      case Cipher::kAesGcm:
        load_gcm(*manager_, state, key.encryption);
        break;
      case Cipher::kChaCha20Poly1305:
        std::memcpy((new (state) ChaChaKey)->key, key.encryption.data(), 32);
        break;
      case Cipher::kAesCbc:
        load_cbc(*manager_, state, key);
        break;
      case Cipher::kTripleDesCbc:
        return false;
    }
    if (s.aead()) return true;
  }
  return botan_.load_key(botan_key(state, s), key);
}

void IpsecMbEngine::drop_key(void* state, const Suite& s) {
  if (!good(s) || !s.aead()) botan_.drop_key(botan_key(state, s), s);
}

void IpsecMbEngine::run(std::span<CryptoJob* const> jobs) {
  std::size_t lanes[kMacCount][2] = {};
  for (const auto* job : jobs) ++lanes[static_cast<std::size_t>(job->suite->mac)][job->sealing ? 1 : 0];
  std::array<CryptoJob*, kBurst> library;
  std::size_t count = 0;
  for (auto* job : jobs) {
    const auto mac = static_cast<std::size_t>(job->suite->mac);
    const std::size_t way = job->sealing ? 1 : 0;
    if (good(*job->suite) && (testing_ || lanes[mac][way] >= kLanesWorthIt[mac][way])) {
      library[count++] = job;
    } else {
      run_botan(*job);
    }
  }
  if (count > 0) run_library({library.data(), count});
}

void IpsecMbEngine::run_botan(CryptoJob& job) {
  void* const own = job.key;
  job.key = botan_key(own, *job.suite);
  CryptoJob* one = &job;
  botan_.run({&one, 1});
  job.key = own;
}

void IpsecMbEngine::run_library(std::span<CryptoJob* const> jobs) {
  IMB_MGR& m = *manager_;
  std::size_t inside = 0;  // AEAD jobs come back at once, CBC jobs when their lanes are full
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (i + kAhead < jobs.size() && jobs[i + kAhead]->key != jobs[i]->key) prefetch_key(*jobs[i + kAhead]);
    fill(*m.get_next_job(&m), *jobs[i]);
    ++inside;
    auto* done = m.submit_job_nocheck(&m);
    while (done != nullptr) {
      take_back(*done);
      done = --inside > 0 ? m.get_completed_job(&m) : nullptr;
    }
  }
  while (inside > 0) {
    auto* done = m.flush_job(&m);
    if (done == nullptr) break;
    take_back(*done);
    --inside;
  }
}

}  // namespace sluice::esp
#endif
