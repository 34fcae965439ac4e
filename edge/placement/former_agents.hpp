#pragma once
// Which agent a client had lately, so that it returns there: the agent may still hold its address. Bounded;
// no clock. Thread: control.

#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/time.hpp"

namespace sluice::edge {

class FormerAgents {
 public:
  /// The longest untouched is forgotten beyond this many.
  static constexpr std::size_t kMax = 65536;

  void remember(const std::string& client, const std::string& agent, Instant now);
  void forget(const std::string& client);
  /// Nothing once `keep` has passed since it was remembered.
  std::optional<std::string> of(const std::string& client, Duration keep, Instant now) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string client, agent;
    Instant at;
  };
  std::list<Entry> entries_;  // the latest first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_client_;
};

}  // namespace sluice::edge
