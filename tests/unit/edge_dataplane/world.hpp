#pragma once
// A worker's pipeline between real clients and real agents, all without I/O: clients seal ESP with their own
// SAs and speak L2TP with the LAC core, agents open the channel's frames and answer with the LNS core.

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <random>

#include "edge/dataplane/pipeline.hpp"
#include "l2tp/lac.hpp"
#include "l2tp/lns.hpp"

namespace sluice::edge::testing {

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint32_t seed) : engine_(seed) {}
  void fill(MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937 engine_;
};

inline Endpoint endpoint(const char* text) {
  return *Endpoint::parse(text);
}

/// A buffer with room around a packet, as a socket gives it.
struct Datagram {
  ByteVector memory;
  transport::RxPacket rx;

  Datagram(Bytes bytes, const Endpoint& remote, const IpAddress& local) : memory(bytes.size() + 256) {
    std::copy(bytes.begin(), bytes.end(), memory.begin() + 128);
    rx = {esp::PacketBuffer::within(memory, 128, bytes.size()), remote, local};
  }
};

/// One direction pair of SAs at the far end of the pipeline.
struct FarSas {
  esp::OutboundSaPtr out;
  esp::InboundSaPtr in;
};

/// Keys for one SA, made up from a number.
struct Keys {
  ByteVector encryption, integrity;
  Keys(const esp::Suite& suite, std::uint32_t seed)
      : encryption(suite.keying_size()), integrity(suite.integrity_key_size) {
    SeededRandom random(seed);
    random.fill(encryption);
    random.fill(integrity);
  }
};

class World {
  SeededRandom random_{1};
  const esp::Suite& suite_;
  bool esn_;
  std::unique_ptr<esp::Engine> far_engine_;  // before the SAs that it made

 public:
  explicit World(esp::SuiteId suite = esp::SuiteId::kAes256CbcSha1, bool esn = false);

  // ---- set-up
  struct Client {
    PeerId peer;
    Endpoint remote;
    std::uint16_t inner_port = 1701;
    std::deque<FarSas> sas;  // oldest first; the last one is used to send
    std::unique_ptr<l2tp::LacTunnel> lac;
    std::vector<l2tp::Event> events;
    std::vector<ByteVector> data;  // PPP frames that came in
    Spi spi_in;                    // of the edge
  };
  struct Tunnel {
    RelayId relay;
    std::size_t agent = 0;
    std::unique_ptr<l2tp::LnsTunnel> lns;
    std::vector<ByteVector> data;
    std::optional<SessionId> session;
  };
  struct Agent {
    BackendId id;
    FarSas sas;
    Endpoint data;
  };

  Client& add_client(const char* remote, std::uint16_t inner_port, TunnelId tunnel, bool udp = true);
  /// A further pair of SAs for the client, as a rekey brings.
  /// `early` runs when the client has the pair and the edge has only given out its SPI, `halfway` when the
  /// edge has the inbound half.
  void add_sas(Client& client, const std::function<void()>& early = {},
               const std::function<void()>& halfway = {});
  Agent& add_agent(const char* data);
  void bind(const SccrqArrived& sccrq, Agent& agent, RelayId relay, TunnelId agent_tunnel);

  // ---- traffic
  /// ESP packets with this L2TP packet inside, as the client sends them over its newest or a chosen SA.
  ByteVector seal_from(Client& client, Bytes l2tp, std::optional<std::size_t> sa = std::nullopt);
  void to_edge(Client& client, Bytes esp, std::optional<Endpoint> from = std::nullopt);
  void frame_to_edge(Agent& agent, RelayId relay, Bytes l2tp);
  /// Lets everybody talk until nobody has anything to say.
  void settle();
  std::uint64_t client_drops(esp::DropReason reason) const {
    return pipeline_->client_esp_drops().read(reason);
  }
  void send_ppp(Client& client, Bytes ppp);
  void send_ppp(Tunnel& tunnel, Bytes ppp);
  void advance(Duration by);

  Pipeline& pipeline() { return *pipeline_; }
  void apply(Command command);
  /// The oldest event of this type that was not taken yet.
  template <class T>
  std::optional<T> take_event() {
    for (auto at = events_.begin(); at != events_.end(); ++at) {
      if (auto* event = std::get_if<T>(&*at)) {
        T out = std::move(*event);
        events_.erase(at);
        return out;
      }
    }
    return std::nullopt;
  }

  std::deque<Client> clients;
  std::deque<Agent> agents;
  std::map<RelayId, Tunnel> tunnels;
  SaLifetime lifetime;  // of the SAs that add_sas() makes
  Instant now{std::chrono::hours(1)};
  std::size_t lost_to_clients = 0;  // packets no client could open

 private:
  void deliver(OutgoingBatch& out);
  void to_client(const transport::TxPacket& packet);
  void to_agent(const transport::TxPacket& packet);
  bool pump(Client& client);
  bool pump(Tunnel& tunnel);

  std::unique_ptr<Pipeline> pipeline_;
  std::deque<Event> events_;
  std::uint32_t next_spi_ = 0x1000;
  const IpAddress local_v4_ = *IpAddress::parse("192.0.2.1");
  const IpAddress local_v6_ = *IpAddress::parse("2001:db8::1");
  const IpAddress& local_for(const Endpoint& remote) const {
    return remote.address.is_v6() ? local_v6_ : local_v4_;
  }
  const IpAddress channel_local_ = *IpAddress::parse("10.0.0.1");
};

}  // namespace sluice::edge::testing
