#pragma once
// `sluicectl explain placement`, `sluicectl drain`, `sluicectl drains` and `sluicectl ready`.

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "edge/ctl/commands.hpp"
#include "edge/ctl/query.hpp"
#include "edge/ctl/views.hpp"

namespace sluice::ctl {

/// What was typed behind those commands.
struct PlacementWords {
  std::string identity, listener, client, host;
  std::string agent;     ///< empty: the edge
  std::string deadline;  ///< "90", "90s", "5m", "2h"; empty: none
  std::uint32_t kick_rate = 10;
  bool undo = false, wait = false;
};

/// How they talk to the daemon and to the user.
struct Conversation {
  std::function<Answer(const std::string& command, const std::string& event, vici::Message arguments)> ask;
  std::function<int(const vici::Error&)> complain;  ///< gives the exit code
  std::function<void(const Table&, const std::string& what)> show;
  bool json = false;
  const Surroundings& to;
};

void add_placement_commands(CLI::App& app, PlacementWords& words);
int explain_placement(const PlacementWords& words, const Conversation& with);
/// Begins or undoes a drain; with `wait` it returns when nothing is left.
int drain(const PlacementWords& words, const Conversation& with);
/// Whether new clients should come here: kOk or kFailed, and why not.
int ready(const Conversation& with);
Table drains_table(const Rows& rows, std::uint64_t now);

/// Seconds of "90", "90s", "5m" or "2h"; nothing when it is none of these, or more than a year.
std::optional<std::uint32_t> seconds_of(std::string_view text);

}  // namespace sluice::ctl
