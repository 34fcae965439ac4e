// The edge's own packet loop over its own sockets, as a worker runs it, but for the queues to the control
// thread.
#include <sys/eventfd.h>

#include <cstdio>
#include <cstdlib>

#include "base/app/clock.hpp"
#include "base/app/system_random.hpp"
#include "edge/dataplane/packet_loop.hpp"
#include "load.hpp"
#include "path.hpp"

namespace sluice::bench {
namespace {

constexpr int kPatienceMs = 20;
const BackendId kBackend{1};

template <class T>
T or_exit(Result<T, std::string> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().c_str());
    std::exit(2);
  }
  return std::move(result).value();
}

/// An SCCRQ as a relay is bound with: message type, protocol version, host name, framing, tunnel id (RFC 2661
/// §6.1).
ByteVector sccrq() {
  const auto avp = [](ByteVector& out, std::uint16_t type, std::initializer_list<std::uint8_t> value) {
    const std::size_t at = out.size();
    out.resize(at + 6);
    store_be16(out.data() + at, static_cast<std::uint16_t>(0x8000 | (6 + value.size())));
    store_be16(out.data() + at + 4, type);
    out.insert(out.end(), value);
  };
  ByteVector out(12);
  avp(out, 0, {0, 1});
  avp(out, 2, {1, 0});
  avp(out, 3, {0, 0, 0, 3});
  avp(out, 7, {'b', 'e', 'n', 'c', 'h'});
  avp(out, 9, {0, static_cast<std::uint8_t>(kClientTunnel.value())});
  store_be16(out.data(), 0xc802);
  store_be16(out.data() + 2, static_cast<std::uint16_t>(out.size()));
  return out;
}

class Product final : public RelayPath {
 public:
  Product(const Nets& nets, std::uint16_t index)
      : nets_(nets),
        natt_port_(static_cast<std::uint16_t>(kNattPort + 10 * index)),
        data_port_(static_cast<std::uint16_t>(kAgentPort + 10 * index)),
        wake_(::eventfd(0, EFD_NONBLOCK)) {}

  std::string_view name() const override { return "edge"; }
  std::uint16_t client_side_port() const override { return natt_port_; }
  std::uint16_t agent_side_port() const override { return data_port_; }

  void use(const esp::Suite& suite, std::uint32_t clients) override {
    loop_.reset();
    nets_.enter_edge();
    edge::WorkerPorts ports;
    constexpr std::size_t kBuffer = 64 << 20;
    ports.natt = or_exit(
        transport::open_worker_ports({.bind = {kEdgeToClients, natt_port_}, .buffer_bytes = kBuffer}, 1));
    ports.channel = or_exit(
        transport::open_channel_ports({.bind = {kEdgeToAgent, data_port_}, .buffer_bytes = kBuffer}, 1));
    app::SystemRandom random;
    const auto ignore = [](edge::Event) {};
    auto pipeline = std::make_unique<edge::Pipeline>(or_exit(esp::make_engine("auto", random)), 256, ignore);
    loop_ = std::make_unique<edge::PacketLoop>(std::move(ports), std::move(pipeline), wake_.get());
    install(suite, clients);
  }

  void relay_up(std::size_t packets) override { relay(loop_->ports().natt.front(), packets); }
  void relay_down(std::size_t packets) override { relay(loop_->ports().channel.front(), packets); }

 private:
  void apply(edge::Command command) { loop_->apply(std::move(command), app::now()); }

  void install(const esp::Suite& suite, std::uint32_t clients) {
    const auto first_packet = sccrq();
    const auto secret = [](Spi spi, std::size_t size) { return Secret(Bytes(key_for(spi, size))); };
    const auto backend_suite = esp::suite(esp::SuiteId::kAesGcm128).keying_size();
    apply(edge::AddPath{.backend = kBackend,
                        .agent_worker = 0,
                        .to_edge = kSpiToEdge,
                        .to_agent = kSpiToAgent,
                        .to_edge_key = secret(kSpiToEdge, backend_suite),
                        .to_agent_key = secret(kSpiToAgent, backend_suite),
                        .agent = {kAgent, kAgentPort},
                        .local = kEdgeToAgent});
    for (std::uint32_t i = 0; i < clients; ++i) {
      const PeerId peer(i + 1);
      const auto add = [&](Spi spi, bool inbound) {
        edge::SaSpec spec;
        spec.spi = spi;
        spec.inbound = inbound;
        spec.udp_encapsulated = true;
        const Endpoint local{kEdgeToClients, natt_port_}, remote{client_address(i), kClientPort};
        spec.source = inbound ? remote : local;
        spec.destination = inbound ? local : remote;
        spec.encryption_key = secret(spi, suite.keying_size());
        spec.integrity_key = secret(Spi(~spi.value()), suite.integrity_key_size);
        apply(edge::AddSa{peer, std::move(spec), suite.id, inbound ? Spi() : spi_up(i),
                          std::make_shared<edge::SaStats>()});
      };
      add(spi_up(i), true);
      add(spi_down(i), false);
      apply(edge::BindRelay{.relay = relay_id(i),
                            .peer = peer,
                            .backend = kBackend,
                            .agent_worker = 0,
                            .client_tunnel = kClientTunnel,
                            .agent_tunnel = agent_tunnel(i),
                            .client_port = 1701,
                            .stats = std::make_shared<edge::RelayStats>(),
                            .first_packet = first_packet});
    }
  }

  void relay(const transport::UdpPort& port, std::size_t packets) {
    const auto received = [&] { return port.counts().read(transport::PortCount::kPacketsIn); };
    const auto end = received() + packets;
    while (received() < end) {
      loop_->wait(kPatienceMs);
      if (!loop_->receive(app::now())) return;
    }
  }

  const Nets& nets_;
  std::uint16_t natt_port_, data_port_;
  app::UniqueFd wake_;
  std::unique_ptr<edge::PacketLoop> loop_;
};

}  // namespace

std::unique_ptr<RelayPath> make_product(const Nets& nets, std::uint16_t index) {
  return std::make_unique<Product>(nets, index);
}

}  // namespace sluice::bench
