#pragma once
// What a command of sluicectl is, and what it has for its work: the daemon, the user's wishes, the streams.

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "edge/ctl/commands.hpp"
#include "edge/ctl/query.hpp"

namespace sluice::ctl {

/// The options that every command has.
struct Options {
  std::string socket;  ///< of the edge: a path or a URI
  bool json = false;
  bool lines = false;  ///< with `json`: one object a line
  bool wide = false;
  Duration timeout = std::chrono::seconds(5);  ///< of silence
};

/// A command's way to the daemon and to the user.
class Conversation {
 public:
  Conversation(const Options& options, const Surroundings& surroundings)
      : to(surroundings), json(options.json), lines(options.lines), options_(options) {}

  /// For commands that keep a client of their own: the socket's URI and the timeout are filled in.
  Question question(std::string command, std::string event = "", vici::Message arguments = {}) const;
  Answer ask(std::string command, std::string event = "", vici::Message arguments = {}) const;
  /// The same for commands that think for a while: at least `timeout` of silence.
  Answer ask_slow(Duration timeout, std::string command, vici::Message arguments = {}) const;

  /// Says what is wrong on standard error; gives the exit code.
  int complain(const vici::Error& error) const;
  int fail(std::string_view text) const;
  int refuse_usage(std::string_view text) const;

  /// `what` is what there is none of when the table is empty.
  void show(const Table& table, std::string_view what) const;
  /// {"schema": …, the members of `value`}; with --json=lines on one line.
  void print(std::string_view schema, const nlohmann::ordered_json& value) const;
  /// {"schema": …, "partial": …, KEY: [rows]}; with --json=lines each row on its line, `schema` its first
  /// key. `partial` is empty when nothing is missing.
  void print_rows(std::string_view schema, const std::string& key,
                  const std::vector<nlohmann::ordered_json>& rows, const std::string& partial = "") const;

  const Surroundings& to;
  const bool json;   ///< JSON is wanted, in either form
  const bool lines;  ///< one object a line

 private:
  const Options& options_;
};

/// One subcommand of sluicectl with all that is below it. It is one object from the parsing, which fills it,
/// to the run.
class Command {
 public:
  virtual ~Command() = default;
  /// Adds itself and gives what it added.
  virtual CLI::App* add_to(CLI::App& app) = 0;
  /// Does what the command line said; an ExitCode.
  virtual int run(const Conversation& with) = 0;
  /// What --json prints, as in docs/schema: "sluice.sessions/1". None for commands without --json.
  virtual std::vector<std::string_view> schemas() const = 0;
};

/// Every command, in the order of --help (registry.cpp).
std::vector<std::unique_ptr<Command>> all_commands();

/// Ends a command's --help with how it is used; one line each, without "sluicectl".
void examples(CLI::App& command, const std::vector<std::string_view>& lines);

}  // namespace sluice::ctl
