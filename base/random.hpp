#pragma once
// Randomness as a seam: cores take a source, tests hand in a seeded one.

#include <cstdint>

#include "base/bytes.hpp"

namespace sluice {

/// Source of unpredictable bytes. The product's fills from the kernel; a test's is seeded and repeatable.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual void fill(MutableBytes out) = 0;

  std::uint32_t u32() {
    std::uint8_t raw[4];
    fill(raw);
    return load_be32(raw);
  }
  std::uint16_t u16() { return static_cast<std::uint16_t>(u32()); }
};

}  // namespace sluice
