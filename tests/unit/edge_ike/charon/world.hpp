#pragma once
// A little world without a network: the provider under test with its charon, dialling charons with the same
// plugin, and the test between them as network and NAT.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/ike/charon_process.hpp"
#include "edge/ike/charon_provider.hpp"
#include "edge/ike/feed_server.hpp"
#include "vici/client.hpp"

namespace sluice::edge::test {

/// A folder in /tmp, gone with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Takes SAs and forgets nothing.
class FakePlane final : public DataPlane {
 public:
  explicit FakePlane(std::uint32_t first_spi) : next_spi_(first_spi) {}
  std::optional<Spi> allocate_spi(IkeSaId, const std::string&, const Endpoint&, const Endpoint&) override;
  std::optional<SaError> add_sa(SaSpec spec) override;
  std::optional<SaError> update_sa(Spi spi, bool inbound, const Endpoint& source, const Endpoint& destination,
                                   bool encap) override;
  std::optional<SaError> remove_sa(Spi spi, bool inbound, const Endpoint& destination) override;
  std::optional<SaUsage> query_sa(Spi spi, bool inbound, const Endpoint& destination) override;
  std::string note_of(Spi, bool, const Endpoint&) const override { return "c0ffee"; }
  void reserved(Spi, const Endpoint&, std::uint64_t last) override { reservations.push_back(last); }
  void restored(std::size_t) override { ++restorations; }
  void flush() override { sas.clear(); }

  const SaSpec* find(bool inbound) const;
  std::size_t count(bool inbound) const;

  bool refuse = false;
  std::vector<SaSpec> sas;
  std::vector<SaSpec> removed;
  unsigned queries = 0;
  std::vector<std::uint64_t> reservations;
  unsigned restorations = 0;

 private:
  std::uint32_t next_spi_;
};

struct Pair {
  IkeSaId ike_sa;
  Spi inbound, outbound;
};

class FakeEvents final : public IkeEvents {
 public:
  void ike_up(const IkePeer& peer) override { up.push_back(peer); }
  void ike_rekeyed(IkeSaId old_sa, const IkePeer& peer) override { rekeyed.emplace_back(old_sa, peer); }
  void ike_down(IkeSaId ike_sa) override { down.push_back(ike_sa); }
  void child_up(IkeSaId ike_sa, Spi in, Spi out) override { children_up.push_back({ike_sa, in, out}); }
  void child_down(IkeSaId ike_sa, Spi in, Spi out) override { children_down.push_back({ike_sa, in, out}); }
  void ike_failed(const IkeFailure& failure) override { failures.push_back(failure); }
  void ike_send(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) override {
    if (on_send) on_send(local, remote, marker, datagram);
  }
  void ike_ready(bool ready) override { readiness.push_back(ready); }

  std::vector<IkePeer> up;
  std::vector<std::pair<IkeSaId, IkePeer>> rekeyed;
  std::vector<IkeSaId> down;
  std::vector<Pair> children_up, children_down;
  std::vector<IkeFailure> failures;
  std::vector<bool> readiness;
  std::function<void(const Endpoint&, const Endpoint&, bool, Bytes)> on_send;
};

/// One dialling charon, with a data plane of its own.
class Client final : public feed::FeedHandler {
 public:
  struct Options {
    std::string address = "192.168.7.2";
    std::string psk = "correct horse";
    int version = 1;
    std::string ike_proposal = "aes256-sha1-modp2048";
    std::string esp_proposal = "aes256-sha1";
    std::string remote_port = "1701";
    std::string server_id = "%any";  ///< sent in IKEv2 unless it is %any
    std::string own_id = "";         ///< empty: its address
  };
  Client(boost::asio::io_context& io, Options options);
  ~Client() override;

  /// An IKE datagram from the network.
  void deliver(const Endpoint& source, const Endpoint& destination, bool marker, Bytes datagram);
  void start_feed();
  /// As if the edge it belongs to had gone away.
  void stop_feed() { feed_.reset(); }

  // vici commands against it; dial() gives success or the reason.
  void dial();
  void command(const std::string& name, vici::Message arguments);
  std::optional<std::string> outcome;  ///< of the last command: "" or the error

  FakePlane plane{0xa0000001};
  bool connected = false, loaded = false;
  unsigned lost = 0;
  Options options;
  std::function<void(const feed::IkeOut&)> on_send;
  std::vector<std::uint16_t> notified;  ///< error notifications the server sent
  std::vector<feed::Alert> alerts;

  void feed_connected(const feed::Hello&) override { connected = true; }
  void feed_lost() override { ++lost; }
  void feed_request(feed::Body& request, feed::Reply& reply) override;
  void feed_message(const feed::Body& message) override;

 private:
  boost::asio::awaitable<void> load();
  boost::asio::io_context& io_;
  TempDir dir_;
  std::unique_ptr<feed::FeedServer> feed_;
  std::unique_ptr<CharonProcess> process_;
  std::unique_ptr<vici::Client> vici_;
};

/// Server, clients and what lies between.
class World {
 public:
  explicit World(std::function<void(IkeConfig&)> adjust = {});
  /// Another provider in place of the one there is.
  void make_provider(const std::function<void(IkeConfig&)>& adjust);
  ~World();

  /// Adds a client; `nat`: the address and the first of the ports it has outside, or nothing.
  Client& add_client(Client::Options options, std::optional<Endpoint> nat);
  /// Runs until it holds; false after `limit`.
  bool wait(const std::function<bool()>& holds, std::chrono::milliseconds limit = std::chrono::seconds(20));
  void start();
  /// Dials and waits for the child at both ends.
  bool connect(Client& client);

  boost::asio::io_context io;
  TempDir dir;
  FakePlane plane{0xc0000001};
  FakeEvents events;
  Endpoint server = *Endpoint::parse("203.0.113.1:500");
  std::unique_ptr<CharonProvider> provider;
  std::vector<std::unique_ptr<Client>> clients;
  bool deaf = false;  ///< the network loses everything
  struct Datagram {
    Endpoint remote;
    ByteVector bytes;
  };
  std::vector<Datagram> sent;  ///< by the server

 private:
  struct Link {
    Client* client;
    Endpoint inside, outside;
  };
  Endpoint translate(Client& client, const Endpoint& inside);
  std::map<Client*, Endpoint> nat_;
  std::vector<Link> links_;
};

}  // namespace sluice::edge::test
