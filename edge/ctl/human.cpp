#include "edge/ctl/human.hpp"

#include <array>
#include <string_view>

namespace sluice::ctl {
namespace {

constexpr std::array<std::string_view, 7> kPrefixes{"", "k", "M", "G", "T", "P", "E"};

struct Scaled {
  std::string number;
  std::string_view prefix;
};

/// At most three digits, with one decimal below ten. Integers throughout, so that nothing rounds up to
/// "1000k".
Scaled scale(std::uint64_t value) {
  std::size_t step = 0;
  std::uint64_t unit = 1;
  while (value / unit >= 1000) {
    unit *= 1000;
    ++step;
  }
  const auto whole = value / unit;
  if (step == 0 || whole >= 10) return {std::to_string(whole), kPrefixes[step]};
  const auto tenth = value % unit / (unit / 10);
  return {std::to_string(whole) + "." + std::to_string(tenth), kPrefixes[step]};
}

std::string two_digits(std::uint64_t value) {
  return (value < 10 ? "0" : "") + std::to_string(value);
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  const auto [number, prefix] = scale(bytes);
  return number + " " + std::string(prefix) + "B";
}

std::string count_text(std::uint64_t count) {
  const auto [number, prefix] = scale(count);
  return number + std::string(prefix);
}

std::string duration_text(std::uint64_t seconds) {
  const auto minutes = seconds / 60;
  const auto hours = minutes / 60;
  if (minutes == 0) return std::to_string(seconds) + "s";
  if (hours == 0) return std::to_string(minutes) + "m " + two_digits(seconds % 60) + "s";
  if (hours < 24) return std::to_string(hours) + "h " + two_digits(minutes % 60) + "m";
  return std::to_string(hours / 24) + "d " + std::to_string(hours % 24) + "h";
}

std::string delay_text(std::uint64_t microseconds) {
  if (microseconds < 1000) return std::to_string(microseconds) + "us";
  const bool seconds = microseconds >= 1'000'000;
  const auto tenths = microseconds / (seconds ? 100'000 : 100);
  const std::string unit = seconds ? "s" : "ms";
  if (tenths >= 100) return std::to_string(tenths / 10) + unit;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + unit;
}

std::string permille_text(std::uint64_t permille) {
  if (permille >= 100) return std::to_string(permille / 10) + "%";
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + "%";
}

}  // namespace sluice::ctl
