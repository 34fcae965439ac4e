#include "proto/channel/spi_source.hpp"

namespace sluice::channel {

Spi RandomSpiSource::allocate(std::uint32_t worker) {
  constexpr std::uint32_t kReserved = 255;
  const std::uint32_t mask = worker_mask(workers_);
  while (true) {
    const Spi spi((random_.u32() & ~mask) | (worker & mask));
    if (spi.value() > kReserved && taken_.insert(spi).second) return spi;
  }
}

}  // namespace sluice::channel
