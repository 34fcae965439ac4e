// The worker's thread with real sockets on the loopback; a socket pair stands for the TUN device.

#include "backend-agent/lns/worker.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/app/clock.hpp"
#include "tests/unit/agent/dialler.hpp"
#include "tests/unit/agent/edge_end.hpp"

namespace sluice::agent {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);
const IpAddress kInside = *IpAddress::parse("192.0.2.1");

struct World {
  World() : keys(test::path_keys(0, 0x1000, 1)), edge(keys), edge_port(port()) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) != 0)
      throw std::runtime_error("socketpair");
    tun.reset(pair[0]);
    woken.reset(::eventfd(0, EFD_NONBLOCK));
    auto agent_port = port();
    agent_address = agent_port.local();
    LnsSettings lns;
    lns.ppp_config = [](std::uint16_t) {
      return std::make_shared<const ppp::PppConfig>(ppp::test::server_config());
    };
    worker = std::make_unique<Worker>(WorkerParts{std::move(agent_port), TunPort{app::UniqueFd(pair[1])},
                                                  std::move(esp::make_engine("botan", random)).value(),
                                                  std::move(lns), woken.get()});
    InstallPaths paths{ChannelId(1), edge_port.local(), *IpAddress::parse("127.0.0.1"), {}};
    paths.keys.push_back(test::copy(keys));
    worker->post(std::move(paths));
    TunnelSpec spec;
    spec.key = key;
    spec.assigned = TunnelId(1000);
    worker->post(OpenTunnel{spec});
    client.l2tp.connect(app::now());
  }
  static transport::UdpPort port() {
    return std::move(
               transport::UdpPort::open({.bind = {*IpAddress::parse("127.0.0.1"), 0}, .reuse_port = false}))
        .value();
  }

  /// Plays client, edge and control thread until `wanted`; false when patience ends.
  bool run_until(const std::function<bool()>& wanted) {
    const Instant end = app::now() + kPatience;
    while (!wanted()) {
      if (app::now() > end) return false;
      for (const auto& packet : client.drain(app::now())) send(packet);
      pollfd fds[] = {{edge_port.fd(), POLLIN, 0}, {woken.get(), POLLIN, 0}, {tun.get(), POLLIN, 0}};
      ::poll(fds, 3, 20);
      if (const auto next = client.next_timeout(); next && *next <= app::now()) client.on_timeout(app::now());
      receive();
      std::uint64_t ignored = 0;
      [[maybe_unused]] const auto got = ::read(woken.get(), &ignored, sizeof ignored);
      while (auto event = worker->next_event()) handle(std::move(*event));
    }
    return true;
  }
  void send(const ByteVector& l2tp) {
    const auto packet = edge.seal(key.relay, l2tp);
    const transport::TxPacket tx{packet, agent_address, {}};
    edge_port.send_burst({&tx, 1});
  }
  void receive() {
    for (const auto& rx : edge_port.recv_burst()) {
      const auto frame = edge.open(rx.packet.bytes());
      if (!frame) continue;
      auto ip = client.take(frame->l2tp, app::now());
      if (!ip.empty()) to_client.push_back(std::move(ip));
    }
    ByteVector packet(2048);
    const auto size = ::recv(tun.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (size <= 0) return;
    packet.resize(static_cast<std::size_t>(size));
    packet.erase(packet.begin(), packet.begin() + OffloadHeader::kSize);
    to_inside.push_back(std::move(packet));
  }
  void handle(Event event) {
    if (auto* asked = std::get_if<AuthAsked>(&event)) {
      ppp::Credential credential;
      credential.password = Secret("secret");
      AuthDecided decided{asked->session, asked->request.attempt, ppp::verify(asked->request, credential),
                          ppp::test::addresses()};
      worker->post(std::move(decided));
    }
    opened |= std::holds_alternative<SessionOpened>(event);
    all_closed |= std::holds_alternative<AllClosed>(event);
    if (const auto* over = std::get_if<SessionGone>(&event)) gone = *over;
  }

  app::SystemRandom random;
  TunnelKey key{ChannelId(1), RelayId(42)};
  channel::PathKeys keys;
  test::EdgeEnd edge;
  transport::UdpPort edge_port;
  Endpoint agent_address;
  app::UniqueFd tun, woken;
  test::Dialler client{key, random};
  std::unique_ptr<Worker> worker;
  std::vector<ByteVector> to_client, to_inside;
  bool opened = false, all_closed = false;
  std::optional<SessionGone> gone;
};

TEST(Worker, ClientDialsInOverTheCarrierAndPacketsCrossTheTunDevice) {
  World world;
  ASSERT_TRUE(world.run_until([&] { return world.opened && world.client.up; }));
  const IpAddress mine = world.client.up->addresses.local;

  const auto up = test::ipv4(mine, kInside);
  world.send(world.client.ip(up));
  ASSERT_TRUE(world.run_until([&] { return !world.to_inside.empty(); }));
  EXPECT_EQ(world.to_inside[0], up);

  for (std::size_t size = 100; size < 130; ++size) {
    auto down = test::ipv4(kInside, mine, size);
    down.insert(down.begin(), OffloadHeader::kSize, 0);
    ASSERT_EQ(::send(world.tun.get(), down.data(), down.size(), 0), static_cast<ssize_t>(down.size()));
  }
  ASSERT_TRUE(world.run_until([&] { return world.to_client.size() == 30; }));
  for (std::size_t i = 0; i < 30; ++i) EXPECT_EQ(world.to_client[i].size(), 100 + i);
  EXPECT_EQ(world.worker->stats().packets_up.read(), 1U);
  EXPECT_EQ(world.worker->stats().packets_down.read(), 30U);
  EXPECT_EQ(world.worker->stats().sessions.load(), 1U);
  EXPECT_GT(world.worker->cpu_time(), Duration::zero());
}

TEST(Worker, FarewellIsHeardAndAcknowledgedBeforeAllIsClosed) {
  World world;
  ASSERT_TRUE(world.run_until([&] { return world.opened && world.client.up; }));
  world.worker->post(CloseAll{"the server is stopping"});
  ASSERT_TRUE(world.run_until([&] { return world.all_closed; }));
  EXPECT_NE(world.client.stop.find("the server is stopping"), std::string::npos);
  ASSERT_TRUE(world.gone);
  EXPECT_EQ(world.gone->cause, "agent-stopping");
}

TEST(Worker, ChannelThatIsRemovedEndsItsSessionsAndGivesItsSpisBack) {
  World world;
  ASSERT_TRUE(world.run_until([&] { return world.opened; }));
  world.worker->post(RemoveChannel{ChannelId(1), "gone"});
  ASSERT_TRUE(world.run_until([&] { return world.gone.has_value(); }));
  EXPECT_EQ(world.gone->cause, "channel-lost");
  std::optional<Spi> spi;
  ASSERT_TRUE(world.run_until([&] { return spi || (spi = world.worker->next_released()); }));
  EXPECT_EQ(*spi, world.keys.path.spi_to_agent);
}

}  // namespace
}  // namespace sluice::agent
