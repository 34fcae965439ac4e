#include "ppp/mppe.hpp"

#include <botan/hash.h>

#include <algorithm>
#include <array>

namespace sluice::ppp {
namespace {

constexpr std::size_t kMasterKey = 16, kSha1 = 20, kPad = 40;
/// RFC 3079 §3.4.
constexpr std::string_view kMagic1 = "This is the MPPE Master Key";
constexpr std::string_view kMagic2 =
    "On the client side, this is the send key; on the server side, it is the receive key.";
constexpr std::string_view kMagic3 =
    "On the client side, this is the receive key; on the server side, it is the send key.";

Secret truncated_sha1(std::initializer_list<Bytes> parts, std::size_t size) {
  const auto hash = Botan::HashFunction::create_or_throw("SHA-1");
  for (const Bytes part : parts) hash->update(part.data(), part.size());
  std::array<std::uint8_t, kSha1> digest;
  hash->final(digest.data());
  Secret out(Bytes(digest).first(size));
  wipe(digest);
  return out;
}

}  // namespace

Secret mppe_master_key(const NtHash& hash, const NtResponse& response) {
  const auto md4 = Botan::HashFunction::create_or_throw("MD4");
  md4->update(hash.data(), hash.size());
  std::array<std::uint8_t, 16> hash_hash;
  md4->final(hash_hash.data());
  Secret out = truncated_sha1({hash_hash, response, as_bytes(kMagic1)}, kMasterKey);
  wipe(hash_hash);
  return out;
}

Secret mppe_start_key(const Secret& master, std::size_t size, bool sending, MppeSide side) {
  std::array<std::uint8_t, kPad> zeros{}, f2;
  f2.fill(0xf2);
  const std::string_view magic = sending == (side == MppeSide::kServer) ? kMagic3 : kMagic2;
  return truncated_sha1({master.bytes(), zeros, as_bytes(magic), f2}, std::min(size, kMasterKey));
}

}  // namespace sluice::ppp
