// sluice-swarm: many L2TP/IPsec clients against one edge, measured.

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <fstream>
#include <iostream>

#include "base/app/clock.hpp"
#include "base/app/log.hpp"
#include "base/app/log_control.hpp"
#include "base/app/system_random.hpp"
#include "lab/swarm/charon_keys.hpp"
#include "lab/swarm/hand_keys.hpp"
#include "lab/swarm/swarm.hpp"

namespace {

using namespace sluice;
using namespace sluice::swarm;

constexpr int kOk = 0, kFailed = 1, kUsage = 2, kCannotRun = 3;

/// What --traffic names.
struct Profile {
  std::string_view name;
  double rate;         ///< echoes a second and client
  std::uint32_t size;  ///< octets of IP
};
constexpr std::array kProfiles{Profile{"idle", 0, 0}, Profile{"ping", 1, 84}, Profile{"rate", 50, 1000}};

/// As given on the command line.
struct Given {
  std::string edge, sources, target, traffic = "idle", psk_file, password_file;
  double echo_rate = 0;         ///< 0: the profile's
  std::uint32_t echo_size = 0;  ///< likewise
  double duration = 0, hold = 0, redial = -1, patience = 30, progress = 1;
  bool no_ike = false, json = false;
  std::string feed = "/run/sluice/ike/feed.sock", vici = "/run/sluice-swarm/vici.sock";
  std::string run_dir = "/run/sluice-swarm", plugin;
  int ike_version = 2, ike_log = -1, threads = 16;
  std::string ike_proposal, esp_proposal = CharonKeysConfig().esp_proposal;
};

Duration seconds(double count) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(count));
}

struct Wrong {
  std::string text;
};

Secret first_line(const std::string& file, const char* what) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line) || line.empty()) {
    throw Wrong{std::string(what) + " " + file + " cannot be read or its first line is empty"};
  }
  Secret out{std::string_view(line)};
  wipe({reinterpret_cast<std::uint8_t*>(line.data()), line.size()});
  return out;
}

IpAddress v4(const std::string& text, const char* what) {
  const auto address = IpAddress::parse(text);
  if (!address || !address->is_v4()) throw Wrong{std::string(what) + " '" + text + "' is no IPv4 address"};
  return *address;
}

void complete(Options& options, const Given& given) {
  options.edge = v4(given.edge, "--edge");
  if (!given.target.empty()) options.target = v4(given.target, "--target");
  auto sources = Sources::parse(given.sources);
  if (!sources) throw Wrong{sources.error()};
  options.sources = *sources;
  if (options.sources.size() < options.clients) {
    throw Wrong{"--sources gives places for " + std::to_string(options.sources.size()) +
                " clients and not for " + std::to_string(options.clients) + "; name more addresses or ports"};
  }
  options.password = first_line(given.password_file, "--password-file");
  const Profile& profile = *std::ranges::find(kProfiles, given.traffic, &Profile::name);
  options.echo_rate = given.echo_rate > 0 ? given.echo_rate : profile.rate;
  options.echo_size = given.echo_size > 0 ? given.echo_size : profile.size;
  options.duration = seconds(given.duration);
  options.hold = seconds(given.hold);
  options.redial = given.redial >= 0;
  options.redial_delay = seconds(std::max(0.0, given.redial));
  options.patience = seconds(given.patience);
  options.progress = seconds(given.progress);
}

std::unique_ptr<Keying> make_keying(boost::asio::io_context& io, const Options& options, const Given& given,
                                    RandomSource& random, KeyingEvents& events) {
  if (given.no_ike) {
    return std::make_unique<HandKeys>(
        io, HandKeysConfig{.feed = given.feed, .vici = given.vici, .edge = {options.edge, options.natt_port}},
        random, events);
  }
  if (given.psk_file.empty()) throw Wrong{"--psk-file is missing; without IKE: --no-ike"};
  CharonKeysConfig config;
  config.edge = options.edge;
  config.version = given.ike_version;
  config.ike_proposal = given.ike_proposal;
  config.esp_proposal = given.esp_proposal;
  config.ike.run_dir = given.run_dir;
  config.ike.plugin_path = given.plugin;
  config.ike.log_level = given.ike_log;
  config.ike.threads = given.threads;
  config.ike.psks.push_back({{}, first_line(given.psk_file, "--psk-file"), {}});
  return std::make_unique<CharonKeys>(io, std::move(config), random, events);
}

/// A socket for each source port.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// On a terminal one line that changes, elsewhere a line each.
void show(const Report& report) {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  std::cerr << (terminal ? "\r\x1b[K" : "swarm: ") << progress_line(report) << (terminal ? "" : "\n")
            << std::flush;
}

bool as_wanted(const Options& options, const Report& at_end, const Report& before_end) {
  if (options.cycles > 0) return at_end.connected >= options.cycles;
  return at_end.never_up == 0 && (options.redial ? before_end.up == options.clients : at_end.lost == 0);
}

int run(const Options& options, const Given& given) {
  app::SystemRandom random;
  boost::asio::io_context io(1);
  Report last;
  const auto keep = [&last](const Report& report) {
    show(report);
    if (report.up >= last.up || report.connecting > 0) last = report;
  };
  Swarm swarm(io, options, random, keep);
  const auto keying = make_keying(io, options, given, random, swarm);
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  std::function<void()> on_signal = [&] {
    signals.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      swarm.stop();
      on_signal();
    });
  };
  on_signal();
  swarm.start(*keying);
  io.run();
  if (::isatty(STDERR_FILENO) == 1) std::cerr << "\n";
  if (!swarm.broken().empty()) {
    std::cerr << "sluice-swarm: " << swarm.broken() << "\n";
    return kCannotRun;
  }
  const Report report = swarm.report(app::now());
  std::cout << (given.json ? to_json(report) + "\n" : to_table(report)) << std::flush;
  return as_wanted(options, report, last) ? kOk : kFailed;
}

void describe(CLI::App& cli, Options& options, Given& given) {
  cli.option_defaults()->take_last();  // so that a script's own words come after a common start
  cli.add_option("--edge", given.edge, "the edge's public IPv4 address")->required();
  cli.add_option("--clients", options.clients, "how many")
      ->check(CLI::Range(1U, 1000000U))
      ->capture_default_str();
  cli.add_option("--sources", given.sources,
                 "where they dial from, ADDRESS[-LAST or /LENGTH]:PORT[-LAST]; the addresses must be local "
                 "(ip route add local 10.9.0.0/16 dev lo)")
      ->required();
  cli.add_option("--rate", options.rate, "connections begun a second; 0: no limit")->capture_default_str();
  cli.add_option("--user", options.user, "PPP user; % is the client's number")->capture_default_str();
  cli.add_option("--password-file", given.password_file, "its first line is every user's password")
      ->required();
  cli.add_option("--identity", options.identity, "IKE identity; % is the client's number")
      ->capture_default_str();
  cli.add_option("--traffic", given.traffic, "idle, ping (an echo a second) or rate (50 of 1000 octets)")
      ->check(CLI::IsMember({"idle", "ping", "rate"}))
      ->capture_default_str();
  cli.add_option("--target", given.target, "whom they ping; the agent's end of the link unless told");
  cli.add_option("--echo-rate", given.echo_rate, "echoes a second and client, in the place of the profile's");
  cli.add_option("--echo-size", given.echo_size, "octets of IP, likewise")->check(CLI::Range(40U, 1400U));
  cli.add_option("--duration", given.duration, "seconds, once all are up; 0: until a signal")
      ->capture_default_str();
  cli.add_option("--cycles", options.cycles, "connect and disconnect so often in all, --clients at once");
  cli.add_option("--hold", given.hold, "seconds that each of them stays")->capture_default_str();
  cli.add_option("--redial", given.redial, "dial again so many seconds after being cut off, as xl2tpd does");
  cli.add_option("--patience", given.patience, "seconds for each of keys, L2TP, PPP")->capture_default_str();
  cli.add_option("--progress", given.progress, "seconds between lines about it")->capture_default_str();
  cli.add_flag("--json", given.json, "the result as JSON");
  const auto ike = "IKE, by a charon of our own";
  cli.add_option("--psk-file", given.psk_file, "its first line is the pre-shared key")->group(ike);
  cli.add_option("--ike-version", given.ike_version, "1 or 2")
      ->check(CLI::Range(1, 2))
      ->capture_default_str()
      ->group(ike);
  cli.add_option("--ike-proposal", given.ike_proposal, "as strongSwan writes it; a quick one unless told")
      ->group(ike);
  cli.add_option("--esp-proposal", given.esp_proposal, "as strongSwan writes it")
      ->capture_default_str()
      ->group(ike);
  cli.add_option("--run-dir", given.run_dir, "charon's; one for each swarm")
      ->capture_default_str()
      ->group(ike);
  cli.add_option("--plugin", given.plugin, "libstrongswan-sluice.so; found by itself")->group(ike);
  cli.add_option("--ike-threads", given.threads, "of charon")->capture_default_str()->group(ike);
  cli.add_option("--ike-log", given.ike_log, "charon's log level, -1 to 2")
      ->capture_default_str()
      ->group(ike);
  const auto hand = "Without IKE, on the edge's machine";
  cli.add_flag("--no-ike", given.no_ike, "keys by hand, through the edge's sa-feed")->group(hand);
  cli.add_option("--feed", given.feed, "the edge's sa-feed")->capture_default_str()->group(hand);
  cli.add_option("--vici", given.vici, "what the edge's ike.attach says")->capture_default_str()->group(hand);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{"Many L2TP/IPsec clients dial one edge; set-up times, loss and latency are measured."};
  cli.footer("Exit codes: 0 all came up and stayed, 1 some did not, 2 usage, 3 it could not run.");
  Options options;
  Given given;
  describe(cli, options, given);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? kOk : kUsage;
  }
  app::start_log("sluice-swarm");
  app::LogSettings log;
  log.level = given.ike_log > 0 ? app::LogLevel::kDebug : app::LogLevel::kWarning;
  app::configure_log(log);
  ::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  try {
    complete(options, given);
    return run(options, given);
  } catch (const Wrong& wrong) {
    std::cerr << "sluice-swarm: " << wrong.text << "\n";
    return kUsage;
  } catch (const std::exception& error) {
    std::cerr << "sluice-swarm: " << error.what() << "\n";
    return kCannotRun;
  }
}
