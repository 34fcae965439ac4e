// Known answers for every suite, worked out with an independent implementation (Python's cryptography,
// OpenSSL): the ICV covers the ciphertext, so a right one says that both are right.
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "esp/engine.hpp"

namespace sluice::esp {
namespace {

constexpr std::size_t kShort = 64, kLong = 1408;

struct Answer {
  std::string_view short_icv, long_icv;
};
// In the order of SuiteId.
constexpr std::array<Answer, kSuiteCount> kAnswers{{
    {"26da627015963486345fc4efc886e029", "2fd530c0bcfe9202b2cfe365341937d6"},  // kAesGcm128
    {"7ee58154bf0489e7174fbb47eb211963", "c53f4295bfcdf16daf69ee239ab17584"},  // kAesGcm256
    {"59498c220b51ac99386e07484b66923c", "afceb060363f929f6dcea8758b6876c3"},  // kChaCha20Poly1305
    {"0f81148ead9788e65b219245", "a28afd478ce0f6ff3e737d76"},                  // kAes128CbcSha1
    {"8ac784b4262b5a3dec2b2265", "4407558cf58ffafcf275a69d"},                  // kAes192CbcSha1
    {"4a2fca6406503ff3ada07bc7", "d01c3e370c7d9760abb63869"},                  // kAes256CbcSha1
    {"308d4efb4b407cd0d0c3cc81e9c27f9a", "dca2dcb0a1f21bb491132fa70e24d979"},  // kAes128CbcSha256
    {"46a8d890baae5a023b53d13dbf3329be", "d956d204672d4675d260002505be7562"},  // kAes192CbcSha256
    {"a759f70f1b072994100fb46c105776a0", "ac0fd338226b783d0bc8144b1c524a0f"},  // kAes256CbcSha256
    {"a6dde76eb8db8b9119baf8352a184233579c0afa9359e04c",
     "86edf6c3e4a70acac5934663dca13fe8cf3a562c1ab3abee"},  // kAes128CbcSha384
    {"de025a9e051665d8bdc3cdff69bf135b306a7bd869f7d322",
     "2772893a8cf48e55f7188a4ff9c655aff468c50afbe89cf7"},  // kAes192CbcSha384
    {"c86a0a76d01fb29b372a4df9ef0eb62283bfcd895aa1b126",
     "6f6f23feb15a7789878888c972bce64be5c7d95d7e503d0a"},  // kAes256CbcSha384
    {"9a7f067e2bd12e1d6934880b202f343545579fadcd13f0aef47ac3015678cb98",
     "bb657b02933e8b4c625b082bcee6f35eb3aa619d7f11fd7a332893c66fc37162"},  // kAes128CbcSha512
    {"c2108190dc77096f1a0912d9f132f42d6586c102c99331ed968a2c2a52032a9a",
     "23d1d30464727260bcd9ebb924f4ecb37a58dc5ed1f3f71ce004b48e32d9f4ee"},  // kAes192CbcSha512
    {"3785223cbfba56a0bf975f414f0c025fdfc117c9fe0313194becf6e32e7cb6ff",
     "a57208ebf858b055624c112173dfe816fee6a464e7d28ed12ad54d4ae7ff6d80"},  // kAes256CbcSha512
    {"445fea2a9dce38eab590c5f6", "7a32a4f4f68cb18fa282ac8d"},              // kTripleDesCbcSha1
}};

ByteVector counting(std::uint8_t first, std::size_t size) {
  ByteVector out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(first + i);
  return out;
}

struct Sample {
  CryptoJob job;
  ByteVector packet;
  ByteVector plain;
  ByteVector answer;

  Sample(const Suite& s, std::size_t size)
      : packet(kEspHeaderSize + s.iv_size + size + s.icv_size), plain(size) {
    const std::uint8_t header[kEspHeaderSize] = {0, 0, 0x10, 1, 0, 0, 0, 1};
    const auto iv = counting(0xa0, s.aead() ? 12 : s.iv_size);
    std::memcpy(packet.data(), header, sizeof(header));
    std::memcpy(job.nonce, iv.data(), iv.size());
    std::memcpy(packet.data() + kEspHeaderSize, iv.data(), s.iv_size);
    for (std::size_t i = 0; i < size; ++i) plain[i] = static_cast<std::uint8_t>(i * 7 + 3);
    const auto& known = kAnswers[static_cast<std::size_t>(s.id)];
    answer = from_hex(size == kShort ? known.short_icv : known.long_icv).value_or(ByteVector{});
    job.suite = &s;
    job.esp = packet.data();
    job.iv = job.nonce;
    job.aad = packet.data();
    job.aad_length = kEspHeaderSize;
    job.text_offset = kEspHeaderSize + s.iv_size;
    job.text_length = static_cast<std::uint32_t>(size);
    job.mac_length = job.text_offset + job.text_length;
    job.icv = job.text() + size;
    std::memcpy(job.text(), plain.data(), size);
  }
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  Bytes text() const { return {job.text(), job.text_length}; }
  Bytes icv() const { return {job.icv, job.suite->icv_size}; }
};

/// Key state outside any SA.
class LooseKey {
 public:
  LooseKey(SaPool& pool, std::size_t size) : pool_(pool), size_(size), at_(pool.allocate(size)) {}
  LooseKey(const LooseKey&) = delete;
  LooseKey& operator=(const LooseKey&) = delete;
  ~LooseKey() { pool_.release(at_, size_); }
  void* get() const { return at_; }

 private:
  SaPool& pool_;
  std::size_t size_;
  void* at_;
};

}  // namespace

bool Engine::known_answers_hold(const Suite& s) {
  const auto key = counting(0x10, s.key_size);
  const auto integrity = counting(0x80, s.integrity_key_size);
  const LooseKey seal_key(pool_, key_state_size(s, true));
  const LooseKey open_key(pool_, key_state_size(s, false));
  if (!load_key(seal_key.get(), {&s, true, key, integrity})) return false;
  if (!load_key(open_key.get(), {&s, false, key, integrity})) {
    drop_key(seal_key.get(), s);
    return false;
  }
  // One alone, and enough of both sizes at once to fill a multi-buffer engine's lanes unevenly.
  bool good = true;
  for (const std::size_t count : {std::size_t{1}, std::size_t{37}}) {
    std::vector<std::unique_ptr<Sample>> samples;
    std::vector<CryptoJob*> jobs;
    for (std::size_t i = 0; i < count; ++i) {
      samples.push_back(std::make_unique<Sample>(s, i % 3 == 1 ? kLong : kShort));
      jobs.push_back(&samples.back()->job);
      jobs.back()->sealing = true;
      jobs.back()->key = seal_key.get();
    }
    run(jobs);
    for (const auto& sample : samples) {
      good = good && !sample->job.failed && equal(sample->icv(), sample->answer);
      sample->job.sealing = false;
      sample->job.key = open_key.get();
    }
    // The last one is spoilt: an engine that lets it pass is not to be used.
    samples.back()->packet[0] ^= 1;
    run(jobs);
    for (const auto& sample : samples) {
      const bool spoilt = sample == samples.back();
      good = good && !sample->job.failed && sample->job.authentic == !spoilt;
      if (!spoilt) good = good && equal(sample->text(), sample->plain);
    }
  }
  drop_key(seal_key.get(), s);
  drop_key(open_key.get(), s);
  return good;
}

}  // namespace sluice::esp
