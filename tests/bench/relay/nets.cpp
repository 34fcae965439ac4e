#include "nets.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

namespace sluice::bench {
namespace {

app::UniqueFd new_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) fail("cannot make a network namespace (root is needed)");
  app::UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd) fail("/proc/thread-self/ns/net");
  return fd;
}

void enter(const app::UniqueFd& fd) {
  if (::setns(fd.get(), CLONE_NEWNET) != 0) fail("setns");
}

void shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) fail(command.c_str());
}

std::string path(const app::UniqueFd& fd) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd.get());
}

}  // namespace

Nets::Nets() : clients_(new_namespace()), edge_(new_namespace()), agent_(new_namespace()) {
  enter(edge_);
  shell("ip link add c0 type veth peer name e0 netns " + path(clients_));
  shell("ip link add a0 type veth peer name e0 netns " + path(agent_));
  shell(
      "ip addr add 10.1.0.1/24 dev c0 && ip addr add 10.2.0.1/24 dev a0 && ip link set lo up && ip link set "
      "c0 up &&"
      " ip link set a0 up && ip route add 10.64.0.0/10 via 10.1.0.2");
  enter(clients_);
  shell(
      "ip addr add 10.1.0.2/24 dev e0 && ip link set lo up && ip link set e0 up &&"
      " ip route add local 10.64.0.0/10 dev lo");
  enter(agent_);
  shell("ip addr add 10.2.0.2/24 dev e0 && ip link set lo up && ip link set e0 up");
  enter(edge_);
}

void Nets::enter_clients() const {
  enter(clients_);
}
void Nets::enter_edge() const {
  enter(edge_);
}
void Nets::enter_agent() const {
  enter(agent_);
}

void pin(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (::pthread_setaffinity_np(::pthread_self(), sizeof set, &set) != 0)
    fail("cannot pin a thread to a core");
}

double cpu_seconds() {
  timespec at{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
}

void fail(const char* what) {
  std::perror(what);
  std::exit(2);
}

}  // namespace sluice::bench
