#pragma once
#include "base/random.hpp"

namespace sluice::app {

/// getrandom(2). Any thread.
class SystemRandom final : public RandomSource {
 public:
  void fill(MutableBytes out) override;
};

}  // namespace sluice::app
