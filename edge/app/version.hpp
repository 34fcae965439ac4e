#pragma once
#include <string_view>

namespace sluice::edge {

/// As CMake's project() has it.
inline constexpr std::string_view kVersion = SLUICE_VERSION;

}  // namespace sluice::edge
