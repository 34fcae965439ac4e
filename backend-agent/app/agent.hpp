#pragma once
// The graph of the agent's objects, and the joints between them. Thread: control.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "backend-agent/app/authentication.hpp"
#include "backend-agent/app/check.hpp"
#include "backend-agent/app/drop_report.hpp"
#include "backend-agent/app/sessions.hpp"
#include "backend-agent/config/config.hpp"
#include "backend-agent/lns/workers.hpp"
#include "backend-agent/pool/pools.hpp"
#include "backend-agent/tun/tun_device.hpp"
#include "backend-agent/uplink/uplink.hpp"
#include "base/app/system_random.hpp"
#include "base/metrics/metrics_server.hpp"
#include "esp/timed_engine.hpp"

namespace sluice::agent {

/// This agent's certificate on the channel and whom it believes there, as the configured files say now.
/// Errors name the file, the cause and what to do.
Result<transport::TlsIdentity, std::string> channel_identity(const Config& config);

class Agent {
 public:
  /// Makes the TUN device, sockets and workers. Throws std::runtime_error with what to do about it.
  Agent(boost::asio::io_context& io, Config config);
  ~Agent();

  /// Dials the edges.
  void start();
  /// Takes no more tunnels, and tells the edges so; or takes them again. Tunnels that are here stay.
  void drain(bool on);
  /// Farewell to clients and edges; afterwards the io_context runs dry.
  void stop();
  /// One line for the service manager.
  std::string status() const;
  /// Takes over what the configuration, the users and the certificates say and a reload can change: new
  /// logins see it, sessions that are up go on. Channels that stand go on, too, but for those to edges that
  /// were revoked. Nothing on success, else why nothing was changed.
  std::optional<std::string> reload(CheckedConfig fresh);
  const Config& config() const { return config_; }
  std::size_t sessions() const { return workers_->sessions(); }

 private:
  void make_sessions();
  std::uint32_t worker_count() const;
  void make_workers();
  WorkerParts parts_of(std::uint32_t worker, TunPort tun);
  void make_uplink();
  void take_live(Config& next, bool radius);
  void reload_pools();
  LnsProfile lns_profile() const;
  SessionsProfile sessions_profile() const;
  void take_identity(transport::TlsIdentity identity);
  std::vector<Prefix> pool_prefixes() const;
  std::unordered_set<std::uint32_t> reserved() const;
  std::optional<std::string> refusal() const;
  void set_route(const Prefix& prefix, bool in_use);
  void steer(const Prefix& prefix, SessionSerial session, bool in_use);
  void close_accounting();
  void drain_accounting();
  void set_proxy(SessionSerial session, const IpAddress& address);
  void remove_proxies(SessionSerial session);
  void wait_for_events();
  void take_events();
  void take(Event event);
  void tick();
  /// Of the busiest worker since the last call.
  struct Busy {
    Duration cpu{}, waited{};  ///< it ran; it had something to do and no core
  };
  Busy busiest(Duration elapsed);
  channel::LoadReport load();
  void report_drops();
  void serve_metrics();
  /// Why no tunnel can be had here; nothing when one can.
  std::optional<std::string> unready() const;
  void collect(metrics::Page& page) const;
  void collect_radius(metrics::Page& page) const;
  void finish_stop();

  boost::asio::io_context& io_;
  Config config_;
  app::SystemRandom random_;
  boost::asio::posix::stream_descriptor woken_;
  boost::asio::steady_timer timer_, stop_timer_, drain_timer_;
  std::unique_ptr<Pools> pools_;
  std::unique_ptr<TunDevice> tun_;
  std::int64_t started_at_ = 0;                   ///< seconds since 1970
  std::vector<const esp::TimedEngine*> engines_;  ///< of the workers, which own them
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<Uplink> uplink_;
  std::optional<transport::TlsIdentity> identity_;  ///< on the channel
  transport::ExpiryReminder expiry_;
  std::unique_ptr<Authentication> authentication_;
  std::unique_ptr<Sessions> sessions_;
  std::unique_ptr<metrics::MetricsServer> metrics_;
  std::uint64_t sessions_started_ = 0;
  metrics::CauseCounts sessions_ended_;
  std::map<Prefix, SessionSerial> steered_;               ///< whose worker gets packets for a network
  std::map<SessionSerial, std::set<IpAddress>> proxied_;  ///< answered for on other devices' links
  std::vector<Prefix> routed_pools_;                      ///< whose routes lead here
  bool draining_ = false;
  bool stopping_ = false;
  bool accounting_closed_ = false;
  bool stopped_ = false;
  DropReport drop_report_;
  Instant last_drop_report_{};
  Instant last_report_{};
  std::vector<Duration> last_cpu_, last_slept_;  ///< of each worker
  std::uint64_t last_packets_ = 0;
};

}  // namespace sluice::agent
