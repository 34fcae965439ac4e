// sluice-agent: reads its configuration, builds the graph, runs the control thread until a signal ends it.

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <functional>
#include <iostream>
#include <sstream>

#include "backend-agent/app/agent.hpp"
#include "backend-agent/app/check.hpp"
#include "backend-agent/app/reload.hpp"
#include "base/app/core_dumps.hpp"
#include "base/app/log.hpp"
#include "base/app/log_control.hpp"
#include "base/app/service_manager.hpp"

namespace {

constexpr int kOk = 0, kFailed = 1, kUsage = 2;

/// Of the command line.
struct Wishes {
  std::string file = "/etc/sluice/agent.toml";
  std::string to_check;
  bool check = false, json = false, settings = false;
};

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
    return kOk;
  } catch (const std::exception& error) {
    sluice::app::log_error("daemon.agent-cannot-run", "cannot run", {{"cause", error.what()}});
    return kFailed;
  }
}

int work(const Wishes& wishes) {
  if (wishes.settings) {
    std::cout << sluice::app::settings_page("sluice-agent", sluice::agent::config_settings());
    return kOk;
  }
  auto checked = sluice::agent::check_config_file(wishes.to_check.empty() ? wishes.file : wishes.to_check);
  if (wishes.check && wishes.json) return print_json(checked.report, std::cout);
  std::ostringstream unsaid;
  const int code = print(checked.report, wishes.check ? std::cout : unsaid, std::cerr);
  if (wishes.check || code != kOk) return code;
  sluice::app::start_log("sluice-agent");
  sluice::app::configure_log(checked.config->log);
  return run(std::move(*checked.config), wishes.file);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{"Sluice agent: the PPP server behind a Sluice edge"};
  Wishes wishes;
  cli.add_option("-c,--config", wishes.file, "configuration file")->capture_default_str();
  auto* check = cli.add_option(
      "--check", wishes.to_check,
      "only check this file, or that of --config, and all that it names: exit code 0 if it is good");
  check->expected(0, 1);
  cli.add_flag("--json", wishes.json, "what --check found, as JSON")->needs(check);
  cli.add_flag("--settings", wishes.settings, "print every setting with its default and meaning, and end");
  cli.set_version_flag("--version", std::string("sluice-agent " SLUICE_VERSION));
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? kOk : kUsage;
  }
  wishes.check = check->count() > 0;
  return work(wishes);
}
