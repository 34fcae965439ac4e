#pragma once
// sluicectl without the process around it.

#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "edge/ctl/table.hpp"

namespace sluice::ctl {

inline constexpr const char* kDefaultSocket = "/run/sluice/edge.sock";

/// What scripts may rely on (docs/operations-socket.md).
enum ExitCode : int {
  kOk = 0,
  kFailed = 1,       ///< the daemon refused, or does not know the command
  kUsage = 2,        ///< the command line is wrong
  kUnreachable = 3,  ///< no daemon answers there
  kPartial = 4,      ///< something was shown, something is missing
};

struct Surroundings {
  std::ostream& out;
  std::ostream& error;
  Terminal terminal;                    ///< of `out`
  std::string socket_from_environment;  ///< SLUICE_SOCKET; empty if unset
  std::istream* in = nullptr;           ///< a person's answers; none where nobody can be asked
};

/// `words` without the program's name.
int run(std::vector<std::string> words, const Surroundings& surroundings);

}  // namespace sluice::ctl
