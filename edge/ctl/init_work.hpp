#pragma once
// Carries out a plan of `sluicectl init`: CA, certificates, keys, configuration, an archive for each agent's
// machine.

#include <filesystem>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "edge/ctl/init_plan.hpp"
#include "edge/ctl/new_files.hpp"

namespace sluice::ctl {

struct InitOutcome {
  std::filesystem::path folder;
  std::vector<NewFile> files;  ///< as written; their text is wiped
  Secret psk;
  std::vector<NewUser> users;
  bool all_owned = false;  ///< each daemon owns its secrets already
};

/// Where the packages' units look.
inline constexpr const char* kUsualFolder = "/etc/sluice";

/// One thing to do by hand.
struct InitStep {
  std::string machine;  ///< the edge's or an agent's name
  std::string command;  ///< to be typed where `init` ran, as root
  std::string why;
};

/// Makes everything or nothing; errors say what was in the way. The plan has no fault, the folder is
/// absolute.
Result<InitOutcome, std::string> carry_out(const InitPlan& plan, const std::filesystem::path& folder,
                                           RandomSource& random);

std::vector<InitStep> next_steps(const InitPlan& plan, const InitOutcome& outcome);

}  // namespace sluice::ctl
