#pragma once
// One family of a metrics page, as a row of a constexpr catalogue. Names follow Prometheus' habits: base
// units (_seconds, _bytes, _ratio), _total for counters.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::metrics {

enum class Kind : std::uint8_t { kCounter, kGauge, kHistogram };

constexpr std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      return "histogram";
  }
  return "?";
}

struct Family {
  std::string_view name;
  Kind kind = Kind::kGauge;
  std::array<std::string_view, 3> labels{};  ///< from the left; empty ones are none
  std::string_view help;                     ///< with its unit

  constexpr std::size_t label_count() const {
    std::size_t count = 0;
    while (count < labels.size() && !labels[count].empty()) ++count;
    return count;
  }
};

/// The row of that name; a name that is not there does not compile.
template <std::size_t N>
consteval const Family& row_of(const Family (&catalogue)[N], std::string_view name) {
  for (const auto& family : catalogue) {
    if (family.name == name) return family;
  }
  throw "no family of that name is in the catalogue";
}

}  // namespace sluice::metrics
