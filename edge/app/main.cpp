// sluice-edge: reads its configuration, builds the graph, runs the control thread until a signal ends it.

#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>

#include "base/app/log.hpp"
#include "base/app/log_control.hpp"
#include "base/app/service_manager.hpp"
#include "edge/app/channel_identity.hpp"
#include "edge/app/edge.hpp"
#include "edge/app/version.hpp"

namespace {

constexpr int kOk = 0, kFailed = 1, kUsage = 2;

std::optional<sluice::edge::LoadedConfig> read_config(const std::string& file) {
  auto loaded = sluice::edge::load_config(file);
  if (!loaded) {
    for (const auto& error : loaded.error()) std::cerr << error.to_string() << "\n";
    return std::nullopt;
  }
  for (const auto& warning : loaded->warnings) std::cerr << "warning: " << warning << "\n";
  return std::move(loaded).value();
}

/// A file that cannot be used changes nothing.
void reload(sluice::edge::Edge& edge, const std::string& file) {
  using namespace sluice::app;
  auto loaded = sluice::edge::load_config(file);
  if (!loaded) {
    for (const auto& error : loaded.error())
      log_error("config.faulty", "configuration not reloaded", {{"why", error.to_string()}});
    return;
  }
  for (const auto& warning : loaded->warnings)
    log_warning("config.warning", "configuration", {{"warning", warning}});
  if (const auto fault = edge.reload(std::move(loaded->config))) {
    log_error("config.not-taken", "configuration not reloaded", {{"why", *fault}});
  } else {
    log_info("config.reloaded", "configuration reloaded", {{"file", file}});
  }
}

void reload_on_hangup(boost::asio::signal_set& hangup, sluice::edge::Edge& edge,
                      sluice::app::ServiceManager& service, const std::string& file, const bool& stopping) {
  hangup.async_wait([&](const boost::system::error_code& error, int) {
    if (error || stopping) return;
    service.reloading();
    reload(edge, file);
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
  ::prctl(PR_SET_DUMPABLE, 0);
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

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{"Sluice edge: ends IPsec for L2TP clients and relays each tunnel to a PPP server"};
  std::string file = "/etc/sluice/edge.toml";
  bool check = false;
  cli.add_option("-c,--config", file, "configuration file")->capture_default_str();
  cli.add_flag("--check", check, "only check the configuration: exit code 0 if it is good");
  cli.set_version_flag("--version", std::string("sluice-edge ") + std::string(sluice::edge::kVersion));
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? kOk : kUsage;
  }
  auto loaded = read_config(file);
  if (!loaded) return kFailed;
  if (check) {
    if (const auto identity = sluice::edge::channel_identity(loaded->config); !identity) {
      std::cerr << identity.error() << "\n";
      return kFailed;
    }
    std::cout << file << ": good\n";
    return kOk;
  }
  sluice::app::start_log("sluice-edge");
  sluice::app::LogSettings log;
  log.level = sluice::app::parse_log_level(loaded->config.log_level).value_or(sluice::app::LogLevel::kInfo);
  sluice::app::configure_log(log);
  return run(std::move(loaded->config), file);
}
