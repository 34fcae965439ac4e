#include "esp/suite.hpp"

#include <array>

#include "esp/packet.hpp"

namespace sluice::esp {
namespace {

// IANA "IKEv2 Transform Attribute Values".
constexpr std::uint16_t kEncr3Des = 3, kEncrNull = 11, kEncrAesCbc = 12, kEncrGcm16 = 20, kEncrChaPoly = 28;
constexpr std::uint16_t kAuthNone = 0, kAuthSha1 = 2, kAuthSha256 = 12, kAuthSha384 = 13, kAuthSha512 = 14;
// strongSwan's "no algorithm": outside IANA's range.
constexpr std::uint16_t kAuthUndefined = 1024;

constexpr Suite aead(SuiteId id, std::string_view name, Cipher cipher, std::uint16_t encr, std::uint8_t key) {
  return {id, name, cipher, Mac::kNone, encr, kAuthNone, key, 4, 0, 8, 16, 4, false};
}

struct MacRow {
  Mac mac;
  std::uint16_t id;
  std::uint8_t key, icv;
};
constexpr MacRow kSha1{Mac::kSha1, kAuthSha1, 20, 12};        // RFC 2404
constexpr MacRow kSha256{Mac::kSha256, kAuthSha256, 32, 16};  // RFC 4868
constexpr MacRow kSha384{Mac::kSha384, kAuthSha384, 48, 24};
constexpr MacRow kSha512{Mac::kSha512, kAuthSha512, 64, 32};

// RFC 3602
constexpr Suite aes_cbc(SuiteId id, std::string_view name, std::uint8_t key, const MacRow& m) {
  return {id, name, Cipher::kAesCbc, m.mac, kEncrAesCbc, m.id, key, 0, m.key, 16, m.icv, 16, false};
}

constexpr std::array<Suite, kSuiteCount> kSuites{{
    aead(SuiteId::kAesGcm128, "AES_GCM_16_128", Cipher::kAesGcm, kEncrGcm16, 16),
    aead(SuiteId::kAesGcm256, "AES_GCM_16_256", Cipher::kAesGcm, kEncrGcm16, 32),
    aead(SuiteId::kChaCha20Poly1305, "CHACHA20_POLY1305", Cipher::kChaCha20Poly1305, kEncrChaPoly, 32),
    aes_cbc(SuiteId::kAes128CbcSha1, "AES_CBC_128/HMAC_SHA1_96", 16, kSha1),
    aes_cbc(SuiteId::kAes192CbcSha1, "AES_CBC_192/HMAC_SHA1_96", 24, kSha1),
    aes_cbc(SuiteId::kAes256CbcSha1, "AES_CBC_256/HMAC_SHA1_96", 32, kSha1),
    aes_cbc(SuiteId::kAes128CbcSha256, "AES_CBC_128/HMAC_SHA2_256_128", 16, kSha256),
    aes_cbc(SuiteId::kAes192CbcSha256, "AES_CBC_192/HMAC_SHA2_256_128", 24, kSha256),
    aes_cbc(SuiteId::kAes256CbcSha256, "AES_CBC_256/HMAC_SHA2_256_128", 32, kSha256),
    aes_cbc(SuiteId::kAes128CbcSha384, "AES_CBC_128/HMAC_SHA2_384_192", 16, kSha384),
    aes_cbc(SuiteId::kAes192CbcSha384, "AES_CBC_192/HMAC_SHA2_384_192", 24, kSha384),
    aes_cbc(SuiteId::kAes256CbcSha384, "AES_CBC_256/HMAC_SHA2_384_192", 32, kSha384),
    aes_cbc(SuiteId::kAes128CbcSha512, "AES_CBC_128/HMAC_SHA2_512_256", 16, kSha512),
    aes_cbc(SuiteId::kAes192CbcSha512, "AES_CBC_192/HMAC_SHA2_512_256", 24, kSha512),
    aes_cbc(SuiteId::kAes256CbcSha512, "AES_CBC_256/HMAC_SHA2_512_256", 32, kSha512),
    // RFC 2451
    {SuiteId::kTripleDesCbcSha1, "3DES_CBC/HMAC_SHA1_96", Cipher::kTripleDesCbc, Mac::kSha1, kEncr3Des,
     kAuthSha1, 24, 0, 20, 8, 12, 8, true},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kSuiteCount; ++i) {
    if (static_cast<std::size_t>(kSuites[i].id) != i) return false;
  }
  return true;
}
static_assert(in_order(), "suite() indexes the table by id");

}  // namespace

std::span<const Suite> suites() {
  return kSuites;
}
const Suite& suite(SuiteId id) {
  return kSuites[static_cast<std::size_t>(id)];
}

Result<const Suite*, std::string> find_suite(std::uint16_t encryption_id, std::uint16_t integrity_id,
                                             std::size_t encryption_key_size,
                                             std::size_t integrity_key_size) {
  if (integrity_id == kAuthUndefined) integrity_id = kAuthNone;
  if (encryption_id == kEncrNull) return Failure{std::string("ESP without encryption (NULL) is refused")};
  bool encryption_known = false;
  bool pair_known = false;
  for (const auto& s : kSuites) {
    if (s.encryption_id != encryption_id) continue;
    encryption_known = true;
    if (s.integrity_id != integrity_id) continue;
    pair_known = true;
    if (s.keying_size() == encryption_key_size && s.integrity_key_size == integrity_key_size) return &s;
  }
  if (!encryption_known) {
    return Failure{"ESP encryption transform " + std::to_string(encryption_id) + " is not supported"};
  }
  if (!pair_known) {
    return Failure{"ESP integrity transform " + std::to_string(integrity_id) +
                   " is not supported with encryption transform " + std::to_string(encryption_id)};
  }
  return Failure{"ESP transforms " + std::to_string(encryption_id) + "/" + std::to_string(integrity_id) +
                 " do not take keys of " + std::to_string(encryption_key_size) + "/" +
                 std::to_string(integrity_key_size) + " bytes"};
}

std::size_t sealed_size(const Suite& suite, std::size_t payload) {
  const std::size_t text = (payload + 2 + suite.alignment - 1) / suite.alignment * suite.alignment;
  return kEspHeaderSize + suite.iv_size + text + suite.icv_size;
}

std::size_t max_payload(const Suite& suite, const Outer& outer) {
  const std::size_t around = (outer.ipv6 ? std::size_t{40} : std::size_t{20}) + (outer.udp ? 8 : 0) +
                             kEspHeaderSize + suite.iv_size + suite.icv_size;
  if (outer.mtu < around + suite.alignment) return 0;
  return (outer.mtu - around) / suite.alignment * suite.alignment - 2;
}

}  // namespace sluice::esp
