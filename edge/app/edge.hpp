#pragma once
// The graph of the edge's objects, and the joints between them. Thread: control.

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/app/system_random.hpp"
#include "base/app/unique_fd.hpp"
#include "base/metrics/metrics_server.hpp"
#include "edge/admin/journal_commands.hpp"
#include "edge/admin/operations_server.hpp"
#include "edge/admin/reload_command.hpp"
#include "edge/app/capturing.hpp"
#include "edge/app/draining.hpp"
#include "edge/app/ike_sender.hpp"
#include "edge/backends/backends.hpp"
#include "edge/config/config.hpp"
#include "edge/dataplane/worker.hpp"
#include "edge/ike/charon_provider.hpp"
#include "edge/journal/journal.hpp"
#include "edge/metrics/edge_counts.hpp"
#include "edge/probe/ike_probe.hpp"
#include "edge/probe/probes.hpp"
#include "edge/relay/contacts.hpp"
#include "edge/relay/kicks.hpp"
#include "edge/relay/peers.hpp"
#include "edge/relay/relays.hpp"
#include "esp/timed_engine.hpp"
#include "proto/transport/channel_listener.hpp"

namespace sluice::edge {

L2tpState l2tp_state(L2tpHealth health);
IkeProbeView ike_probe_view(const IkeProbeReport& report);

class Edge final : public IkeEvents, public StateView {
 public:
  /// Opens every socket. Throws std::runtime_error with what to do about it.
  Edge(boost::asio::io_context& io, Config config);
  ~Edge() override;

  /// Who answers `reload` on the operations socket; before start().
  void on_reload(std::function<ReloadView(bool dry_run)> reload) { reload_ = std::move(reload); }
  /// Starts charon, the agents' listener and the operations socket. Throws like the constructor.
  void start();
  /// Takes over what `config` and `identity`, its certificates on the channel, say and a reload can change.
  /// Nobody who is connected is dropped, but for agents that were revoked or are no longer among
  /// channel.agents. Nothing on success, else why nothing was changed.
  std::optional<std::string> reload(Config config, transport::TlsIdentity identity);
  const Config& config() const { return config_; }
  /// Of an agent that is connected; 0 also where there is none of that name.
  std::size_t sessions_on(const std::string& agent) const;
  std::vector<std::string> connected_agents() const;
  /// Tells clients and agents, ends charon. Afterwards the io_context runs dry.
  void stop();
  /// For a restart: charon and the agents keep what they have for the next edge. As stop() where the
  /// configuration does not want that.
  void leave();

  // IkeEvents
  void ike_up(const IkePeer& peer) override;
  void ike_rekeyed(IkeSaId old_sa, const IkePeer& peer) override;
  void ike_down(IkeSaId ike_sa) override;
  void child_up(IkeSaId ike_sa, Spi inbound, Spi outbound) override;
  void child_down(IkeSaId ike_sa, Spi inbound, Spi outbound) override;
  void ike_failed(const IkeFailure& failure) override;
  void ike_send(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) override;
  void ike_ready(bool ready) override;

  // StateView
  std::vector<SessionView> sessions() const override;
  std::vector<TunnelView> tunnels() const override;
  std::vector<BackendView> backends() const override;
  std::vector<PeerView> peers() const override;
  std::vector<DropView> drops() const override;
  VersionView version() const override;
  StatsView stats() const override;

 private:
  PipelineLimits pipeline_limits();
  void make_workers();
  void make_tables();
  /// Null where probes are not to log in.
  static std::shared_ptr<const ppp::PppConfig> probe_login(const Config& config);
  void make_probes();
  void make_ike_probe();
  void add_probe_command();
  void serve_metrics();
  /// Why no client should be sent here; nothing when a new one can get a session.
  std::optional<std::string> unready() const;
  std::size_t agents_ready() const;
  void collect(metrics::Page& page) const;
  void collect_agents(metrics::Page& page) const;
  void count_observed(const TunnelObserved& observed);
  void count_agent_down(const Backend& backend, bool orderly);
  void make_draining();
  void add_placement();
  void add_support_commands();
  std::string listener_of(const IpAddress& address) const;
  WorkerPorts open_ports(std::uint32_t worker, std::vector<std::vector<transport::UdpPort>>& natt,
                         std::vector<transport::UdpPort>& channel);
  void post(std::uint32_t worker, Command command) { workers_[worker]->post(std::move(command)); }
  void wait_for_events();
  void take_events();
  void take(Event event);
  void take_ike(const IkeArrived& ike);
  void tick();
  void measure_workers(Instant now);
  void end_loop();
  void take_identity(transport::TlsIdentity identity);
  void end_peer(PeerId peer);
  SessionView session_view(const Relay& relay, const AgentSession* session) const;
  BackendView backend_view(const Backend& backend) const;
  /// Those of drops() and those that are zero.
  std::vector<DropView> all_drops() const;
  SaView sa_view(const Peer& peer, const ChildSa& child) const;
  // telling.cpp
  void add_journal();
  /// Into the journal, and to whoever listens.
  void record(JournalEntry entry);
  void tell(const Notice& notice);
  void record_ike_packet(const Endpoint& remote);
  void record_ike_up(const Peer& peer, const IkePeer& ike);
  void record_ike_down(const Peer& peer);
  void record_ike_failed(const std::string& id, const IkeFailure& failure);
  void record_child_up(const Peer& peer, Spi inbound, Spi outbound);
  void record_moved(const Peer& peer, const Endpoint& from, const Endpoint& to);
  void record_gone(const Peer& peer);
  void record_agent(const Backend& backend, JournalKind kind, const std::string& cause);

  boost::asio::io_context& io_;
  Config config_;
  app::SystemRandom random_;
  std::uint32_t worker_count_ = 1;
  std::int64_t started_at_ = 0;
  app::UniqueFd woken_fd_;
  boost::asio::posix::stream_descriptor woken_;
  boost::asio::steady_timer timer_;
  bool stopping_ = false;
  bool ike_ready_ = false;
  unsigned ticks_ = 0;

  IkeSender ike_sender_;
  Contacts contacts_;
  Journal journal_;
  EdgeCounts counts_;
  std::vector<const esp::TimedEngine*> engines_;  ///< of the workers, which own them
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::chrono::nanoseconds> workers_used_;  // CPU time, when last measured
  Instant workers_measured_{};
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<Backends> backends_;
  std::unique_ptr<Relays> relays_;
  std::unique_ptr<Draining> draining_;
  std::unique_ptr<Kicks> kicks_;
  std::unique_ptr<Probes> probes_;
  std::unique_ptr<IkeProbe> ike_probe_;
  std::unique_ptr<channel::RandomSpiSource> channel_spis_;
  std::unique_ptr<OperationsServer> operations_;
  std::unique_ptr<JournalCommands> journal_commands_;
  std::unique_ptr<Capturing> capturing_;
  std::unique_ptr<CharonProvider> ike_;
  std::unique_ptr<transport::ChannelListener> listener_;
  std::unique_ptr<metrics::MetricsServer> metrics_;
  std::optional<transport::TlsIdentity> identity_;  ///< on the channel, once started
  transport::ExpiryReminder expiry_;
  std::function<ReloadView(bool dry_run)> reload_;
};

}  // namespace sluice::edge
