#pragma once
// Keys from IKE: a private charon with our plugin, as the initiator of every client's connection. Its
// datagrams leave from the clients' own addresses and ports.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/random.hpp"
#include "edge/ike/charon_provider.hpp"
#include "lab/swarm/keying.hpp"
#include "vici/client.hpp"

namespace sluice::swarm {

struct CharonKeysConfig {
  edge::IkeConfig ike;  ///< run_dir, psks, plugin_path, log_level, threads
  IpAddress edge;
  int version = 2;           ///< of IKE
  std::string ike_proposal;  ///< empty: a quick one of the version
  std::string esp_proposal = "aes128-sha1";
};

class CharonKeys final : public Keying, private edge::DataPlane, private edge::IkeEvents {
 public:
  CharonKeys(boost::asio::io_context& io, CharonKeysConfig config, RandomSource& random,
             KeyingEvents& events);
  ~CharonKeys() override;

  void start() override;
  void connect(const Dialler& dialler) override;
  void disconnect(ClientId client) override;
  void on_ike(const Endpoint& local, const Endpoint& remote, bool marker, Bytes message) override;
  void stop() override;

 private:
  struct Connection {
    Endpoint source;
    std::string identity;
    edge::IkeSaId ike_sa;
    bool over = false;  ///< disconnect() was called before charon named the IKE SA
  };
  /// What charon is told next.
  struct Order {
    const char* command;
    vici::Message arguments;
  };

  // edge::DataPlane
  std::optional<Spi> allocate_spi(edge::IkeSaId ike_sa, const std::string& peer_identity,
                                  const Endpoint& local, const Endpoint& remote) override;
  std::optional<edge::SaError> add_sa(edge::SaSpec spec) override;
  std::string note_of(Spi, bool, const Endpoint&) const override { return {}; }
  void reserved(Spi, const Endpoint&, std::uint64_t) override {}
  void restored(std::size_t) override {}
  std::optional<edge::SaError> update_sa(Spi spi, bool inbound, const Endpoint& new_source,
                                         const Endpoint& new_destination, bool udp_encapsulated) override;
  std::optional<edge::SaError> remove_sa(Spi spi, bool inbound, const Endpoint& destination) override;
  std::optional<edge::SaUsage> query_sa(Spi spi, bool inbound, const Endpoint& destination) override;
  void flush() override {}
  // edge::IkeEvents
  void ike_up(const edge::IkePeer& peer) override;
  void ike_rekeyed(edge::IkeSaId old_sa, const edge::IkePeer& peer) override;
  void ike_down(edge::IkeSaId ike_sa) override;
  void child_up(edge::IkeSaId, Spi, Spi) override {}
  void child_down(edge::IkeSaId, Spi, Spi) override {}
  void ike_failed(const edge::IkeFailure& failure) override;
  void ike_send(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) override;
  void ike_ready(bool ready) override;

  vici::Message connection_message(const Dialler& dialler) const;
  void order(const char* command, vici::Message arguments);
  boost::asio::awaitable<void> carry_out();
  void name(ClientId client, edge::IkeSaId ike_sa);
  void end(ClientId client, const Connection& connection);
  template <class F>
  void later(F action);

  boost::asio::io_context& io_;
  CharonKeysConfig config_;
  RandomSource& random_;
  KeyingEvents& events_;
  std::unique_ptr<edge::CharonProvider> provider_;
  std::unique_ptr<vici::Client> vici_;
  std::deque<Order> orders_;
  bool carrying_out_ = false, told_ready_ = false, stopped_ = false;
  std::unordered_map<ClientId, Connection> connections_;
  std::unordered_map<Endpoint, ClientId> by_source_;
  std::unordered_map<edge::IkeSaId, ClientId> by_ike_;
  std::unordered_map<Spi, ClientId> inbound_;
  ByteVector datagram_;  ///< with the marker in front
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::swarm
