#include "load.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/app/system_random.hpp"
#include "proto/channel/data_frame.hpp"

namespace sluice::bench {
namespace {

constexpr std::size_t kSlot = 2048, kRoom = 64, kUdp = 8;
constexpr std::uint8_t kProtocolUdp = 17;

std::uint32_t mix(std::uint32_t x) {  // a bijection, so that no two SPIs meet
  x ^= x >> 16;
  x *= 0x7feb352dU;
  x ^= x >> 15;
  x *= 0x846ca68bU;
  return x ^ (x >> 16);
}

template <class T>
T or_exit(Result<T, std::string> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().c_str());
    std::exit(2);
  }
  return std::move(result).value();
}

void l2tp_header(std::uint8_t* at, TunnelId tunnel) {
  store_be16(at, 0x0002);  // a data message, RFC 2661 §3.1
  store_be16(at + 2, tunnel.value());
  store_be16(at + 4, 1);
}

}  // namespace

Spi spi_up(std::uint32_t client) {
  return Spi(mix(2 * client + 1) | 0x1000);
}
Spi spi_down(std::uint32_t client) {
  return Spi(mix(2 * client + 2) | 0x1000);
}

ByteVector key_for(Spi spi, std::size_t size) {
  ByteVector key(size);
  for (std::size_t i = 0; i < size; ++i)
    key[i] = static_cast<std::uint8_t>(mix(spi.value() + static_cast<std::uint32_t>(i)));
  return key;
}

Helper::Helper(std::function<void()> start)
    : thread_([this, start = std::move(start)] {
        start();
        for (;;) {
          todo_.acquire();
          if (over_) return;
          task_();
          done_.release();
        }
      }) {}

Helper::~Helper() {
  over_ = true;
  todo_.release();
  thread_.join();
}

void Helper::start(std::function<void()> task) {
  task_ = std::move(task);
  todo_.release();
}

Load::Load(const Nets& nets, unsigned core)
    : jobs_(kRound), storage_(kRound * kSlot), tx_(kRound), helper_([core] { pin(core); }) {
  helper_.call([&] {
    app::SystemRandom random;
    engine_ = or_exit(esp::make_engine("auto", random));
    nets.enter_clients();
    client_port_ = std::make_unique<transport::UdpPort>(
        or_exit(transport::UdpPort::open({.bind = {IpAddress(), kClientPort},
                                          .reuse_port = false,
                                          .segmentation = false,
                                          .buffer_bytes = 64 << 20})));
    nets.enter_agent();
    agent_port_ = std::make_unique<transport::UdpPort>(or_exit(transport::UdpPort::open(
        {.bind = {kAgent, kAgentPort}, .reuse_port = false, .buffer_bytes = 64 << 20})));
  });
}

void Load::use(const esp::Suite& suite, std::uint32_t clients) {
  helper_.call([&] {
    const auto make = [&](Spi spi, const esp::Suite& s, bool esn) {
      const auto key = key_for(spi, s.keying_size());
      const auto integrity = key_for(Spi(~spi.value()), s.integrity_key_size);
      return or_exit(engine_->make_outbound({.spi = spi,
                                             .suite = &s,
                                             .encryption_key = key,
                                             .integrity_key = integrity,
                                             .extended_sequence = esn,
                                             .replay_window = 0,
                                             .last_sequence = 0,
                                             .limits = {}}));
    };
    out_.clear();
    for (std::uint32_t i = 0; i < clients; ++i) out_.push_back(make(spi_up(i), suite, false));
    frames_ = make(kSpiToEdge, esp::suite(esp::SuiteId::kAesGcm128), true);
  });
}

std::uint32_t Load::pick() {
  random_ = random_ * 1664525 + 1013904223;
  return static_cast<std::uint32_t>((std::uint64_t{random_} * out_.size()) >> 32);
}

void Load::send_up(std::size_t size, std::uint16_t to_port) {
  helper_.call([&] {
    for (std::size_t i = 0; i < kRound; ++i) {
      const auto client = pick();
      const auto slot = MutableBytes(storage_).subspan(i * kSlot, kSlot);
      auto* udp = slot.data() + kRoom;
      store_be16(udp, 1701);
      store_be16(udp + 2, 1701);
      store_be16(udp + 4, static_cast<std::uint16_t>(size + kUdp));
      store_be16(udp + 6, 0);
      l2tp_header(udp + kUdp, agent_tunnel(client));
      jobs_[i].set(*out_[client], esp::PacketBuffer::within(slot, kRoom, size + kUdp), kProtocolUdp);
      tx_[i].remote = {kEdgeToClients, to_port};
      tx_[i].local = client_address(client);
    }
    engine_->seal(jobs_);
    for (std::size_t i = 0; i < kRound; ++i) tx_[i].data = jobs_[i].packet.bytes();
    client_port_->send_burst(tx_);
  });
}

void Load::send_down(std::size_t size, std::uint16_t to_port) {
  helper_.call([&] {
    for (std::size_t i = 0; i < kRound; ++i) {
      const auto client = pick();
      const auto slot = MutableBytes(storage_).subspan(i * kSlot, kSlot);
      auto* frame = slot.data() + kRoom;
      channel::put_relay_header(frame, relay_id(client));
      l2tp_header(frame + channel::kRelayHeader, kClientTunnel);
      jobs_[i].set(*frames_, esp::PacketBuffer::within(slot, kRoom, size + channel::kRelayHeader),
                   channel::kNextHeaderRelay);
      tx_[i].remote = {kEdgeToAgent, to_port};
      tx_[i].local = kAgent;
    }
    engine_->seal(jobs_);
    for (std::size_t i = 0; i < kRound; ++i) tx_[i].data = jobs_[i].packet.bytes();
    agent_port_->send_burst(tx_);
  });
}

namespace {
std::size_t drain(transport::UdpPort& port) {
  std::size_t count = 0;
  for (auto burst = port.recv_burst(); !burst.empty(); burst = port.recv_burst()) count += burst.size();
  return count;
}
}  // namespace

std::size_t Load::arrived_at_agent() {
  std::size_t count = 0;
  helper_.call([&] { count = drain(*agent_port_); });
  return count;
}

std::size_t Load::arrived_at_clients() {
  std::size_t count = 0;
  helper_.call([&] { count = drain(*client_port_); });
  return count;
}

}  // namespace sluice::bench
