#include "edge/ctl/commands.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "edge/ctl/command.hpp"
#include "edge/ctl/json.hpp"

namespace sluice::ctl {
namespace {

/// The command line as a whole.
class CommandLine {
 public:
  explicit CommandLine(Options& options) : options_(options), commands_(all_commands()) {
    app_.name("sluicectl");
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.set_version_flag("--version", "sluicectl " SLUICE_VERSION, "the version of this program alone");
    app_.add_option("-s,--socket", options_.socket,
                    "the edge's operations socket, a path or unix:// URI (environment: SLUICE_SOCKET)")
        ->capture_default_str();
    app_.add_flag("-j{document},--json{document}", form_,
                  "JSON with raw numbers, for scripts; --json=lines: one object a line")
        ->check(CLI::IsMember({"document", "lines"}));
    app_.add_flag("-w,--wide", options_.wide, "all columns, whatever the terminal's width");
    app_.add_option("--timeout", timeout_, "seconds of silence after which to give up")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 3600.0));
    for (auto& command : commands_) added_.push_back(command->add_to(app_));
    app_.footer(
        "Exit codes: 0 done, 1 the daemon refused, 2 wrong command line, 3 no daemon answers, 4 incomplete.");
  }

  /// The exit code if there is nothing to run.
  std::optional<int> parse(std::vector<std::string> words, const Surroundings& to) {
    const auto given = words;
    std::reverse(words.begin(), words.end());
    try {
      app_.parse(words);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) {
        app_.exit(error, to.out, to.error);
        return kOk;
      }
      to.error << "sluicectl: " << escaped(error.what(), 512) << suggestion(given) << "\n"
               << "sluicectl: 'sluicectl --help' tells what it knows\n";
      return kUsage;
    }
    options_.json = !form_.empty();
    options_.lines = form_ == "lines";
    options_.timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(timeout_));
    return std::nullopt;
  }

  /// Every command with its options and the kinds of its JSON, for what is made from them.
  nlohmann::ordered_json tree() const {
    auto out = described(app_);
    for (std::size_t i = 0; i < added_.size(); ++i) out["commands"][i]["schemas"] = commands_[i]->schemas();
    return out;
  }

  Command& chosen() {
    const auto at = std::ranges::find(added_, app_.get_subcommands().front());
    return *commands_[static_cast<std::size_t>(at - added_.begin())];
  }

 private:
  static nlohmann::ordered_json described(const CLI::App& app) {
    nlohmann::ordered_json out{{"name", app.get_name()},
                               {"meaning", app.get_description()},
                               {"footer", app.get_footer()},
                               {"options", nlohmann::ordered_json::array()},
                               {"commands", nlohmann::ordered_json::array()}};
    for (const auto* option : app.get_options()) {
      out["options"].push_back({{"name", option->get_name(option->get_lnames().empty())},
                                {"takes_value", option->get_items_expected_max() > 0},
                                {"meaning", option->get_description()}});
    }
    for (const auto* below : app.get_subcommands({})) out["commands"].push_back(described(*below));
    return out;
  }
  std::string suggestion(const std::vector<std::string>& words) const {
    if (!app_.get_subcommands().empty()) return "";
    std::vector<std::string_view> known;
    for (const auto* command : added_) known.push_back(command->get_name());
    for (const auto& word : words) {
      if (word.starts_with('-') || std::ranges::find(known, word) != known.end()) continue;
      if (const auto near = nearest(word, known)) return "; did you mean '" + std::string(*near) + "'?";
    }
    return "";
  }

  Options& options_;
  std::string form_;  ///< of the JSON; empty: tables
  double timeout_ = 5;
  std::vector<std::unique_ptr<Command>> commands_;
  std::vector<CLI::App*> added_;  ///< for each of `commands_`
  CLI::App app_{"Shows what a running sluice-edge does."};
};

}  // namespace

int run(std::vector<std::string> words, const Surroundings& surroundings) {
  Options options;
  options.socket =
      surroundings.socket_from_environment.empty() ? kDefaultSocket : surroundings.socket_from_environment;
  CommandLine line(options);
  if (words == std::vector<std::string>{"--dump-commands"}) {
    surroundings.out << to_text(line.tree());
    return kOk;
  }
  if (const auto code = line.parse(std::move(words), surroundings)) return *code;
  const int code = line.chosen().run(Conversation(options, surroundings));
  surroundings.out.flush();
  if (!surroundings.out) {
    surroundings.error << "sluicectl: the output could not be written\n";
    return kFailed;
  }
  return code;
}

}  // namespace sluice::ctl
