#pragma once
#include <cstdint>
#include <random>

#include "base/random.hpp"

namespace sluice::test {

/// Repeatable randomness.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }
  std::uint32_t below(std::uint32_t limit) { return u32() % limit; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace sluice::test
