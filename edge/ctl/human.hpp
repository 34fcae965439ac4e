#pragma once
// Numbers for people. JSON carries them raw.

#include <cstdint>
#include <string>

namespace sluice::ctl {

/// "0 B", "999 B", "1.0 kB", "12 MB": powers of 1000, two significant digits at least.
std::string bytes_text(std::uint64_t bytes);
/// "999", "1.2k", "12M".
std::string count_text(std::uint64_t count);
/// "45s", "12m 05s", "3h 20m", "4d 7h".
std::string duration_text(std::uint64_t seconds);
/// From microseconds: "850us", "1.2ms", "35ms", "1.3s".
std::string delay_text(std::uint64_t microseconds);
/// Of 1000: "0.5%", "37%".
std::string permille_text(std::uint64_t permille);

}  // namespace sluice::ctl
