// l2tpns as Debian ships it, with a RADIUS server beside it that lets everyone in (radius_accept.py).
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "server.hpp"

namespace sluice::bench {
namespace {

constexpr int kBuffer = 64 << 20;
constexpr auto kReady = std::chrono::seconds(20);

sockaddr_in address(const IpAddress& ip, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(ip.to_v4());
  out.sin_port = htons(port);
  return out;
}

/// Starts a program that dies with us.
pid_t start(const std::vector<std::string>& words, const std::string& log) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (std::freopen(log.c_str(), "w", stdout) == nullptr || std::freopen(log.c_str(), "a", stderr) == nullptr)
    ::_exit(126);
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

class L2tpns final : public Server {
 public:
  L2tpns(const Nets& nets, std::size_t clients) {
    char folder[] = "/tmp/l2tpns-bench-XXXXXX";
    if (::mkdtemp(folder) == nullptr) fail("mkdtemp");
    folder_ = folder;
    nets.enter_edge();
    std::ofstream(folder_ + "/conf") << "set debug 3\nset l2tp_secret \"secret\"\nset primary_dns 10.1.0.1\n"
                                        "set primary_radius 127.0.0.1\nset radius_secret \"secret\"\n"
                                        "set radius_authtypes \"pap\"\nset bind_address 10.2.0.1\n"
                                        "set peer_address 10.2.0.1\nset cli_bind_address 127.0.0.1\n"
                                        "set cluster_interface \"c0\"\nset cluster_hb_interval 5\n"
                                        "set cluster_hb_timeout 31\nset packet_limit 0\n"
                                        "set pid_file \""
                                     << folder_ << "/pid\"\n";
    radius_ =
        start({"python3", SLUICE_SOURCE "/tests/bench/agent/radius_accept.py"}, folder_ + "/radius.log");
    {
      const Backstage behind(0);
      process_ = start({"/usr/sbin/l2tpns", "-c", folder_ + "/conf"}, folder_ + "/log");
    }
    await_master();
    nets.enter_agent();
    for (std::size_t i = 0; i < clients; ++i) {
      app::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const auto own = address(kAgent, static_cast<std::uint16_t>(20000 + i));
      const auto theirs = address(kEdgeToAgent, 1701);
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
      ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof kBuffer);
      if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
          ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&theirs), sizeof theirs) != 0) {
        fail("a client's socket");
      }
      sockets_.push_back(std::move(fd));
    }
    nets.enter_edge();
  }
  ~L2tpns() override {
    for (const pid_t process : {process_, radius_}) {
      ::kill(process, SIGKILL);
      ::waitpid(process, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string_view name() const override { return "l2tpns"; }
  double cpu() const override {
    std::uint64_t nanoseconds = 0;
    std::ifstream("/proc/" + std::to_string(process_) + "/schedstat") >> nanoseconds;
    return static_cast<double>(nanoseconds) * 1e-9;
  }
  /// What its TUN device received, by the kernel's count.
  std::uint64_t packets_up() const override {
    std::ifstream in("/proc/thread-self/net/dev");
    for (std::string line; std::getline(in, line);) {
      const auto colon = line.find(':');
      if (colon == std::string::npos || line.find("tun") > colon) continue;
      std::istringstream numbers(line.substr(colon + 1));
      std::uint64_t bytes = 0, packets = 0;
      numbers >> bytes >> packets;
      return packets;
    }
    return 0;
  }
  void send(std::size_t client, const std::vector<ByteVector>& l2tp) override {
    for (const auto& packet : l2tp) {
      if (::send(sockets_[client].get(), packet.data(), packet.size(), 0) < 0) fail("send");
    }
  }
  std::vector<Received> receive() override {
    std::vector<Received> out;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      while (true) {
        ByteVector packet(2048);
        const auto size = ::recv(sockets_[i].get(), packet.data(), packet.size(), 0);
        if (size <= 0) break;
        packet.resize(static_cast<std::size_t>(size));
        out.push_back({i, std::move(packet)});
      }
    }
    return out;
  }
  std::size_t receive_count() override { return receive().size(); }

 private:
  /// It holds an election of one before it serves.
  void await_master() {
    const auto end = std::chrono::steady_clock::now() + kReady;
    while (std::chrono::steady_clock::now() < end) {
      std::stringstream said;
      said << std::ifstream(folder_ + "/log").rdbuf();
      if (said.str().find("declaring myself the master") != std::string::npos) return;
      if (::waitpid(process_, nullptr, WNOHANG) != 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    fail("l2tpns does not serve; is it installed?");
  }

  std::string folder_;
  pid_t radius_ = 0, process_ = 0;
  std::vector<app::UniqueFd> sockets_;
};

}  // namespace

std::unique_ptr<Server> make_l2tpns(const Nets& nets, std::size_t clients) {
  return std::make_unique<L2tpns>(nets, clients);
}

}  // namespace sluice::bench
