#pragma once
// Unpredictable initialisation vectors for CBC (RFC 3602 §3) without a system call for each.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/random.hpp"

namespace Botan {
class StreamCipher;
}

namespace sluice::esp {

/// A ChaCha20 key stream that takes its next key from itself: what was handed out cannot be worked out
/// afterwards.
class IvPool {
 public:
  /// Seeds itself from `random`, which it does not keep.
  explicit IvPool(RandomSource& random);
  ~IvPool();

  void fill(MutableBytes iv) {
    if (pool_.size() - at_ < iv.size()) refill();
    std::memcpy(iv.data(), pool_.data() + at_, iv.size());
    at_ += iv.size();
  }

 private:
  void refill();

  static constexpr std::size_t kKeySize = 32;
  std::unique_ptr<Botan::StreamCipher> cipher_;
  std::size_t at_ = 0;
  std::array<std::uint8_t, 4096> pool_{};
};

}  // namespace sluice::esp
