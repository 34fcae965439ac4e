#pragma once
// RFC 1952, by zlib.

#include <optional>

#include "base/bytes.hpp"

namespace sluice::ctl {

/// Nothing when there is not enough memory.
std::optional<ByteVector> gzip(Bytes plain);

}  // namespace sluice::ctl
