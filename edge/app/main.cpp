// sluice-edge: reads its configuration, builds the graph, runs the control thread until a signal ends it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "base/app/core_dumps.hpp"
#include "base/app/daemon_line.hpp"
#include "base/app/log.hpp"
#include "base/app/service_manager.hpp"
#include "edge/app/check.hpp"
#include "edge/app/edge.hpp"
#include "edge/app/reload.hpp"
#include "edge/app/version.hpp"

namespace {

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
    return sluice::app::kExitOk;
  } catch (const std::exception& error) {
    log_error("daemon.cannot-run", "cannot run", {{"cause", error.what()}});
    return sluice::app::kExitFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const sluice::app::Daemon daemon{
      "sluice-edge", "Sluice edge: ends IPsec for L2TP clients and relays each tunnel to a PPP server",
      std::string(sluice::edge::kVersion), "/etc/sluice/edge.toml"};
  int exit_code = sluice::app::kExitOk;
  const auto line = sluice::app::parse_daemon_line(daemon, argc, argv, exit_code);
  if (!line) return exit_code;
  return conduct(daemon, *line, sluice::edge::config_settings(), sluice::edge::check_config_file, run);
}
