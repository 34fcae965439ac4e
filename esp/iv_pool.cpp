#include "esp/iv_pool.hpp"

#include <botan/stream_cipher.h>

#include "base/secret.hpp"

namespace sluice::esp {

IvPool::IvPool(RandomSource& random) : cipher_(Botan::StreamCipher::create_or_throw("ChaCha(20)")) {
  random.fill(MutableBytes(pool_).first(kKeySize));
  refill();
}

IvPool::~IvPool() {
  wipe(pool_);
}

void IvPool::refill() {
  const std::array<std::uint8_t, 12> nonce{};
  cipher_->set_key(pool_.data(), kKeySize);
  cipher_->set_iv(nonce.data(), nonce.size());
  cipher_->write_keystream(pool_.data(), pool_.size());
  at_ = kKeySize;
}

}  // namespace sluice::esp
