// sluice-agent: reads its configuration, builds the graph, runs the control thread until a signal ends it.

#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <functional>
#include <iostream>

#include "backend-agent/app/agent.hpp"
#include "base/app/log.hpp"
#include "base/app/log_control.hpp"
#include "base/app/service_manager.hpp"

namespace {

constexpr int kOk = 0, kFailed = 1, kUsage = 2;

template <class T>
std::optional<T> or_print(sluice::Result<T, sluice::app::ConfigErrors> loaded) {
  if (loaded) return std::move(loaded).value();
  for (const auto& error : loaded.error()) std::cerr << error.to_string() << "\n";
  return std::nullopt;
}

/// The configuration and every file it names that can be judged without a network.
int check(const std::string& file) {
  const auto config = or_print(sluice::agent::load_config(file));
  if (!config) return kFailed;
  if (!config->users_file.empty() && !or_print(sluice::agent::load_users(config->users_file))) return kFailed;
  if (const auto identity = sluice::agent::channel_identity(*config); !identity) {
    std::cerr << identity.error() << "\n";
    return kFailed;
  }
  std::cout << file << ": good\n";
  return kOk;
}

/// A file that cannot be used changes nothing.
void reload(sluice::agent::Agent& agent, const std::string& file) {
  const auto fresh = sluice::agent::load_config(file);
  if (fresh) return agent.reload(*fresh);
  for (const auto& error : fresh.error())
    sluice::app::log_error("config.agent-faulty", "configuration not reloaded",
                           {{"cause", error.to_string()}});
}

int run(sluice::agent::Config config, const std::string& file) {
  // A core dump would hold the passwords of everyone who may dial in.
  ::prctl(PR_SET_DUMPABLE, 0);
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
        reload(agent, file);
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

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{"Sluice agent: the PPP server behind a Sluice edge"};
  std::string file = "/etc/sluice/agent.toml";
  std::string to_check;
  cli.add_option("-c,--config", file, "configuration file")->capture_default_str();
  cli.add_option("--check", to_check,
                 "only check this configuration file and what it names: exit code 0 if all is good");
  cli.set_version_flag("--version", std::string("sluice-agent " SLUICE_VERSION));
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? kOk : kUsage;
  }
  if (!to_check.empty()) return check(to_check);
  auto config = or_print(sluice::agent::load_config(file));
  if (!config) return kFailed;
  sluice::app::start_log("sluice-agent");
  sluice::app::LogSettings log;
  log.level = sluice::app::parse_log_level(config->log_level).value_or(sluice::app::LogLevel::kInfo);
  sluice::app::configure_log(log);
  return run(std::move(*config), file);
}
