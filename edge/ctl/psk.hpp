#pragma once
// A pre-shared key to hand to users: strong, and one can read it out and type it on a telephone.

#include "base/random.hpp"
#include "base/secret.hpp"

namespace sluice::ctl {

/// 140 random bits as seven groups of four characters out of 32, without those that look alike.
Secret generate_psk(RandomSource& random);

}  // namespace sluice::ctl
