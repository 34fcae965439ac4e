#pragma once
// An archive of a few small files, as tar(1) unpacks it: POSIX.1-1988 ustar.

#include <span>
#include <string>

#include "base/secret.hpp"

namespace sluice::ctl {

struct TarEntry {
  std::string name;  ///< at most 99 bytes
  Bytes content;
  unsigned mode = 0600;
  std::string owner,
      group;  ///< at most 31 bytes; whoever unpacks as root has them looked up, root where there is none
};

/// `made_at` in seconds since the epoch is every entry's.
Secret tar_of(std::span<const TarEntry> entries, std::uint64_t made_at);

}  // namespace sluice::ctl
