// Hiding (RFC 2661 §4.3) and the Challenge Response (§4.4.3), which share their MD5.

#include <botan/hash.h>

#include <algorithm>
#include <array>
#include <memory>

#include "l2tp/avp.hpp"

namespace sluice::l2tp {
namespace {

constexpr std::size_t kBlock = 16;
using Block = std::array<std::uint8_t, kBlock>;

class Md5 {
 public:
  Md5& add(Bytes bytes) {
    if (!bytes.empty()) hash_->update(bytes.data(), bytes.size());
    return *this;
  }
  Block finish() {
    Block out;
    hash_->final(out.data());
    return out;
  }

 private:
  std::unique_ptr<Botan::HashFunction> hash_ = Botan::HashFunction::create_or_throw("MD5");
};

// b1 = MD5(type + secret + random vector), bi = MD5(secret + c(i-1)); ci = pi xor bi.
void apply(std::uint16_t type, Bytes secret, Bytes random_vector, MutableBytes value, bool revealing) {
  std::uint8_t number[2];
  store_be16(number, type);
  Block pad = Md5().add(number).add(secret).add(random_vector).finish();
  for (std::size_t at = 0; at < value.size(); at += kBlock) {
    const auto part = value.subspan(at, std::min(kBlock, value.size() - at));
    Block cipher{};
    if (revealing) std::copy(part.begin(), part.end(), cipher.begin());
    for (std::size_t i = 0; i < part.size(); ++i) part[i] ^= pad[i];
    if (!revealing) std::copy(part.begin(), part.end(), cipher.begin());
    pad = Md5().add(secret).add(Bytes(cipher).first(part.size())).finish();
  }
}

}  // namespace

void hide(std::uint16_t type, Bytes secret, Bytes random_vector, MutableBytes value) {
  apply(type, secret, random_vector, value, false);
}

void reveal(std::uint16_t type, Bytes secret, Bytes random_vector, MutableBytes value) {
  apply(type, secret, random_vector, value, true);
}

ByteVector challenge_response(std::uint16_t message_type, Bytes secret, Bytes challenge) {
  const std::uint8_t id[1] = {static_cast<std::uint8_t>(message_type)};
  const Block digest = Md5().add(id).add(secret).add(challenge).finish();
  return {digest.begin(), digest.end()};
}

}  // namespace sluice::l2tp
