// Measures the agent's data path beside l2tpns on the same traffic, its memory, and logins; prints JSON.
//   agent_bench [--rounds N] [--runs N] [--sessions N] [--logins N]
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "base/app/clock.hpp"
#include "base/app/system_random.hpp"
#include "server.hpp"

namespace sluice::bench {
namespace {

constexpr std::size_t kClients = 4, kEach = kPackets / kClients;
constexpr auto kPatience = std::chrono::seconds(1);
constexpr auto kDialling = std::chrono::seconds(30);

struct Settings {
  std::size_t runs = 9, rounds = 100, sessions = 10'000, logins = 2'000;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}
double cpu_of_thread() {
  return cpu_seconds();
}

/// Clients that have dialled in, and what they send.
struct Clients {
  Clients(Server& to, RandomSource& random, std::size_t count, bool pap) : server(to) {
    for (std::size_t i = 0; i < count; ++i) {
      const agent::TunnelKey key{agent::ChannelId(1), RelayId(static_cast<std::uint32_t>(i + 1))};
      // A name each: l2tpns ends the older of two sessions of one user.
      const std::string user = "user" + std::to_string(i);
      all.push_back(std::make_unique<agent::test::Dialler>(key, random, user));
      if (pap) {
        auto config = ppp::test::client_config(user);
        config.auth = {ppp::AuthMethod::kPap};
        all.back()->config = std::make_shared<const ppp::PppConfig>(std::move(config));
      }
    }
  }
  void connect(std::size_t index) { all[index]->l2tp.connect(app::now()); }
  /// One turn; how many clients are up.
  std::size_t turn() {
    server.control();
    for (auto& got : server.receive()) all[got.client]->take(got.l2tp, app::now());
    std::size_t up = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (const auto next = all[i]->next_timeout(); next && *next <= app::now())
        all[i]->on_timeout(app::now());
      if (const auto packets = all[i]->drain(app::now()); !packets.empty()) server.send(i, packets);
      if (all[i]->down) fail(("a client was ended: " + all[i]->down->text).c_str());
      up += all[i]->up ? 1 : 0;
    }
    return up;
  }
  void dial_all() {
    for (std::size_t i = 0; i < all.size(); ++i) connect(i);
    const Instant end = app::now() + kDialling;
    while (turn() < all.size()) {
      if (app::now() > end) fail("not all clients could dial in");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  Server& server;
  std::vector<std::unique_ptr<agent::test::Dialler>> all;
};

ByteVector udp_packet(const IpAddress& from, const IpAddress& to, std::size_t size) {
  auto out = agent::test::ipv4(from, to, size);
  store_be16(out.data() + 6, 0x4000);
  out[8] = 64;
  store_be16(out.data() + 20, 4000);
  store_be16(out.data() + 22, 9);
  store_be16(out.data() + 24, static_cast<std::uint16_t>(size - 20));
  store_be16(out.data() + 10, 0);
  store_be16(out.data() + 26, 0);
  const auto checksum = [&](std::size_t at, std::size_t end, std::uint32_t sum, std::size_t field) {
    for (; at < end; at += 2) sum += load_be16(out.data() + at);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    store_be16(out.data() + field, static_cast<std::uint16_t>(~sum));
  };
  checksum(0, 20, 0, 10);
  checksum(12, size, static_cast<std::uint32_t>(17 + size - 20), 26);
  return out;
}

/// The inside host, which sends each client a bunch at once, as a sender with segmentation offload does.
class Inside {
 public:
  explicit Inside(const Nets& nets) {
    nets.enter_clients();
    fd_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    nets.enter_edge();
  }
  void send(const IpAddress& to, std::size_t size) {
    const int segment = static_cast<int>(size - 28);
    if (::setsockopt(fd_.get(), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0) fail("UDP_SEGMENT");
    const ByteVector data(static_cast<std::size_t>(segment) * kEach, 0x5a);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(to.to_v4());
    address.sin_port = htons(7000);
    const auto sent = ::sendto(fd_.get(), data.data(), data.size(), 0,
                               reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (sent < 0) fail("the inside host cannot send");
  }

 private:
  app::UniqueFd fd_;
};

/// CPU nanoseconds a packet over `rounds` rounds of kPackets.
double run_up(Server& server, Clients& clients, std::size_t size, std::size_t rounds) {
  std::vector<double> times;
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto before = server.packets_up();
    const double cpu = server.cpu();
    for (std::size_t i = 0; i < kClients; ++i) {
      auto& client = *clients.all[i];
      const auto one = client.ip(udp_packet(client.up->addresses.local, kNowhere, size));
      server.send(i, std::vector<ByteVector>(kEach, one));
    }
    const Instant end = app::now() + kPatience;
    while (server.packets_up() < before + kPackets && app::now() < end) ::usleep(500);
    if (const auto got = server.packets_up() - before; got != kPackets) {
      std::fprintf(stderr, "%s up %zu: %zu of %u packets arrived\n", std::string(server.name()).c_str(), size,
                   got, kPackets);
      continue;
    }
    ::usleep(500);  // it goes to sleep: that is part of the cost
    times.push_back((server.cpu() - cpu) / kPackets * 1e9);
  }
  if (times.empty()) fail("no round came through whole, up");
  return median(times);
}

double run_down(Server& server, Clients& clients, Inside& inside, std::size_t size, std::size_t rounds) {
  std::vector<double> times;
  for (std::size_t round = 0; round < rounds; ++round) {
    server.receive_count();
    const double cpu = server.cpu();
    for (std::size_t i = 0; i < kClients; ++i) inside.send(clients.all[i]->up->addresses.local, size);
    std::size_t arrived = 0;
    const Instant end = app::now() + kPatience;
    while (arrived < kPackets && app::now() < end) {
      ::usleep(500);
      arrived += server.receive_count();
    }
    if (arrived != kPackets) {
      std::fprintf(stderr, "%s down %zu: %zu of %u packets arrived\n", std::string(server.name()).c_str(),
                   size, arrived, kPackets);
      continue;
    }
    times.push_back((server.cpu() - cpu) / kPackets * 1e9);
  }
  if (times.empty()) fail("no round came through whole, down");
  return median(times);
}

nlohmann::json measure_path(const Settings& s, const Nets& nets) {
  app::SystemRandom random;
  Inside inside(nets);
  pin(0);
  std::vector<std::unique_ptr<Server>> servers;
  servers.push_back(make_ours(nets, kClients));
  servers.push_back(make_l2tpns(nets, kClients));
  std::vector<std::unique_ptr<Clients>> clients;
  for (auto& server : servers) {
    clients.push_back(std::make_unique<Clients>(*server, random, kClients, server->name() == "l2tpns"));
    clients.back()->dial_all();
  }
  std::map<std::tuple<std::string, std::string, std::size_t>, std::vector<double>> figures;
  for (std::size_t run = 0; run < s.runs; ++run) {
    for (const std::size_t size : {64, 512, 1400}) {
      for (std::size_t i = 0; i < servers.size(); ++i) {
        Server& server = *servers[i];
        for (auto& other : clients) other->turn();
        const std::string name(server.name());
        figures[{name, "up", size}].push_back(run_up(server, *clients[i], size, s.rounds));
        figures[{name, "down", size}].push_back(run_down(server, *clients[i], inside, size, s.rounds));
      }
    }
  }
  auto out = nlohmann::json::array();
  for (const auto& [what, runs] : figures) {
    const auto& [server, way, size] = what;
    out.push_back({{"server", server}, {"way", way}, {"bytes", size}, {"ns", median(runs)}, {"runs", runs}});
  }
  return out;
}

/// Heap of one idle session that is up, tunnel and all; clients are freed before it is counted.
nlohmann::json measure_memory(const Settings& s) {
  app::SystemRandom random;
  std::vector<agent::Event> events;
  agent::LnsSettings settings;
  settings.ppp_config = [config = std::make_shared<const ppp::PppConfig>(ppp::test::server_config())](
                            std::uint16_t) { return config; };
  const auto before = ::mallinfo2();
  agent::Lns lns(std::move(settings), random,
                 [&](agent::Event event) { events.push_back(std::move(event)); });
  const Instant now = app::now();
  ppp::Credential credential;
  credential.password = Secret("secret");
  for (std::uint32_t i = 0; i < s.sessions; ++i) {
    agent::TunnelSpec spec;
    spec.key = {agent::ChannelId(1), RelayId(i + 1)};
    spec.assigned = TunnelId(1000);
    spec.client = {IpAddress::v4(0xcb007100 + i), 4500};
    spec.peer_identity = "192.168.1.10";
    spec.correlation_id = "c-0123456789abcdef";
    lns.open_tunnel(spec, now);
    agent::test::Dialler client(spec.key, random);
    client.l2tp.connect(now);
    for (bool more = true; more;) {
      more = false;
      for (auto& packet : client.drain(now)) {
        more = true;
        lns.from_edge(spec.key, packet, now);
      }
      for (const auto& event : std::exchange(events, {})) {
        const auto* asked = std::get_if<agent::AuthAsked>(&event);
        if (asked == nullptr) continue;
        agent::AuthDecided decided{asked->session,
                                   asked->request.attempt,
                                   ppp::verify(asked->request, credential),
                                   ppp::test::addresses(),
                                   {}};
        decided.addresses->remote = IpAddress::v4(0x0a630000 + i);
        lns.decide(decided, now);
      }
      while (auto packet = lns.poll_transmit()) {
        more = true;
        client.take(packet->l2tp, now);
      }
    }
  }
  if (lns.sessions_up() != s.sessions) fail("not all sessions came up");
  const auto after = ::mallinfo2();
  const auto used = (after.uordblks + after.hblkhd) - (before.uordblks + before.hblkhd);
  return {{"sessions", s.sessions}, {"bytes_each", used / s.sessions}};
}

/// Logins with MS-CHAPv2 over the sealed channel on the loopback's veth: worker and verdicts on one core,
/// clients on the other.
nlohmann::json measure_logins(const Settings& s, const Nets& nets) {
  app::SystemRandom random;
  constexpr std::size_t kAtOnce = 32;
  pin(1);
  const auto server = make_ours(nets, s.logins);
  Clients clients(*server, random, s.logins, false);
  double verdicts = 0;
  const double cpu = server->cpu();
  const Instant begin = app::now();
  std::size_t begun = 0, done = 0;
  std::vector<std::size_t> busy;
  while (done < s.logins) {
    while (begun < s.logins && busy.size() < kAtOnce) {
      clients.connect(begun);
      busy.push_back(begun++);
    }
    const double at = cpu_of_thread();
    server->control();
    verdicts += cpu_of_thread() - at;
    for (auto& got : server->receive()) clients.all[got.client]->take(got.l2tp, app::now());
    std::erase_if(busy, [&](std::size_t i) {
      auto& client = *clients.all[i];
      if (const auto next = client.next_timeout(); next && *next <= app::now()) client.on_timeout(app::now());
      if (const auto packets = client.drain(app::now()); !packets.empty()) server->send(i, packets);
      if (client.up) ++done;
      return client.up.has_value();
    });
    if (app::now() - begin > std::chrono::seconds(120)) fail("logins take too long");
  }
  const double wall = std::chrono::duration<double>(app::now() - begin).count();
  const double core = server->cpu() - cpu + verdicts;
  const auto count = static_cast<double>(s.logins);
  return {{"logins", s.logins}, {"per_core_second", count / core}, {"per_second", count / wall}};
}

}  // namespace

Backstage::Backstage(unsigned core) {
  pin(core);
  const sched_param none{};
  if (::sched_setscheduler(0, SCHED_BATCH, &none) != 0) fail("SCHED_BATCH");
}
Backstage::~Backstage() {
  const sched_param none{};
  if (::sched_setscheduler(0, SCHED_OTHER, &none) != 0) fail("SCHED_OTHER");
}

}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice::bench;
  Settings s;
  CLI::App cli("The agent's data path beside l2tpns, its memory for a session, and logins");
  cli.add_option("--runs", s.runs);
  cli.add_option("--rounds", s.rounds);
  cli.add_option("--sessions", s.sessions);
  cli.add_option("--logins", s.logins);
  CLI11_PARSE(cli, argc, argv);
  const auto memory = measure_memory(s);
  const Nets nets;
  if (std::system("echo 1 >/proc/sys/net/ipv4/ip_forward && ip route add 10.200.0.0/16 via 10.1.0.2") != 0)
    fail("routes");
  nets.enter_clients();
  if (std::system("ip route add default via 10.1.0.1") != 0) fail("routes");
  nets.enter_edge();
  const auto path = measure_path(s, nets);
  const auto logins = measure_logins(s, nets);
  std::printf("%s\n", nlohmann::json{{"path", path}, {"memory", memory}, {"logins", logins}}.dump(1).c_str());
  return 0;
}
