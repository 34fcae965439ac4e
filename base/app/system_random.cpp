#include "base/app/system_random.hpp"

#include <sys/random.h>

#include <cstdlib>

namespace sluice::app {

void SystemRandom::fill(MutableBytes out) {
  while (!out.empty()) {
    const auto got = getrandom(out.data(), out.size(), 0);
    // Without randomness no key, id or challenge may be made: there is nothing sensible to go on with.
    if (got <= 0) std::abort();
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace sluice::app
