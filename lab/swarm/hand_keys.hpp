#pragma once
// Keys by hand: the swarm is what charon and its plugin are to an edge. It connects to the edge's sa-feed and
// hands it SAs, and serves the vici socket that the edge's ike.attach names. No IKE message is sent. The keys
// are random.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <filesystem>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/random.hpp"
#include "edge/ike/feed_codec.hpp"
#include "esp/suite.hpp"
#include "lab/swarm/keying.hpp"
#include "vici/server.hpp"

namespace sluice::swarm {

struct HandKeysConfig {
  std::filesystem::path feed;  ///< the edge's feed.sock
  std::filesystem::path vici;  ///< where the edge's ike.attach looks for charon
  Endpoint edge;               ///< where ESP in UDP goes
  esp::SuiteId suite = esp::SuiteId::kAes128CbcSha1;
};

class HandKeys final : public Keying {
 public:
  HandKeys(boost::asio::io_context& io, HandKeysConfig config, RandomSource& random, KeyingEvents& events);
  ~HandKeys() override;

  void start() override;
  void connect(const Dialler& dialler) override;
  void disconnect(ClientId client) override;
  void on_ike(const Endpoint& local, const Endpoint& remote, bool marker, Bytes message) override;
  void stop() override;

 private:
  /// A client's pair of SAs. `uid` is what the edge takes for charon's number of an IKE SA.
  struct Pair {
    std::uint32_t uid = 0;
    Endpoint source;
    std::string identity;
    Spi to_edge, to_client;
    unsigned added = 0;
  };
  enum class Step : std::uint8_t { kSpi, kToEdge, kToClient, kOther };
  struct Request {
    Step step = Step::kOther;
    ClientId client = 0;
    std::uint32_t uid = 0;
  };

  void serve_vici();
  void connect_feed();
  void ask(edge::feed::Body body, Request request);
  void send(const edge::feed::Frame& frame);
  void write_queue();
  void read_later();
  void read_now();
  void take(const edge::feed::Frame& frame);
  void answered(const Request& request, const edge::feed::Reply& reply);
  void add_sas(ClientId client, Pair& pair);
  edge::SaSpec spec_of(const Pair& pair, bool to_edge, Bytes encryption, Bytes integrity) const;
  void remove_sas(const Pair& pair);
  void tell_ike(const Pair& pair, bool up);
  vici::Message ike_message(const Pair& pair) const;
  void end_uid(std::uint32_t uid);
  void broken(const std::string& why);

  boost::asio::io_context& io_;
  HandKeysConfig config_;
  RandomSource& random_;
  KeyingEvents& events_;
  boost::asio::posix::stream_descriptor feed_;
  std::unique_ptr<vici::Server> vici_;
  std::set<std::string> connections_,
      secrets_;                ///< the edge loads them and asks whether they are still there
  std::deque<Secret> unsent_;  ///< the socket was full
  bool writing_ = false, broken_ = false;
  std::vector<std::uint8_t> buffer_;
  std::uint32_t next_request_ = 1, next_uid_ = 1;
  std::unordered_map<std::uint32_t, Request> requests_;
  std::unordered_map<ClientId, Pair> pairs_;
  std::unordered_map<std::uint32_t, ClientId> by_uid_;
  std::unordered_set<Spi> to_clients_;  ///< SPIs in use: a client is known by its own
  /// Specs for the client's own end, until the edge has taken both.
  std::unordered_map<ClientId, std::vector<edge::SaSpec>> own_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::swarm
