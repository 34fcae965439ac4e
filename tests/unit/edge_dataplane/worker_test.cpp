// A worker as a thread: how it uses its core.

#include "edge/dataplane/worker.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/app/system_random.hpp"
#include "esp/botan_engine.hpp"

namespace sluice::edge {
namespace {

using namespace std::chrono_literals;

WorkerPorts loopback_ports() {
  WorkerPorts ports;
  transport::UdpPortOptions options;
  options.bind = *Endpoint::parse("127.0.0.1:0");
  for (auto* to : {&ports.natt, &ports.channel}) {
    auto port = transport::UdpPort::open(options);
    to->push_back(std::move(port.value()));
  }
  return ports;
}

/// "Cpus_allowed_list" of each thread of this process.
std::multiset<std::string> affinities() {
  std::multiset<std::string> out;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Cpus_allowed_list:")) out.insert(line.substr(line.find('\t') + 1));
    }
  }
  return out;
}

struct Running {
  explicit Running(WorkerTuning tuning)
      : woken(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        worker(0, loopback_ports(), std::make_unique<esp::BotanEngine>(random), 64, woken.get(), {}, tuning) {
  }
  /// Sends ESP of an unknown SA and waits until the worker has looked at it.
  void say_something() {
    const auto to = worker.ports().natt.front().local();
    app::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::uint8_t bad_esp[64] = {1, 2, 3, 4};
    ASSERT_EQ(::sendto(socket.get(), bad_esp, sizeof bad_esp, 0, reinterpret_cast<sockaddr*>(&address),
                       sizeof address),
              static_cast<ssize_t>(sizeof bad_esp));
    while (worker.bursts().read() == 0) std::this_thread::yield();
  }

  app::SystemRandom random;
  app::UniqueFd woken;
  Worker worker;
};

TEST(Worker, KeepsToACoreWhereToldTo) {
  const auto before = affinities();
  Running pinned({.pin = true, .busy_poll = {}});
  pinned.say_something();
  EXPECT_EQ(affinities().count("0"), before.count("0") + 1) << "worker 0 runs on core 0 alone";
}

TEST(Worker, PollsOnAfterAPacketAndThenSleeps) {
  Running busy({.pin = false, .busy_poll = 100ms});
  busy.say_something();
  const auto begin = busy.worker.cpu_time();
  while (busy.worker.cpu_time() - begin < 10ms) std::this_thread::yield();
  auto used = busy.worker.cpu_time();
  const auto sleeps = [&] {
    const auto last = std::exchange(used, busy.worker.cpu_time());
    return used == last;
  };
  do {
    ::poll(nullptr, 0, 20);  // the span looked at
  } while (!sleeps());
  EXPECT_LT(used - begin, 2s);
}

}  // namespace
}  // namespace sluice::edge
