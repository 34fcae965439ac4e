// Our data worker with a TUN device, sockets and queues as the agent makes them; the benchmark is its edge.
#include <sys/eventfd.h>

#include <cstdio>
#include <cstdlib>

#include "backend-agent/lns/worker.hpp"
#include "backend-agent/tun/tun_device.hpp"
#include "base/app/clock.hpp"
#include "server.hpp"
#include "tests/unit/agent/edge_end.hpp"

namespace sluice::bench {
namespace {

using namespace sluice::agent;

template <class T>
T or_exit(Result<T, std::string> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().c_str());
    std::exit(2);
  }
  return std::move(result).value();
}

class Ours final : public Server {
 public:
  Ours(const Nets& nets, std::size_t clients) : keys_(agent::test::path_keys(0, 0x1000, 1)), edge_(keys_) {
    nets.enter_edge();
    tun_ =
        std::make_unique<TunDevice>(or_exit(TunDevice::open({.name = "sluice0",
                                                             .addresses = {IpAddress::v4(0x0a960001)},
                                                             .routes = {{IpAddress::v4(0x0a960000), 16}}})));
    constexpr std::size_t kBuffer = 64 << 20;
    auto port = or_exit(transport::UdpPort::open(
        {.bind = {kEdgeToAgent, 4601}, .reuse_port = false, .buffer_bytes = kBuffer}));
    agent_ = port.local();
    nets.enter_agent();
    edge_port_ = std::make_unique<transport::UdpPort>(or_exit(
        transport::UdpPort::open({.bind = {kAgent, 4601}, .reuse_port = false, .buffer_bytes = kBuffer})));
    nets.enter_edge();
    app::SystemRandom random;
    LnsSettings lns;
    lns.ppp_config = [config = std::make_shared<const ppp::PppConfig>(ppp::test::server_config())](
                         std::uint16_t) { return config; };
    woken_.reset(::eventfd(0, EFD_NONBLOCK));
    {
      const Backstage behind(0);
      worker_ = std::make_unique<Worker>(WorkerParts{std::move(port), std::move(tun_->take_ports().front()),
                                                     or_exit(esp::make_engine("auto", random)),
                                                     std::move(lns), woken_.get()});
    }
    InstallPaths paths{ChannelId(1), edge_port_->local(), kEdgeToAgent, {}};
    paths.keys.push_back(agent::test::copy(keys_));
    worker_->post(std::move(paths));
    for (std::size_t i = 0; i < clients; ++i) {
      TunnelSpec spec;
      spec.key = {ChannelId(1), RelayId(static_cast<std::uint32_t>(i + 1))};
      spec.assigned = TunnelId(static_cast<std::uint16_t>(1000 + i));
      worker_->post(OpenTunnel{spec});
    }
  }

  std::string_view name() const override { return "sluice"; }
  double cpu() const override { return std::chrono::duration<double>(worker_->cpu_time()).count(); }
  std::uint64_t packets_up() const override { return worker_->stats().packets_up.read(); }

  void send(std::size_t client, const std::vector<ByteVector>& l2tp) override {
    std::vector<ByteVector> sealed;
    std::vector<transport::TxPacket> packets;
    for (const auto& packet : l2tp)
      sealed.push_back(edge_.seal(RelayId(static_cast<std::uint32_t>(client + 1)), packet));
    for (const auto& packet : sealed) packets.push_back({packet, agent_, {}});
    edge_port_->send_burst(packets);
  }
  std::vector<Received> receive() override {
    std::vector<Received> out;
    for (const auto& rx : edge_port_->recv_burst()) {
      if (auto frame = edge_.open(rx.packet.bytes()))
        out.push_back({frame->relay.value() - 1, std::move(frame->l2tp)});
    }
    return out;
  }
  std::size_t receive_count() override { return edge_port_->recv_burst().size(); }

  void control() override {
    while (auto event = worker_->next_event()) {
      auto* asked = std::get_if<AuthAsked>(&*event);
      if (asked == nullptr) continue;
      ppp::Credential credential;
      credential.password = Secret("secret");
      AuthDecided decided{asked->session,
                          asked->request.attempt,
                          ppp::verify(asked->request, credential),
                          ppp::test::addresses(),
                          {}};
      decided.addresses->remote = IpAddress::v4(0x0a960000 + 0x100 + asked->tunnel.key.relay.value());
      worker_->post(std::move(decided));
    }
  }

 private:
  channel::PathKeys keys_;
  agent::test::EdgeEnd edge_;
  std::unique_ptr<TunDevice> tun_;
  std::unique_ptr<transport::UdpPort> edge_port_;
  Endpoint agent_;
  app::UniqueFd woken_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace

std::unique_ptr<Server> make_ours(const Nets& nets, std::size_t clients) {
  return std::make_unique<Ours>(nets, clients);
}

}  // namespace sluice::bench
