#include "edge/journal/entry.hpp"

#include <array>

namespace sluice::edge {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(JournalKind::kCount)> kNames{
    "ike-packet",    "ike-failed", "ike-up",  "ike-down",  "child-up",     "moved",
    "agent-refused", "placed",     "refused", "tunnel-up", "session-open", "session-up",
    "session-down",  "closing",    "ending",  "closed",    "resumed",      "gone",
    "agent-up",      "agent-down", "drain",   "notice"};

}  // namespace

std::string_view name_of(JournalKind kind) {
  const auto at = static_cast<std::size_t>(kind);
  return at < kNames.size() ? kNames[at] : "unknown";
}

std::optional<JournalKind> journal_kind(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<JournalKind>(i);
  }
  return std::nullopt;
}

std::string_view JournalEntry::detail(std::string_view key) const {
  for (const auto& [name, value] : details) {
    if (name == key) return value;
  }
  return {};
}

std::string_view client_part(std::string_view correlation) {
  return correlation.substr(0, correlation.rfind('-'));
}

}  // namespace sluice::edge
