#include "ppp/mschap.hpp"

#include <botan/block_cipher.h>
#include <botan/hash.h>

#include <algorithm>

#include "base/secret.hpp"

namespace sluice::ppp {
namespace {

using Sha1 = std::array<std::uint8_t, 20>;

/// RFC 2759 §8.7.
constexpr std::string_view kMagic1 = "Magic server to client signing constant";
constexpr std::string_view kMagic2 = "Pad to make it do more than one iteration";

template <std::size_t N>
std::array<std::uint8_t, N> hash_of(const char* name, std::initializer_list<Bytes> parts) {
  static_assert(N == 16 || N == 20);
  const auto hash = Botan::HashFunction::create_or_throw(name);
  for (const Bytes part : parts) hash->update(part.data(), part.size());
  std::array<std::uint8_t, N> out;
  hash->final(out.data());
  return out;
}

/// UTF-8 to UTF-16LE; nothing at an ill-formed, overlong or surrogate sequence.
std::optional<Secret> to_utf16le(std::string_view utf8) {
  Secret out(utf8.size() * 2);  // no sequence of UTF-8 grows by more
  std::size_t size = 0;
  const auto put = [&](std::uint32_t unit) {
    out.mutable_bytes()[size++] = static_cast<std::uint8_t>(unit);
    out.mutable_bytes()[size++] = static_cast<std::uint8_t>(unit >> 8);
  };
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<std::uint8_t>(utf8[i++]);
    const unsigned more = lead < 0x80                   ? 0
                          : lead >= 0xc2 && lead < 0xe0 ? 1
                          : lead >= 0xe0 && lead < 0xf0 ? 2
                          : lead >= 0xf0 && lead < 0xf5 ? 3
                                                        : 4;
    if (more == 4 || utf8.size() - i < more) return std::nullopt;
    std::uint32_t point = more == 0 ? lead : lead & (0x3fU >> more);
    for (unsigned k = 0; k < more; ++k) {
      const auto next = static_cast<std::uint8_t>(utf8[i++]);
      if ((next & 0xc0U) != 0x80) return std::nullopt;
      point = (point << 6) | (next & 0x3fU);
    }
    const bool overlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
    if (overlong || (point >= 0xd800 && point < 0xe000) || point > 0x10ffff) return std::nullopt;
    if (point < 0x10000) {
      put(point);
    } else {
      put(0xd800 + ((point - 0x10000) >> 10));
      put(0xdc00 + ((point - 0x10000) & 0x3ff));
    }
  }
  return Secret(Bytes(out.bytes().first(size)));
}

std::string_view without_domain(std::string_view user) {
  const auto at = user.rfind('\\');
  return at == std::string_view::npos ? user : user.substr(at + 1);
}

/// 56 bits spread over eight octets, seven in each, as DES wants them (RFC 2759 §8.6).
std::array<std::uint8_t, 8> des_key(Bytes seven) {
  std::uint64_t bits = 0;
  for (const std::uint8_t b : seven) bits = (bits << 8) | b;
  std::array<std::uint8_t, 8> key;
  for (unsigned i = 0; i < 8; ++i) {
    key[i] = static_cast<std::uint8_t>(((bits >> (49 - 7 * i)) & 0x7f) << 1);
  }
  return key;
}

}  // namespace

std::optional<NtHash> nt_hash(std::string_view utf8_password) {
  const auto utf16 = to_utf16le(utf8_password);
  if (!utf16) return std::nullopt;
  return hash_of<16>("MD4", {utf16->bytes()});
}

std::array<std::uint8_t, 8> challenge_hash(const MsChallenge& peer, const MsChallenge& authenticator,
                                           std::string_view user) {
  const Sha1 digest = hash_of<20>("SHA-1", {peer, authenticator, as_bytes(without_domain(user))});
  std::array<std::uint8_t, 8> out;
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

NtResponse challenge_response(const std::array<std::uint8_t, 8>& challenge, const NtHash& hash) {
  std::array<std::uint8_t, 21> padded{};
  std::copy(hash.begin(), hash.end(), padded.begin());
  NtResponse out;
  const auto des = Botan::BlockCipher::create_or_throw("DES");
  for (std::size_t i = 0; i < 3; ++i) {
    auto key = des_key(Bytes(padded).subspan(i * 7, 7));
    des->set_key(key.data(), key.size());
    des->encrypt(challenge.data(), out.data() + i * 8);
    wipe(key);
  }
  wipe(padded);
  return out;
}

NtResponse nt_response(const MsChallenge& authenticator, const MsChallenge& peer, std::string_view user,
                       const NtHash& hash) {
  return challenge_response(challenge_hash(peer, authenticator, user), hash);
}

std::string authenticator_response(const NtHash& hash, const NtResponse& response, const MsChallenge& peer,
                                   const MsChallenge& authenticator, std::string_view user) {
  auto hash_hash = hash_of<16>("MD4", {hash});
  const Sha1 first = hash_of<20>("SHA-1", {hash_hash, response, as_bytes(kMagic1)});
  wipe(hash_hash);
  const Sha1 digest =
      hash_of<20>("SHA-1", {first, challenge_hash(peer, authenticator, user), as_bytes(kMagic2)});
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out = "S=";
  for (const std::uint8_t b : digest) {
    out += kDigits[b >> 4];
    out += kDigits[b & 0x0f];
  }
  return out;
}

}  // namespace sluice::ppp
