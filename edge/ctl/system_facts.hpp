#pragma once
// What of the machine matters to somebody who looks into a fault: the kernel, its limits, addresses and
// routes.

#include <string>
#include <string_view>
#include <vector>

namespace sluice::ctl {

struct SystemFact {
  std::string file;  ///< in the bundle
  std::string text;
  std::string missing;  ///< why there is no text; empty when there is
};

/// Everything that is asked for, those that could not be had too.
std::vector<SystemFact> system_facts();

}  // namespace sluice::ctl
