#include "esp/botan_engine.hpp"

#include <botan/cipher_mode.h>
#include <botan/ghash.h>
#include <botan/mac.h>
#include <botan/stream_cipher.h>

#include <bit>
#include <cassert>
#include <cstring>
#include <string>

#include "base/secret.hpp"
#include "esp/prefetch.hpp"

namespace sluice::esp {

/// Built from their parts instead of Botan's AEAD objects: those take the last part of a message in a vector
/// of their own and answer a forged packet with an exception, which a flood of them would make expensive.
struct BotanWorker {
  virtual ~BotanWorker() = default;
  virtual void key(Bytes encryption, Bytes integrity) = 0;
  virtual void seal(CryptoJob& job) = 0;
  virtual void open(CryptoJob& job) = 0;

  std::uint64_t serial = 0;  ///< of the key it holds
};

namespace {

constexpr std::size_t kBlock = 16;
constexpr std::size_t kLargestDigest = 64;

std::string aes_name(const Suite& s) {
  return "AES-" + std::to_string(s.key_size * 8);
}

/// RFC 4106 with NIST SP 800-38D for 96-bit nonces.
class GcmWorker final : public BotanWorker {
 public:
  explicit GcmWorker(const Suite& s)
      : ctr_(Botan::StreamCipher::create_or_throw("CTR-BE(" + aes_name(s) + ",4)")) {}

  void key(Bytes encryption, Bytes) override {
    ctr_->set_key(encryption.data(), encryption.size());
    std::uint8_t hash_key[kBlock] = {};
    ctr_->set_iv(hash_key, kBlock);
    ctr_->cipher1(hash_key, kBlock);
    ghash_.set_key(hash_key, kBlock);
    wipe(hash_key);
  }
  void seal(CryptoJob& job) override {
    begin(job);
    ctr_->cipher1(job.text(), job.text_length);
    end(job, job.icv);
  }
  void open(CryptoJob& job) override {
    begin(job);
    std::uint8_t tag[kBlock];
    end(job, tag);
    job.authentic = equal_constant_time(tag, {job.icv, kBlock});
    if (job.authentic) ctr_->cipher1(job.text(), job.text_length);
  }

 private:
  void begin(const CryptoJob& job) {
    std::uint8_t counter[kBlock] = {};
    std::memcpy(counter, job.iv, 12);
    counter[15] = 1;
    std::uint8_t mask[kBlock] = {};
    ctr_->set_iv(counter, kBlock);
    ctr_->cipher1(mask, kBlock);
    ghash_.set_associated_data(job.aad, job.aad_length);
    ghash_.start(mask, kBlock);
  }
  void end(const CryptoJob& job, std::uint8_t* tag) {
    ghash_.update(job.text(), job.text_length);
    ghash_.final(tag, kBlock);
  }

  std::unique_ptr<Botan::StreamCipher> ctr_;
  Botan::GHASH ghash_;
};

/// RFC 7634 with RFC 8439 §2.8.
class ChaChaWorker final : public BotanWorker {
 public:
  explicit ChaChaWorker(const Suite&)
      : chacha_(Botan::StreamCipher::create_or_throw("ChaCha(20)")),
        poly_(Botan::MessageAuthenticationCode::create_or_throw("Poly1305")) {}

  void key(Bytes encryption, Bytes) override { chacha_->set_key(encryption.data(), encryption.size()); }
  void seal(CryptoJob& job) override {
    begin(job);
    chacha_->cipher1(job.text(), job.text_length);
    end(job, job.icv);
  }
  void open(CryptoJob& job) override {
    begin(job);
    std::uint8_t tag[kBlock];
    end(job, tag);
    job.authentic = equal_constant_time(tag, {job.icv, kBlock});
    if (job.authentic) chacha_->cipher1(job.text(), job.text_length);
  }

 private:
  void begin(const CryptoJob& job) {
    std::uint8_t first[64] = {};  // the whole first block goes to the one-time key
    chacha_->set_iv(job.iv, 12);
    chacha_->cipher1(first, sizeof(first));
    poly_->set_key(first, 32);
    wipe(first);
    poly_->update(job.aad, job.aad_length);
    pad(job.aad_length);
  }
  void end(const CryptoJob& job, std::uint8_t* tag) {
    poly_->update(job.text(), job.text_length);
    pad(job.text_length);
    std::uint8_t lengths[kBlock] = {};  // little-endian 64-bit numbers
    lengths[0] = job.aad_length;
    for (std::size_t i = 0; i < 4; ++i)
      lengths[8 + i] = static_cast<std::uint8_t>(job.text_length >> (8 * i));
    poly_->update(lengths, kBlock);
    poly_->final(tag);
  }
  void pad(std::size_t length) {
    const std::uint8_t zeros[kBlock] = {};
    if (length % kBlock != 0) poly_->update(zeros, kBlock - length % kBlock);
  }

  std::unique_ptr<Botan::StreamCipher> chacha_;
  std::unique_ptr<Botan::MessageAuthenticationCode> poly_;
};

std::string hmac_name(Mac mac) {
  switch (mac) {
    case Mac::kNone:
      break;
    case Mac::kSha1:
      return "HMAC(SHA-1)";
    case Mac::kSha256:
      return "HMAC(SHA-256)";
    case Mac::kSha384:
      return "HMAC(SHA-384)";
    case Mac::kSha512:
      return "HMAC(SHA-512)";
  }
  return {};
}

/// Encrypt, then MAC (RFC 4303 §3.3.2).
class CbcWorker final : public BotanWorker {
 public:
  CbcWorker(const Suite& s, bool sealing)
      : mode_(Botan::Cipher_Mode::create_or_throw(
            (s.cipher == Cipher::kTripleDesCbc ? std::string("TripleDES") : aes_name(s)) + "/CBC/NoPadding",
            sealing ? Botan::ENCRYPTION : Botan::DECRYPTION)),
        mac_(Botan::MessageAuthenticationCode::create_or_throw(hmac_name(s.mac))) {}

  void key(Bytes encryption, Bytes integrity) override {
    mode_->set_key(encryption.data(), encryption.size());
    mac_->set_key(integrity.data(), integrity.size());
  }
  void seal(CryptoJob& job) override {
    // With ESN the last four bytes under the MAC are the high half, which lies where the ICV goes.
    cipher(job);
    std::uint8_t digest[kLargestDigest];
    mac(job, digest);
    std::memcpy(job.icv, digest, job.suite->icv_size);
  }
  void open(CryptoJob& job) override {
    std::uint8_t digest[kLargestDigest];
    mac(job, digest);
    const std::size_t size = job.suite->icv_size;
    job.authentic = equal_constant_time({digest, size}, {job.icv, size});
    if (job.authentic) cipher(job);
  }

 private:
  void cipher(const CryptoJob& job) {
    mode_->start(job.iv, job.suite->iv_size);
    mode_->process(job.text(), job.text_length);
  }
  void mac(const CryptoJob& job, std::uint8_t* digest) {
    mac_->update(job.esp, job.mac_length);
    mac_->final(digest);
  }

  std::unique_ptr<Botan::Cipher_Mode> mode_;
  std::unique_ptr<Botan::MessageAuthenticationCode> mac_;
};

std::unique_ptr<BotanWorker> make_worker(const Suite& s, bool sealing) {
  switch (s.cipher) {
    case Cipher::kAesGcm:
      return std::make_unique<GcmWorker>(s);
    case Cipher::kChaCha20Poly1305:
      return std::make_unique<ChaChaWorker>(s);
    case Cipher::kAesCbc:
    case Cipher::kTripleDesCbc:
      return std::make_unique<CbcWorker>(s, sealing);
  }
  return nullptr;
}

}  // namespace

/// What an SA keeps. The serial is never used twice, so a place can tell whose key it holds.
struct BotanEngine::Key {
  std::uint64_t serial;
  const Suite* suite;
  bool sealing;
  std::uint8_t encryption[32];
  std::uint8_t integrity[64];
};

BotanEngine::BotanEngine(RandomSource& random, std::size_t places)
    : Engine(random), places_(std::bit_ceil(places)) {
  for (const auto& s : suites()) good_[static_cast<std::size_t>(s.id)] = known_answers_hold(s);
}

BotanEngine::~BotanEngine() = default;

std::string_view BotanEngine::backend(const Suite& suite) const {
  return good_[static_cast<std::size_t>(suite.id)] ? name() : std::string_view{};
}

std::size_t BotanEngine::key_state_size(const Suite&, bool) const {
  return sizeof(Key);
}

bool BotanEngine::load_key(void* state, const KeyMaterial& material) {
  auto* key = new (state) Key{};
  assert(material.encryption.size() <= sizeof(key->encryption) &&
         material.integrity.size() <= sizeof(key->integrity));
  key->serial = ++kind(material.suite->id, material.sealing).last_serial;
  key->suite = material.suite;
  key->sealing = material.sealing;
  std::memcpy(key->encryption, material.encryption.data(), material.encryption.size());
  if (!material.integrity.empty())
    std::memcpy(key->integrity, material.integrity.data(), material.integrity.size());
  return true;
}

void BotanEngine::drop_key(void* state, const Suite&) {
  const auto& key = *static_cast<const Key*>(state);
  auto& table = kind(key.suite->id, key.sealing).table;
  if (table.empty()) return;
  auto& place = table[key.serial & (places_ - 1)];
  if (place && place->serial == key.serial) place.reset();  // Botan wipes what it frees
}

BotanWorker& BotanEngine::keyed(const Key& key) {
  const Suite& s = *key.suite;
  auto& table = kind(s.id, key.sealing).table;
  if (table.empty()) table.resize(places_);
  auto& place = table[key.serial & (places_ - 1)];
  if (!place) place = make_worker(s, key.sealing);
  if (place->serial != key.serial) {
    place->key({key.encryption, s.key_size}, {key.integrity, s.integrity_key_size});
    place->serial = key.serial;
  }
  return *place;
}

/// A step of the way to what keyed() will want: first the place, later what lies there.
void BotanEngine::prefetch(const CryptoJob& job, bool worker) {
  const Key& key = *static_cast<const Key*>(job.key);
  const auto& table = kind(key.suite->id, key.sealing).table;
  if (table.empty()) return;
  const auto& place = table[key.serial & (places_ - 1)];
  if (worker) {
    prefetch_line(place.get());
  } else {
    prefetch_line(&place);
  }
}

void BotanEngine::run(std::span<CryptoJob* const> jobs) {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (i + 4 < jobs.size()) prefetch_line(jobs[i + 4]->key);
    if (i + 3 < jobs.size()) prefetch(*jobs[i + 3], false);
    if (i + 2 < jobs.size()) prefetch(*jobs[i + 2], true);
    CryptoJob& job = *jobs[i];
    BotanWorker& worker = keyed(*static_cast<const Key*>(job.key));
    if (job.sealing) {
      worker.seal(job);
    } else {
      worker.open(job);
    }
    job.failed = false;
  }
}

}  // namespace sluice::esp
