#include "edge/ctl/commands.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>

#include "base/app/system_random.hpp"
#include "base/text.hpp"
#include "edge/ctl/json.hpp"
#include "edge/ctl/pki.hpp"
#include "edge/ctl/placement.hpp"
#include "edge/ctl/psk.hpp"
#include "edge/ctl/query.hpp"
#include "edge/ctl/views.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;
constexpr const char* kDefaultSocket = "/run/sluice/edge.sock";
constexpr std::array<std::string_view, 13> kCommands{"sessions", "backends", "peers", "drops", "probe",
                                                     "psk",      "version",  "pki",   "stats", "drains",
                                                     "explain",  "drain",    "ready"};
// A probe may take its 5 s; the daemon is silent meanwhile.
constexpr double kProbeTimeout = 15;

struct Options {
  std::string socket = kDefaultSocket;
  bool json = false;
  bool wide = false;
  bool sas = false;
  bool all = false;
  std::string probed;  // the backend's name
  bool probes_ike = false;
  double timeout = 5;
  PlacementWords placement;
  std::vector<std::pair<std::string, std::string>> filters;  // argument and value, as given
};

/// A subcommand that lists things.
struct Listing {
  std::string name;     // "sessions": of the subcommand, the schema and the array
  std::string command;  // of the daemon
  std::string event;
  std::function<Table(const Rows&, std::uint64_t now, const Options&)> table;
};

const std::vector<Listing>& listings() {
  static const std::vector<Listing> kListings{
      {"sessions", "list-sessions", "list-session",
       [](const Rows& rows, std::uint64_t now, const Options&) { return sessions_table(rows, now); }},
      {"backends", "list-backends", "list-backend",
       [](const Rows& rows, std::uint64_t now, const Options&) { return backends_table(rows, now); }},
      {"peers", "list-peers", "list-peer",
       [](const Rows& rows, std::uint64_t now, const Options& options) {
         return options.sas ? sas_table(rows, now) : peers_table(rows, now);
       }},
      {"drops", "list-drops", "list-drop",
       [](const Rows& rows, std::uint64_t, const Options& options) {
         return drops_table(rows, options.all);
       }},
      {"drains", "list-drains", "list-drain",
       [](const Rows& rows, std::uint64_t now, const Options&) { return drains_table(rows, now); }},
  };
  return kListings;
}

std::uint64_t now_seconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

Question question_of(const Options& options, std::string command, std::string event) {
  Question question;
  const bool is_uri = options.socket.find("://") != std::string::npos;
  question.uri = is_uri ? options.socket : std::filesystem::absolute(options.socket).string();
  question.command = std::move(command);
  question.event = std::move(event);
  for (const auto& [name, value] : options.filters) question.arguments.add(name, std::string_view(value));
  question.timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.timeout));
  return question;
}

int exit_code(const vici::Error& error) {
  switch (error.kind) {
    case vici::ErrorKind::kAddress:
      return kUsage;
    case vici::ErrorKind::kUnreachable:
    case vici::ErrorKind::kClosed:
    case vici::ErrorKind::kTimeout:
    case vici::ErrorKind::kMalformed:
      return kUnreachable;
    case vici::ErrorKind::kUnknownCommand:
    case vici::ErrorKind::kUnknownEvent:
    case vici::ErrorKind::kRefused:
    case vici::ErrorKind::kTooLarge:
    case vici::ErrorKind::kCancelled:
    case vici::ErrorKind::kCount:
      return kFailed;
  }
  return kFailed;
}

int complain(const Surroundings& to, const vici::Error& error, const Options& options) {
  to.error << "sluicectl: " << error.text << "\n";
  if (error.kind == vici::ErrorKind::kUnreachable && options.socket == kDefaultSocket) {
    to.error << "sluicectl: is sluice-edge running here, and is its admin socket that one? --socket names "
                "another\n";
  }
  return exit_code(error);
}

void print_table(const Surroundings& to, const Table& table, const Options& options,
                 const std::string& what) {
  if (table.rows() == 0) {
    to.out << "no " << what << "\n";
    return;
  }
  auto terminal = to.terminal;
  if (options.wide) terminal.width = 0;
  const auto rendered = table.render(terminal);
  to.out << rendered.text;
  if (rendered.hidden > 0) {
    to.error << "(" << rendered.hidden << (rendered.hidden == 1 ? " column does" : " columns do")
             << " not fit; --wide or --json shows all)\n";
  }
}

int list(const Listing& listing, const Options& options, const Surroundings& to) {
  const auto answer = ask(question_of(options, listing.command, listing.event));
  if (answer.error && answer.rows.empty()) return complain(to, *answer.error, options);
  std::string missing(answer.error ? answer.error->text : escaped(answer.last.get("partial"), 512));
  if (options.json) {
    ordered_json out;
    out["schema"] = "sluice." + listing.name + "/1";
    if (!missing.empty()) out["partial"] = missing;
    auto& rows = out[listing.name] = ordered_json::array();
    for (const auto& row : answer.rows) rows.push_back(to_json(row));
    to.out << to_text(out);
  } else {
    print_table(to, listing.table(answer.rows, now_seconds(), options), options,
                options.sas ? "SAs" : listing.name);
  }
  if (missing.empty()) return kOk;
  to.error << "sluicectl: this is not all of it: " << missing << "\n";
  return kPartial;
}

int version(const Options& options, const Surroundings& to) {
  const auto answer = ask(question_of(options, "version", ""));
  if (options.json) {
    ordered_json out;
    out["schema"] = "sluice.version/1";
    out["sluicectl"] = SLUICE_VERSION;
    out["daemon"] = answer.error ? ordered_json(nullptr) : to_json(answer.last);
    to.out << to_text(out);
  } else {
    to.out << "sluicectl " SLUICE_VERSION "\n";
    if (!answer.error) {
      const auto part = [&](std::string_view name) { return escaped(answer.last.get(name, "unknown")); };
      to.out << part("daemon") << " " << part("version") << " '" << part("edge-name") << "' with "
             << part("ike-provider") << " on " << part("sysname") << " " << part("release") << " "
             << part("machine") << "\n";
    }
  }
  return answer.error ? complain(to, *answer.error, options) : kOk;
}

int stats(const Options& options, const Surroundings& to) {
  const auto answer = ask(question_of(options, "stats", ""));
  if (answer.error) return complain(to, *answer.error, options);
  if (options.json) {
    to.out << to_text({{"schema", "sluice.stats/1"}, {"stats", to_json(answer.last)}});
  } else {
    to.out << stats_text(answer.last, now_seconds());
  }
  return kOk;
}

int probe(Options options, const Surroundings& to) {
  options.timeout = std::max(options.timeout, kProbeTimeout);
  options.filters = {{"name", options.probed}};
  const auto answer = ask(question_of(options, "probe-backend", ""));
  const bool probed = answer.last.value("l2tp").has_value();
  if (options.json && probed) {
    ordered_json out;
    out["schema"] = "sluice.probe/1";
    out["probe"] = to_json(answer.last);
    to.out << to_text(out);
  }
  if (answer.error) {
    if (!probed) return complain(to, *answer.error, options);
    const auto cause = escaped(answer.last.get("errmsg", "no reason given"), 512);
    to.error << "sluicectl: "
             << (answer.last.get("l2tp") == "silent" ? "does not speak L2TP: " : "not probed: ") << cause
             << "\n";
    return kFailed;
  }
  if (!options.json) {
    to.out << escaped(answer.last.get("name", options.probed)) << " speaks L2TP ("
           << escaped(answer.last.get("took-ms", "?")) << " ms from SCCRQ to the end)\n";
  }
  return kOk;
}

int probe_ike(Options options, const Surroundings& to) {
  options.timeout = std::max(options.timeout, kProbeTimeout);
  const auto answer = ask(question_of(options, "probe-ike", ""));
  const bool probed = answer.last.value("ike").has_value();
  if (options.json && probed) {
    ordered_json out;
    out["schema"] = "sluice.probe-ike/1";
    out["probe"] = to_json(answer.last);
    to.out << to_text(out);
  }
  if (answer.error) {
    if (!probed) return complain(to, *answer.error, options);
    to.error << "sluicectl: "
             << (answer.last.get("ike") == "silent" ? "IKE does not answer: " : "not probed: ")
             << escaped(answer.last.get("errmsg", "no reason given"), 512) << "\n";
    return kFailed;
  }
  if (!options.json) {
    to.out << "IKE answers: " << escaped(answer.last.get("text", "?"), 512) << " ("
           << escaped(answer.last.get("took-ms", "?")) << " ms)\n";
  }
  return kOk;
}

Conversation conversation(const Options& options, const Surroundings& to) {
  return {.ask =
              [&options](const std::string& command, const std::string& event, vici::Message arguments) {
                auto question = question_of(options, command, event);
                question.arguments = std::move(arguments);
                return ask(question);
              },
          .complain = [&options, &to](const vici::Error& error) { return complain(to, error, options); },
          .show = [&options, &to](const Table& table,
                                  const std::string& what) { print_table(to, table, options, what); },
          .json = options.json,
          .to = to};
}

/// The command line. Filters are kept under the daemon's own argument names.
class CommandLine {
 public:
  CommandLine(Options& options, PkiCommands& pki) : options_(options) {
    app_.name("sluicectl");
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.set_version_flag("--version", "sluicectl " SLUICE_VERSION, "the version of this program alone");
    app_.add_option("-s,--socket", options_.socket,
                    "the edge's operations socket, a path or unix:// URI (environment: SLUICE_SOCKET)")
        ->capture_default_str();
    app_.add_flag("-j,--json", options_.json, "JSON with raw numbers, for scripts");
    app_.add_flag("-w,--wide", options_.wide, "all columns, whatever the terminal's width");
    app_.add_option("--timeout", options_.timeout, "seconds of silence after which to give up")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 3600.0));
    auto* sessions = app_.add_subcommand("sessions", "clients' sessions, from IKE to PPP");
    filter(sessions, "user", "of this PPP user");
    filter(sessions, "agent", "on this agent");
    filter(sessions, "client", "from this public address");
    filter(sessions, "peer", "of the peer with this number");
    filter(sessions, "correlation", "with this correlation id");
    auto* backends = app_.add_subcommand("backends", "agents: state, load, sessions");
    filter(backends, "name", "of this name");
    auto* peers = app_.add_subcommand("peers", "IPsec peers and their SAs");
    peers->add_flag("--sas", options_.sas, "one row an SA instead of one a peer");
    filter(peers, "id", "with this number");
    filter(peers, "identity", "with this IKE identity");
    filter(peers, "remote", "at this public address");
    filter(peers, "correlation", "with this correlation id");
    auto* drops = app_.add_subcommand("drops", "packets and messages dropped, by reason");
    drops->add_flag("--all", options_.all, "reasons that never occurred too");
    filter(drops, "stage", "of this stage");
    auto* drains = app_.add_subcommand("drains", "what is being drained, and how much is left");
    filter(drains, "agent", "this agent");
    add_placement_commands(app_, options_.placement);
    auto* probe = app_.add_subcommand("probe", "tries something out");
    probe->require_subcommand(1);
    auto* backend =
        probe->add_subcommand("backend", "dials an agent by L2TP, as a client would, and hangs up");
    backend->add_option("name", options_.probed, "the agent's name")->required();
    probe->add_subcommand("ike", "sends an IKE_SA_INIT to the edge's own addresses, as a client would")
        ->callback([this] { options_.probes_ike = true; });
    app_.add_subcommand("psk", "pre-shared keys")
        ->require_subcommand(1)
        ->add_subcommand("generate", "prints a new one, strong and fit to be typed");
    app_.add_subcommand("stats", "the edge as a whole: readiness, counts, its certificate's dates");
    pki.add_to(app_);
    app_.add_subcommand("version", "versions of this program and of the running edge");
    app_.footer(
        "Exit codes: 0 done, 1 the daemon refused, 2 wrong command line, 3 no daemon answers, 4 incomplete.");
  }

  /// The exit code if there is nothing to ask the daemon.
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
    return std::nullopt;
  }
  std::string chosen() const { return app_.get_subcommands().front()->get_name(); }

 private:
  void filter(CLI::App* command, const std::string& name, const std::string& meaning) {
    command->add_option_function<std::string>(
        "--" + name, [this, name](const std::string& value) { options_.filters.emplace_back(name, value); },
        "only " + meaning);
  }
  static std::string suggestion(const std::vector<std::string>& words) {
    for (const auto& word : words) {
      if (word.starts_with('-') || std::ranges::find(kCommands, word) != kCommands.end()) continue;
      if (const auto near = nearest(word, kCommands)) return "; did you mean '" + std::string(*near) + "'?";
    }
    return "";
  }

  Options& options_;
  CLI::App app_{"Shows what a running sluice-edge does."};
};

}  // namespace

int run(std::vector<std::string> words, const Surroundings& surroundings) {
  Options options;
  if (!surroundings.socket_from_environment.empty()) options.socket = surroundings.socket_from_environment;
  PkiCommands pki;
  CommandLine line(options, pki);
  if (const auto code = line.parse(std::move(words), surroundings)) return *code;
  int code = kFailed;
  if (line.chosen() == "version") {
    code = version(options, surroundings);
  } else if (line.chosen() == "psk") {
    app::SystemRandom random;
    surroundings.out << generate_psk(random).text() << "\n";
    code = kOk;
  } else if (line.chosen() == "stats") {
    code = stats(options, surroundings);
  } else if (line.chosen() == "pki") {
    code = pki.run(options.json, surroundings);
  } else if (line.chosen() == "explain") {
    code = explain_placement(options.placement, conversation(options, surroundings));
  } else if (line.chosen() == "ready") {
    code = ready(conversation(options, surroundings));
  } else if (line.chosen() == "drain") {
    code = drain(options.placement, conversation(options, surroundings));
  } else if (line.chosen() == "probe") {
    code = options.probes_ike ? probe_ike(options, surroundings) : probe(options, surroundings);
  } else {
    const auto listing = std::ranges::find(listings(), line.chosen(), &Listing::name);
    code = list(*listing, options, surroundings);
  }
  surroundings.out.flush();
  if (!surroundings.out) {
    surroundings.error << "sluicectl: the output could not be written\n";
    return kFailed;
  }
  return code;
}

}  // namespace sluice::ctl
