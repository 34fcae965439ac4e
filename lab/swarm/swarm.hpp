#pragma once
// Thousands of clients on one event loop: each comes by SAs, dials L2TP, brings PPP up, sends echoes, hangs
// up, redials.

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "esp/engine.hpp"
#include "lab/swarm/echo.hpp"
#include "lab/swarm/keying.hpp"
#include "lab/swarm/line.hpp"
#include "lab/swarm/options.hpp"
#include "lab/swarm/pacer.hpp"
#include "lab/swarm/report.hpp"
#include "lab/swarm/seal_burst.hpp"
#include "lab/swarm/sockets.hpp"

namespace sluice::swarm {

/// Thread: the one that runs `io`.
class Swarm final : public KeyingEvents {
 public:
  using Show = std::function<void(const Report&)>;

  /// `show` gets the state of things each Options::progress. Throws std::runtime_error where sockets or the
  /// ESP engine cannot be had.
  Swarm(boost::asio::io_context& io, const Options& options, RandomSource& random, Show show);
  ~Swarm() override;

  /// run() of the io_context then returns when all is over. `keying` outlives that.
  void start(Keying& keying);
  /// Hangs up in order; a second call does not wait for anybody.
  void stop();
  Report report(Instant now) const;
  /// Why no client can connect; empty: nothing is wrong.
  const std::string& broken() const { return broken_; }

  // KeyingEvents
  void keying_ready() override;
  void keying_broken(const std::string& why) override;
  void sa_added(ClientId client, edge::SaSpec spec) override;
  void sa_removed(ClientId client, Spi spi) override;
  void keys_over(ClientId client, const std::string& cause) override;
  void keying_trouble(const std::string& cause) override;
  void send_ike(const Endpoint& local, const Endpoint& remote, Bytes datagram) override;

 private:
  enum class Stage : std::uint8_t { kIdle, kKeys, kDialling, kUp, kClosing, kDone };
  struct Client {
    Stage stage = Stage::kIdle;
    Endpoint source, remote;  ///< remote: where its ESP goes
    std::shared_ptr<const ppp::PppConfig> ppp;
    esp::InboundSaPtr in;
    esp::OutboundSaPtr out;
    std::unique_ptr<Line> line;
    Instant began{}, keyed{}, called{};
    std::optional<Instant> deadline;   ///< of the stage
    std::optional<Instant> echo_at;    ///< the next one
    std::optional<Instant> redial_at;  ///< while idle
    std::optional<Instant> cut_off;    ///< since when, until it is up again
    std::optional<Instant> wake;       ///< its entry in wakes_
    bool was_up = false, was_cut_off = false, in_ppp = false;
    EchoCount echoes;
  };

  void tick();
  void tick_later();
  void start_some(Instant now);
  void start_client(ClientId id, Instant now);
  void wake_due(Instant now);
  void on_wake(ClientId id, Instant now);
  void schedule(ClientId id);
  void on_burst(std::span<Sockets::Received> packets);
  void on_opened(ClientId id, MutableBytes payload, Instant now);
  void dial(ClientId id, Instant now);
  /// Sends what the line has, and sees how far it is.
  void follow(ClientId id, Instant now);
  void came_up(ClientId id, Instant now);
  void send_echo(ClientId id, Instant now);
  void hang_up(ClientId id, Instant now);
  /// The connection is over; `cause` empty: as wanted.
  void over(ClientId id, const std::string& cause, Instant now);
  void drop_sas(Client& client);
  void count_cause(const std::string& cause);
  bool starting_is_over() const;
  void see_whether_done(Instant now);
  void finish(Instant now);
  void end();

  boost::asio::io_context& io_;
  const Options& options_;
  RandomSource& random_;
  Show show_;
  Keying* keying_ = nullptr;
  std::unique_ptr<esp::Engine> engine_;
  std::unique_ptr<Sockets> sockets_;
  std::unique_ptr<SealBurst> sealing_;
  std::unique_ptr<std::array<esp::OpenJob, Sockets::kBurst>> jobs_;
  boost::asio::steady_timer timer_;
  Pacer starts_, ends_;
  std::vector<Client> clients_;
  std::unordered_map<Spi, ClientId> by_spi_;
  std::deque<ClientId> to_start_, to_hang_up_;
  std::set<std::pair<Instant, ClientId>> wakes_;
  ppp::Drops ppp_drops_;
  Report report_;
  std::uint64_t begun_ = 0, unknown_spi_ = 0, not_opened_ = 0;
  std::uint32_t active_ = 0;  ///< clients in any stage but idle and done
  bool ready_ = false, finishing_ = false, ended_ = false;
  Instant first_start_{}, last_up_{}, started_{}, last_shown_{};
  std::optional<Instant> settled_, quiet_until_, finish_deadline_;
  std::string broken_;
  std::uint16_t next_tunnel_ = 0;
};

}  // namespace sluice::swarm
