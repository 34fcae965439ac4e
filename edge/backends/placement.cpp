#include "edge/backends/placement.hpp"

#include <algorithm>

namespace sluice::edge {
namespace {

bool may_take(const Candidate& view, std::span<const BackendId> tried) {
  const bool full = view.max_sessions != 0 && view.sessions >= view.max_sessions;
  return view.alive && view.speaks_l2tp && !view.draining && !full &&
         std::find(tried.begin(), tried.end(), view.id) == tried.end();
}

// Compares (sessions + 1) / weight without division: the load each would have with one tunnel more.
bool better(const Candidate& a, const Candidate& b) {
  const auto load_a = (std::uint64_t{a.sessions} + 1) * b.weight;
  const auto load_b = (std::uint64_t{b.sessions} + 1) * a.weight;
  if (load_a != load_b) return load_a < load_b;
  if (a.weight != b.weight) return a.weight > b.weight;
  return a.id < b.id;
}

}  // namespace

std::optional<BackendId> pick_least_loaded(std::span<const Candidate> views,
                                           std::span<const BackendId> tried) {
  const Candidate* best = nullptr;
  for (const auto& view : views) {
    if (may_take(view, tried) && (best == nullptr || better(view, *best))) best = &view;
  }
  if (best == nullptr) return std::nullopt;
  return best->id;
}

}  // namespace sluice::edge
