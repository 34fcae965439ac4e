// sluice-edge: reads its configuration, builds the graph, runs the control thread until a signal ends it.

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>
#include <sstream>

#include "base/app/core_dumps.hpp"
#include "base/app/log.hpp"
#include "base/app/log_control.hpp"
#include "base/app/service_manager.hpp"
#include "edge/app/check.hpp"
#include "edge/app/edge.hpp"
#include "edge/app/reload.hpp"
#include "edge/app/version.hpp"

namespace {

constexpr int kOk = 0, kFailed = 1, kUsage = 2;

/// Of the command line.
struct Wishes {
  std::string file = "/etc/sluice/edge.toml";
  std::string to_check;
  bool check = false, json = false, settings = false;
};

void reload_on_hangup(boost::asio::signal_set& hangup, sluice::edge::Edge& edge,
                      sluice::app::ServiceManager& service, const std::string& file, const bool& stopping) {
  hangup.async_wait([&](const boost::system::error_code& error, int) {
    if (error || stopping) return;
    service.reloading();
    sluice::edge::reload(edge, file, false);
    service.ready_again();
    reload_on_hangup(hangup, edge, service, file, stopping);
  });
}

/// What `systemctl status` shows.
std::string status_line(const sluice::edge::Edge& edge) {
  const auto now = edge.stats();
  return std::to_string(now.sessions) + " sessions, " + std::to_string(now.backends_up) + " agents, " +
         (now.ready ? "ready for clients" : "not ready for new clients");
}

int run(sluice::edge::Config config, const std::string& file) {
  using sluice::app::log_error;
  auto service_context = sluice::app::take_service_context();
  // A core dump would hold the keys of everyone who is connected.
  if (!config.core_dumps) sluice::app::forbid_core_dumps();
  ::signal(SIGPIPE, SIG_IGN);
  try {
    boost::asio::io_context io(1);
    sluice::edge::Edge edge(io, std::move(config));
    sluice::app::ServiceManager service(io, std::move(service_context));
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    boost::asio::signal_set hangup(io, SIGHUP);
    bool stopping = false;
    // SIGTERM is what a service manager restarts with; SIGINT ends for good.
    signals.async_wait([&](const boost::system::error_code& error, int number) {
      stopping = true;
      hangup.cancel();
      if (error) return;
      service.stopping();
      number == SIGTERM ? edge.leave() : edge.stop();
    });
    reload_on_hangup(hangup, edge, service, file, stopping);
    edge.on_reload([&](bool dry_run) { return sluice::edge::reload(edge, file, dry_run); });
    edge.start();
    service.ready([&] { return status_line(edge); });
    io.run();
    sluice::app::log_info("daemon.stopped", "stopped");
    return kOk;
  } catch (const std::exception& error) {
    log_error("daemon.cannot-run", "cannot run", {{"cause", error.what()}});
    return kFailed;
  }
}

int work(const Wishes& wishes) {
  if (wishes.settings) {
    std::cout << sluice::app::settings_page("sluice-edge", sluice::edge::config_settings());
    return kOk;
  }
  auto checked = sluice::edge::check_config_file(wishes.to_check.empty() ? wishes.file : wishes.to_check);
  if (wishes.check && wishes.json) return print_json(checked.report, std::cout);
  std::ostringstream unsaid;
  const int code = print(checked.report, wishes.check ? std::cout : unsaid, std::cerr);
  if (wishes.check || code != kOk) return code;
  sluice::app::start_log("sluice-edge");
  sluice::app::configure_log(checked.config->log);
  return run(std::move(*checked.config), wishes.file);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{"Sluice edge: ends IPsec for L2TP clients and relays each tunnel to a PPP server"};
  Wishes wishes;
  cli.add_option("-c,--config", wishes.file, "configuration file")->capture_default_str();
  auto* check = cli.add_option(
      "--check", wishes.to_check,
      "only check this file, or that of --config, and all that it names: exit code 0 if it is good");
  check->expected(0, 1);
  cli.add_flag("--json", wishes.json, "what --check found, as JSON")->needs(check);
  cli.add_flag("--settings", wishes.settings, "print every setting with its default and meaning, and end");
  cli.set_version_flag("--version", std::string("sluice-edge ") + std::string(sluice::edge::kVersion));
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? kOk : kUsage;
  }
  wishes.check = check->count() > 0;
  return work(wishes);
}
