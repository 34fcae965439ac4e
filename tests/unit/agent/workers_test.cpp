// Two workers' threads with real sockets on the loopback; socket pairs stand for the TUN device's queues.

#include "backend-agent/lns/workers.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/app/clock.hpp"
#include "tests/unit/agent/dialler.hpp"
#include "tests/unit/agent/edge_end.hpp"

namespace sluice::agent {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);
constexpr std::uint32_t kWorkers = 2;
const IpAddress kLoopback = *IpAddress::parse("127.0.0.1");
const IpAddress kInside = *IpAddress::parse("192.0.2.1");

transport::UdpPort udp_port() {
  return std::move(transport::UdpPort::open({.bind = {kLoopback, 0}, .reuse_port = false})).value();
}

/// A worker's surroundings, and the client whose tunnel is its.
struct Side {
  Side(std::uint32_t worker, RandomSource& random)
      : key{ChannelId(1), RelayId(42 + worker)}, client(key, random) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) != 0)
      throw std::runtime_error("socketpair");
    tun.reset(pair[0]);
    workers_tun.reset(pair[1]);
  }
  TunnelKey key;
  std::unique_ptr<test::EdgeEnd> edge;
  app::UniqueFd tun, workers_tun;
  Endpoint address;
  test::Dialler client;
  std::vector<ByteVector> to_client;
  std::optional<SessionOpened> opened;
};

struct World {
  World() : edge_port(udp_port()) {
    woken.reset(::eventfd(0, EFD_NONBLOCK));
    std::vector<WorkerParts> parts;
    for (std::uint32_t worker = 0; worker < kWorkers; ++worker) parts.push_back(parts_of(worker));
    workers = std::make_unique<Workers>(std::move(parts));
    install(ChannelId(1));
    for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
      TunnelSpec spec;
      spec.key = sides[worker].key;
      spec.agent_worker = worker;
      spec.assigned = TunnelId(static_cast<std::uint16_t>(1000 + worker));
      workers->post(OpenTunnel{spec});
      sides[worker].client.l2tp.connect(app::now());
    }
  }
  WorkerParts parts_of(std::uint32_t worker) {
    auto port = udp_port();
    sides[worker].address = port.local();
    LnsSettings lns;
    lns.worker = worker;
    lns.ppp_config = [](std::uint16_t) {
      return std::make_shared<const ppp::PppConfig>(ppp::test::server_config());
    };
    return {std::move(port), TunPort{std::move(sides[worker].workers_tun)},
            std::move(esp::make_engine("botan", random)).value(), std::move(lns), woken.get()};
  }
  /// Fresh keys for each pair, as each channel has.
  void install(ChannelId channel) {
    InstallPaths paths{channel, edge_port.local(), kLoopback, {}};
    for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
      const std::uint32_t number = 2 * channel.value() + worker;
      auto keys = test::path_keys(0, 0x1000 + 16 * number, static_cast<std::uint8_t>(1 + 2 * number));
      keys.path.agent_worker = worker;
      sides[worker].edge = std::make_unique<test::EdgeEnd>(keys);
      paths.keys.push_back(std::move(keys));
    }
    workers->post(std::move(paths));
  }

  /// Plays clients, edge and control thread until `wanted`; false when patience ends.
  bool run_until(const std::function<bool()>& wanted) {
    const Instant end = app::now() + kPatience;
    while (!wanted()) {
      if (app::now() > end) return false;
      for (auto& side : sides) {
        auto& client = side.client;
        for (const auto& packet : client.drain(app::now())) send(side, packet);
        if (const auto next = client.next_timeout(); next && *next <= app::now())
          client.on_timeout(app::now());
      }
      pollfd fds[] = {{edge_port.fd(), POLLIN, 0}, {woken.get(), POLLIN, 0}};
      ::poll(fds, 2, 20);
      receive();
      std::uint64_t ignored = 0;
      [[maybe_unused]] const auto got = ::read(woken.get(), &ignored, sizeof ignored);
      while (auto event = workers->next_event()) handle(std::move(*event));
    }
    return true;
  }
  void send(Side& side, Bytes l2tp) {
    const auto packet = side.edge->seal(side.key.relay, l2tp);
    const transport::TxPacket tx{packet, side.address, {}};
    edge_port.send_burst({&tx, 1});
  }
  void receive() {
    for (const auto& rx : edge_port.recv_burst()) {
      for (auto& side : sides) {
        const auto frame = side.edge->open(rx.packet.bytes());
        if (!frame) continue;
        EXPECT_EQ(frame->relay, side.key.relay);
        auto ip = side.client.take(frame->l2tp, app::now());
        if (!ip.empty()) side.to_client.push_back(std::move(ip));
      }
    }
  }
  void handle(Event event) {
    if (auto* asked = std::get_if<AuthAsked>(&event)) {
      ppp::Credential credential;
      credential.password = Secret("secret");
      auto addresses = ppp::test::addresses();
      addresses.remote = address_of(worker_of(asked->session));
      workers->post(AuthDecided{asked->session, asked->request.attempt,
                                ppp::verify(asked->request, credential), addresses});
    }
    if (auto* up = std::get_if<SessionOpened>(&event)) sides.at(worker_of(up->session)).opened = *up;
    if (auto* told = std::get_if<TunnelsDescribed>(&event)) described.push_back(std::move(*told));
    all_closed += std::holds_alternative<AllClosed>(event) ? 1 : 0;
  }
  static IpAddress address_of(std::uint32_t worker) { return IpAddress::v4(0x0a630064 + worker); }
  /// A packet for a client's address, into the queue of a worker.
  void from_inside(std::uint32_t queue, const IpAddress& to, std::size_t size) {
    auto packet = test::ipv4(kInside, to, size);
    packet.insert(packet.begin(), OffloadHeader::kSize, 0);
    ASSERT_EQ(::send(sides[queue].tun.get(), packet.data(), packet.size(), 0),
              static_cast<ssize_t>(packet.size()));
  }
  bool all_up() {
    return run_until([&] {
      return std::all_of(sides.begin(), sides.end(),
                         [](const Side& side) { return side.opened && side.client.up; });
    });
  }

  app::SystemRandom random;
  transport::UdpPort edge_port;
  app::UniqueFd woken;
  std::array<Side, kWorkers> sides{Side(0, random), Side(1, random)};
  std::unique_ptr<Workers> workers;
  std::vector<TunnelsDescribed> described;
  int all_closed = 0;
};

TEST(Workers, EachSessionIsServedByTheWorkerThatTheEdgeNamedAndByNoOther) {
  World world;
  ASSERT_TRUE(world.all_up());
  EXPECT_EQ(world.workers->sessions(), kWorkers);
  for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
    const Side& side = world.sides[worker];
    EXPECT_EQ(side.opened->tunnel, side.key);
    EXPECT_EQ(side.client.up->addresses.local, World::address_of(worker));
    EXPECT_EQ(world.workers->each()[worker]->stats().sessions.load(), 1U);
  }
  // In the wrong queue a packet is nobody's; in the right one it is delivered.
  world.from_inside(0, World::address_of(1), 111);
  world.from_inside(1, World::address_of(1), 112);
  world.from_inside(0, World::address_of(0), 113);
  ASSERT_TRUE(world.run_until(
      [&] { return !world.sides[0].to_client.empty() && !world.sides[1].to_client.empty(); }));
  ASSERT_EQ(world.sides[0].to_client.size(), 1U);
  EXPECT_EQ(world.sides[0].to_client[0].size(), 113U);
  ASSERT_EQ(world.sides[1].to_client.size(), 1U);
  EXPECT_EQ(world.sides[1].to_client[0].size(), 112U);
  EXPECT_EQ(world.workers->each()[0]->lns().drops().read(LnsDrop::kNoRoute), 1U);
}

TEST(Workers, TunnelThatIsTakenBackStaysWithItsWorker) {
  World world;
  ASSERT_TRUE(world.all_up());
  world.workers->post(HoldChannel{ChannelId(1)});
  world.workers->post(DescribeTunnels{ChannelId(1)});
  ASSERT_TRUE(world.run_until([&] { return world.described.size() == kWorkers; }));
  std::vector<TunnelKey> offered;
  for (const auto& part : world.described) {
    for (const auto& tunnel : part.tunnels) offered.push_back(tunnel.key);
  }
  std::sort(offered.begin(), offered.end());
  EXPECT_EQ(offered, (std::vector{world.sides[0].key, world.sides[1].key}));

  world.install(ChannelId(2));
  Side& side = world.sides[1];
  const TunnelKey to{ChannelId(2), RelayId(7)};
  world.workers->post(RebindTunnel{side.key, to, 0});
  world.workers->post(RemoveChannel{ChannelId(1), "not taken back"});
  side.key = to;
  world.from_inside(1, World::address_of(1), 120);
  ASSERT_TRUE(world.run_until([&] { return !side.to_client.empty(); }));
  EXPECT_EQ(side.to_client[0].size(), 120U);
  ASSERT_TRUE(world.run_until([&] { return world.workers->sessions() == 1; }));
  EXPECT_EQ(world.workers->each()[1]->stats().sessions.load(), 1U);
}

TEST(Workers, AllIsClosedOnceTheLastSaysSo) {
  World world;
  ASSERT_TRUE(world.all_up());
  world.workers->post(CloseAll{"the server is stopping"});
  ASSERT_TRUE(world.run_until([&] { return world.all_closed > 0; }));
  for (const Side& side : world.sides)
    EXPECT_NE(side.client.stop.find("the server is stopping"), std::string::npos);
  EXPECT_EQ(world.workers->tunnels(), 0U);
  EXPECT_FALSE(world.workers->next_event());
  EXPECT_EQ(world.all_closed, 1);
}

}  // namespace
}  // namespace sluice::agent
