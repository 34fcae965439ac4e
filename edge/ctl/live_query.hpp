#pragma once
// One question whose rows are worked on as they come, until the daemon, the worker or the user ends it.

#include <functional>
#include <optional>

#include "edge/ctl/query.hpp"

namespace sluice::ctl {

struct LiveAnswer {
  vici::Message last;                ///< what ended it; empty when not the daemon did
  std::optional<vici::Error> error;  ///< why there is no such
  bool interrupted = false;          ///< by SIGINT or SIGTERM, which is no error
};

/// `each` gets every row and says whether it wants more.
LiveAnswer ask_live(const Question& question, const std::function<bool(const vici::Message&)>& each);

}  // namespace sluice::ctl
