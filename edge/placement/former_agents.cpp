#include "edge/placement/former_agents.hpp"

namespace sluice::edge {

void FormerAgents::remember(const std::string& client, const std::string& agent, Instant now) {
  forget(client);
  entries_.push_front({client, agent, now});
  by_client_[client] = entries_.begin();
  if (entries_.size() <= kMax) return;
  by_client_.erase(entries_.back().client);
  entries_.pop_back();
}

void FormerAgents::forget(const std::string& client) {
  const auto found = by_client_.find(client);
  if (found == by_client_.end()) return;
  entries_.erase(found->second);
  by_client_.erase(found);
}

std::optional<std::string> FormerAgents::of(const std::string& client, Duration keep, Instant now) const {
  const auto found = by_client_.find(client);
  if (found == by_client_.end() || now - found->second->at >= keep) return std::nullopt;
  return found->second->agent;
}

}  // namespace sluice::edge
