#pragma once
// One question to the daemon, asked and answered before the call returns.

#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "vici/error.hpp"
#include "vici/message.hpp"

namespace sluice::ctl {

struct Question {
  std::string uri;  ///< of the operations socket
  std::string command;
  std::string event;  ///< under which rows are streamed; empty for commands that stream nothing
  vici::Message arguments;
  Duration timeout = std::chrono::seconds(5);  ///< the longest silence
};

struct Answer {
  std::vector<vici::Message> rows;
  vici::Message last;                ///< what ended it
  std::optional<vici::Error> error;  ///< with it, `rows` is what came before
};

Answer ask(const Question& question);

}  // namespace sluice::ctl
