// sluice-agent: reads its configuration, builds the graph, runs the control thread until a signal ends it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <functional>

#include "backend-agent/app/agent.hpp"
#include "backend-agent/app/check.hpp"
#include "backend-agent/app/reload.hpp"
#include "base/app/core_dumps.hpp"
#include "base/app/daemon_line.hpp"
#include "base/app/log.hpp"
#include "base/app/service_manager.hpp"

namespace {

int run(sluice::agent::Config config, const std::string& file) {
  // A core dump would hold the passwords of everyone who may dial in.
  if (!config.core_dumps) sluice::app::forbid_core_dumps();
  ::signal(SIGPIPE, SIG_IGN);
  auto service_context = sluice::app::take_service_context();
  try {
    boost::asio::io_context io(1);
    sluice::app::ServiceManager service(io, std::move(service_context));
    boost::asio::signal_set ending(io, SIGINT, SIGTERM);
    boost::asio::signal_set reloading(io, SIGHUP);
    boost::asio::signal_set draining(io, SIGUSR1, SIGUSR2);
    sluice::agent::Agent agent(io, std::move(config));
    ending.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      reloading.cancel();
      service.stopping();
      draining.cancel();
      agent.stop();
    });
    std::function<void()> wait_for_reload = [&] {
      reloading.async_wait([&](const boost::system::error_code& error, int) {
        if (error) return;
        service.reloading();
        sluice::agent::reload(agent, file);
        service.ready_again();
        wait_for_reload();
      });
    };
    wait_for_reload();
    std::function<void()> wait_for_drain = [&] {
      draining.async_wait([&](const boost::system::error_code& error, int number) {
        if (error) return;
        agent.drain(number == SIGUSR1);
        wait_for_drain();
      });
    };
    wait_for_drain();
    agent.start();
    service.ready([&] { return agent.status(); });
    io.run();
    sluice::app::log_info("daemon.agent-stopped", "stopped");
    return sluice::app::kExitOk;
  } catch (const std::exception& error) {
    sluice::app::log_error("daemon.agent-cannot-run", "cannot run", {{"cause", error.what()}});
    return sluice::app::kExitFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const sluice::app::Daemon daemon{"sluice-agent", "Sluice agent: the PPP server behind a Sluice edge",
                                   SLUICE_VERSION, "/etc/sluice/agent.toml"};
  int exit_code = sluice::app::kExitOk;
  const auto line = sluice::app::parse_daemon_line(daemon, argc, argv, exit_code);
  if (!line) return exit_code;
  return conduct(daemon, *line, sluice::agent::config_settings(), sluice::agent::check_config_file, run);
}
