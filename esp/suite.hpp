#pragma once
// The table of cipher suites for ESP: which transforms, which sizes.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sluice::esp {

enum class SuiteId : std::uint8_t {
  kAesGcm128,
  kAesGcm256,
  kChaCha20Poly1305,
  kAes128CbcSha1,
  kAes192CbcSha1,
  kAes256CbcSha1,
  kAes128CbcSha256,
  kAes192CbcSha256,
  kAes256CbcSha256,
  kAes128CbcSha384,
  kAes192CbcSha384,
  kAes256CbcSha384,
  kAes128CbcSha512,
  kAes192CbcSha512,
  kAes256CbcSha512,
  kTripleDesCbcSha1,
  kCount
};
inline constexpr std::size_t kSuiteCount = static_cast<std::size_t>(SuiteId::kCount);

enum class Cipher : std::uint8_t { kAesGcm, kChaCha20Poly1305, kAesCbc, kTripleDesCbc };
enum class Mac : std::uint8_t { kNone, kSha1, kSha256, kSha384, kSha512 };
inline constexpr std::size_t kMacCount = 5;

/// All sizes in bytes.
struct Suite {
  SuiteId id;
  std::string_view name;  ///< as charon prints it: "AES_CBC_128/HMAC_SHA1_96"
  Cipher cipher;
  Mac mac;                      ///< kNone with an AEAD
  std::uint16_t encryption_id;  ///< IKEv2 transform type 1
  std::uint16_t integrity_id;   ///< IKEv2 transform type 3; 0 with an AEAD
  std::uint8_t key_size;        ///< without salt
  std::uint8_t salt_size;       ///< follows the key in keying material (RFC 4106 §8.1, RFC 7634 §2)
  std::uint8_t integrity_key_size;
  std::uint8_t iv_size;  ///< in the packet
  std::uint8_t icv_size;
  std::uint8_t alignment;  ///< of the ciphertext: cipher block, at least 4 (RFC 4303 §2.4)
  bool weak;               ///< allowed only where a profile says so

  bool aead() const { return mac == Mac::kNone; }
  /// Bytes the cipher's key takes in keying material, salt included.
  std::size_t keying_size() const { return std::size_t{key_size} + salt_size; }
};

std::span<const Suite> suites();
const Suite& suite(SuiteId id);

/// The suite for IKEv2 transform ids and key sizes as an IKE daemon hands them over: the encryption key with
/// its salt, integrity id and size 0 (or charon's 1024, undefined) with an AEAD. The error says which part is
/// not supported; NULL encryption is refused like anything unknown.
Result<const Suite*, std::string> find_suite(std::uint16_t encryption_id, std::uint16_t integrity_id,
                                             std::size_t encryption_key_size, std::size_t integrity_key_size);

/// What lies around the ESP packet on the wire.
struct Outer {
  std::uint32_t mtu = 1500;
  bool ipv6 = false;
  bool udp = true;  ///< RFC 3948; else IP protocol 50
};
/// Bytes of a sealed packet, ESP header to ICV, for a payload of that size.
std::size_t sealed_size(const Suite& suite, std::size_t payload);
/// The largest payload (in transport mode: from the UDP header on) whose outer packet fits; 0 if none does.
std::size_t max_payload(const Suite& suite, const Outer& outer);

}  // namespace sluice::esp
