#pragma once
// What was dropped and why, as one line for the log at most once a minute. Thread: control.

#include <map>
#include <string>

#include "backend-agent/lns/workers.hpp"

namespace sluice::agent {

/// "ppp.wrong-source" and how often, for every reason, over all workers.
std::map<std::string, std::uint64_t> all_drops(const Workers& workers);

class DropReport {
 public:
  /// "ppp.wrong-source:3 l2tp.duplicate:1": the counters that moved since the last call; empty when none did.
  /// Sums over all workers.
  std::string since_last(const Workers& workers);

 private:
  std::map<std::string, std::uint64_t> last_;
};

}  // namespace sluice::agent
