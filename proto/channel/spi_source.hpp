#pragma once
// SPIs whose low bits name the worker that receives on them (RFC 4301 §4.1 leaves the number to the
// receiver).

#include <bit>
#include <cstdint>
#include <unordered_set>

#include "base/ids.hpp"
#include "base/random.hpp"

namespace sluice::channel {

/// The bits of an SPI that name its worker; `workers` is at least 1. The kernel's steering uses the same
/// mask.
constexpr std::uint32_t worker_mask(std::uint32_t workers) {
  return std::bit_ceil(workers) - 1;
}
/// Which of `workers` receives on `spi`; 0 where the bits name none.
constexpr std::uint32_t worker_of(Spi spi, std::uint32_t workers) {
  const std::uint32_t index = spi.value() & worker_mask(workers);
  return index < workers ? index : 0;
}

/// Gives out inbound SPIs. An SPI stays taken until released.
class SpiSource {
 public:
  virtual ~SpiSource() = default;
  /// An SPI that is free and steers to `worker`.
  virtual Spi allocate(std::uint32_t worker) = 0;
  virtual void release(Spi spi) = 0;
};

/// Random SPIs above the reserved range (1..255, RFC 4303 §2.1). One thread.
class RandomSpiSource final : public SpiSource {
 public:
  RandomSpiSource(std::uint32_t workers, RandomSource& random) : workers_(workers), random_(random) {}
  Spi allocate(std::uint32_t worker) override;
  void release(Spi spi) override { taken_.erase(spi); }
  std::size_t taken() const { return taken_.size(); }

 private:
  std::uint32_t workers_;
  RandomSource& random_;
  std::unordered_set<Spi> taken_;
};

}  // namespace sluice::channel
