#include "edge/app/edge.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "base/app/clock.hpp"
#include "base/app/log.hpp"
#include "base/app/log_control.hpp"
#include "base/text.hpp"
#include "edge/admin/log_commands.hpp"
#include "edge/admin/placement_commands.hpp"
#include "edge/admin/report_commands.hpp"
#include "edge/app/channel_identity.hpp"
#include "edge/app/explain.hpp"

namespace sluice::edge {
namespace {

using app::LogField;
using transport::UdpPort;

constexpr auto kTick = std::chrono::milliseconds(100);
// How often a successor's view of inbound sequence numbers is brought up to date: packets of the last half
// second could be replayed to it.
constexpr unsigned kSeenTicks = 5;

RekeyLimits rekey_limits(const Config& config) {
  return {.time = config.rekey_time,
          .packets = config.rekey_packets,
          .bytes = std::uint64_t{config.rekey_megabytes} << 20};
}

TunnelLimits tunnel_limits(const Config& config) {
  return {.tunnels_per_peer = config.tunnels_per_client,
          .tunnels_per_identity = config.tunnels_per_identity,
          .sessions_per_peer = config.sessions_per_client,
          .half_open = config.half_open};
}

/// What charon reads at its start only.
void keep_fixed(IkeConfig& fresh, IkeConfig running) {
  fresh.run_dir = running.run_dir;
  fresh.attach = running.attach;
  fresh.charon_path = running.charon_path;
  fresh.plugin_path = running.plugin_path;
  fresh.user = running.user;
  fresh.ike_port = running.ike_port;
  fresh.natt_port = running.natt_port;
  fresh.keep_over_restart = running.keep_over_restart;
  fresh.linger = running.linger;
  fresh.radius = std::move(running.radius);
}

template <class T>
T or_throw(Result<T, std::string> result) {
  if (!result) throw std::runtime_error(result.error());
  return std::move(result).value();
}

}  // namespace

Edge::Edge(boost::asio::io_context& io, Config config)
    : io_(io),
      config_(std::move(config)),
      started_at_(app::unix_now()),
      woken_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      woken_(io),
      timer_(io),
      contacts_(random_,
                [this](const Endpoint& remote) {
                  const auto* peer = peers_->at(remote);
                  return peer == nullptr ? std::string() : peer->correlation_id;
                }),
      journal_(
          {.records = config_.remember_clients, .bytes = std::size_t{config_.remember_megabytes} << 20U}) {
  if (!woken_fd_) throw std::runtime_error("no file descriptor is left");
  woken_.assign(woken_fd_.release());
  worker_count_ = config_.workers != 0 ? config_.workers : std::max(1U, std::thread::hardware_concurrency());
  make_workers();
  make_tables();
}

Edge::~Edge() = default;

PipelineLimits Edge::pipeline_limits() {
  PipelineLimits limits{.control_per_second = config_.control_per_second, .mtu = config_.mtu, .ike = {}};
  limits.ike = {.per_source = config_.ike_per_source,
                .per_prefix = config_.ike_per_prefix,
                .new_sources = config_.ike_new_sources,
                .key = {}};
  random_.fill(limits.ike.key);
  return limits;
}

void Edge::make_workers() {
  std::vector<std::vector<UdpPort>> natt;
  for (const auto& address : config_.listen_addresses) {
    const Endpoint local{address, static_cast<std::uint16_t>(config_.natt_port)};
    natt.push_back(or_throw(transport::open_worker_ports({.bind = local}, worker_count_)));
    if (!ike_sender_.add(local, natt.back().front().fd()))
      throw std::runtime_error("no file descriptor is left");
  }
  const Endpoint data{config_.channel_listen.address, static_cast<std::uint16_t>(config_.data_port)};
  auto channel = or_throw(transport::open_channel_ports({.bind = data}, worker_count_));
  for (std::uint32_t i = 0; i < worker_count_; ++i) {
    auto ports = open_ports(i, natt, channel);
    auto engine = std::make_unique<esp::TimedEngine>(or_throw(esp::make_engine(config_.engine, random_)),
                                                     app::now, random_);
    engines_.push_back(engine.get());
    workers_.push_back(std::make_unique<Worker>(
        i, std::move(ports), std::move(engine), config_.replay_window, woken_.native_handle(),
        pipeline_limits(),
        WorkerTuning{.pin = config_.pin, .busy_poll = std::chrono::microseconds(config_.busy_poll_us)}));
  }
  app::log_info(
      "data.ready", "data plane ready",
      {LogField("workers", worker_count_), LogField("engine", workers_.front()->pipeline().engine_name())});
}

WorkerPorts Edge::open_ports(std::uint32_t worker, std::vector<std::vector<UdpPort>>& natt,
                             std::vector<UdpPort>& channel) {
  WorkerPorts ports;
  for (std::size_t i = 0; i < config_.listen_addresses.size(); ++i) {
    const auto& address = config_.listen_addresses[i];
    ports.natt.push_back(std::move(natt[i][worker]));
    ports.raw.push_back(
        or_throw(transport::RawEspPort::open({.bind = address, .worker = worker, .workers = worker_count_})));
    if (worker != 0) continue;
    const Endpoint local{address, static_cast<std::uint16_t>(config_.ike_port)};
    ports.ike.push_back(or_throw(UdpPort::open({.bind = local, .reuse_port = false})));
    if (!ike_sender_.add(local, ports.ike.back().fd()))
      throw std::runtime_error("no file descriptor is left");
  }
  ports.channel.push_back(std::move(channel[worker]));
  return ports;
}

void Edge::make_tables() {
  const auto post = [this](std::uint32_t worker, Command command) { this->post(worker, std::move(command)); };
  peers_ = std::make_unique<Peers>(
      PeersConfig{.workers = worker_count_,
                  .replay_window = config_.replay_window,
                  .delete_grace = config_.delete_grace,
                  .peer_grace = config_.peer_grace,
                  .orphan_idle = config_.orphan_idle},
      PeersContext{.random = random_,
                   .now = app::now,
                   .unix_seconds = app::unix_now,
                   .post = post,
                   .peer_gone =
                       [this](const Peer& peer) {
                         relays_->on_peer_gone(peer);
                         record_gone(peer);
                       },
                   .contact_id = [this](const Endpoint& remote) { return contacts_.id_at(remote); }});
  backends_ = std::make_unique<Backends>(
      config_.agents,
      BackendsContext{.now = app::now,
                      .unix_seconds = app::unix_now,
                      .post = post,
                      .workers = worker_count_,
                      .random = random_,
                      .drained = [this](const std::string& agent) { return draining_->drained(agent); },
                      .placement = config_.placement,
                      .give_frames = [this](std::uint32_t worker,
                                            Bytes records) { return workers_[worker]->give_frames(records); },
                      .rekey = rekey_limits(config_)},
      BackendEvents{.up =
                        [this](const Backend& backend) {
                          app::log_info("channel.agent-up", "agent up",
                                        {LogField("agent", backend.name),
                                         LogField("remote", backend.remote.to_string()),
                                         LogField("weight", backend.hello.weight)});
                          if (auto* known = counts_.agent(backend.name)) known->missed = false;
                          relays_->on_backend_up(backend);
                          record_agent(backend, JournalKind::kAgentUp, "");
                          operations_->backend_up(backend_view(backend));
                        },
                    .down =
                        [this](const Backend& backend, const std::string& cause, bool orderly) {
                          count_agent_down(backend, orderly);
                          record_agent(backend, JournalKind::kAgentDown, cause);
                          probes_->on_backend_down(backend);
                          relays_->on_backend_down(backend, cause, orderly);
                          operations_->backend_down(backend_view(backend), cause);
                        },
                    .event =
                        [this](const Backend& backend, const channel::EdgeEvent& event) {
                          if (!probes_->on_agent_event(backend, event))
                            relays_->on_agent_event(backend, event);
                        }});
  relays_ = std::make_unique<Relays>(
      RelaysContext{.random = random_,
                    .peers = *peers_,
                    .backends = *backends_,
                    .now = app::now,
                    .unix_seconds = app::unix_now,
                    .post = post,
                    .end_peer = [this](PeerId peer) { end_peer(peer); },
                    .session_up =
                        [this](const Relay& relay, const AgentSession& session) {
                          ++counts_.sessions_started;
                          counts_.set_up.ppp_up(relay.id, app::now());
                          operations_->session_up(session_view(relay, &session));
                        },
                    .session_down =
                        [this](const Relay& relay, const AgentSession& session, const std::string& cause,
                               const std::string& text) {
                          counts_.sessions_ended.add(cause);
                          operations_->session_down(session_view(relay, &session), cause, text);
                        },
                    .mtu = config_.mtu,
                    .limits = tunnel_limits(config_),
                    .listener_of = [this](const IpAddress& address) { return listener_of(address); },
                    .closed = [this] { return draining_->closed(); },
                    .note = [this](JournalEntry entry) { record(std::move(entry)); }});
  kicks_ = std::make_unique<Kicks>(*relays_, app::now);
  make_draining();
  make_probes();
  make_ike_probe();
  channel_spis_ = std::make_unique<channel::RandomSpiSource>(worker_count_, random_);
}

std::string Edge::listener_of(const IpAddress& address) const {
  for (const auto& listener : config_.listeners) {
    if (std::ranges::find(listener.addresses, address) != listener.addresses.end()) return listener.name;
  }
  return {};
}

void Edge::make_draining() {
  draining_ = std::make_unique<Draining>(DrainingContext{
      .relays = *relays_,
      .now_ms =
          [] {
            const auto since = std::chrono::system_clock::now().time_since_epoch();
            return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
          },
      .known =
          [this](const std::string& agent) {
            const auto& all = backends_->all();
            return std::ranges::any_of(all, [&](const auto& row) { return row.second.name == agent; }) ||
                   std::ranges::find(config_.agents, agent) != config_.agents.end();
          },
      .tell =
          [this](const std::string& text) { tell({.topic = "drain", .correlation_id = {}, .text = text}); },
      .file = config_.state_dir / "drains"});
}

void Edge::add_placement() {
  add_placement_commands(operations_->server(),
                         {.explain =
                              [this](const PlacementQuestion& question) {
                                return explain_placement(*backends_, question, app::now());
                              },
                          .drain = [this](const DrainRequest& request) { return draining_->begin(request); },
                          .undrain = [this](const std::string& agent) { return draining_->undo(agent); },
                          .drains = [this] { return draining_->list(); }});
}

void Edge::add_support_commands() {
  capturing_ = std::make_unique<Capturing>(CapturingContext{
      .io = io_,
      .peers = *peers_,
      .relays = *relays_,
      .workers = worker_count_,
      .now = app::now,
      .unix_time = [] { return std::chrono::system_clock::now().time_since_epoch(); },
      .post = [this](std::uint32_t worker, Command command) { post(worker, std::move(command)); }});
  add_capture_command(operations_->server(), [this](const auto& request, const auto& who, auto live) {
    return capturing_->begin(request, who, std::move(live));
  });
  add_report_commands(operations_->server(), {.settings = [this] { return config_.values; },
                                              .metrics =
                                                  [this] {
                                                    metrics::Page page;
                                                    collect(page);
                                                    return page.text();
                                                  }});
}

void Edge::start() {
  std::error_code failed;
  std::filesystem::create_directories(config_.run_dir, failed);
  if (failed) {
    throw std::runtime_error("edge.run_dir " + config_.run_dir.string() +
                             " cannot be made: " + failed.message());
  }
  std::uint8_t boot[8];
  random_.fill(boot);
  operations_ = std::make_unique<OperationsServer>(
      io_.get_executor(),
      vici::ServerOptions{.path = config_.operations_socket.string(), .mode = 0660, .owner = {}, .group = {}},
      *this);
  add_probe_command();
  add_placement();
  add_log_commands(operations_->server(), app::now);
  if (reload_) add_reload_command(operations_->server(), reload_);
  add_support_commands();
  add_journal();
  draining_->load();
  if (const auto error = operations_->start()) throw std::runtime_error(error->text);

  auto identity = or_throw(channel_identity(config_));
  transport::ChannelListenerConfig listen;
  listen.listen = config_.channel_listen;
  listen.control = {.edge_name = config_.name,
                    .boot_id = load_be64(boot),
                    .workers = worker_count_,
                    .data_port = static_cast<std::uint16_t>(config_.data_port),
                    .carrier = *channel::parse_carrier_mode(config_.carrier),
                    .times = {}};
  listener_ = or_throw(
      transport::ChannelListener::open(io_, std::move(listen), identity, *channel_spis_, *backends_));
  take_identity(std::move(identity));

  ike_ = std::make_unique<CharonProvider>(io_, ike_config(config_), *peers_, *this);
  ike_->start();
  serve_metrics();
  wait_for_events();
  tick();
}

std::optional<std::string> Edge::reload(Config config, transport::TlsIdentity identity) {
  if (stopping_) return "the edge is stopping; what is in the file counts when it starts again";
  auto ike = ike_config(config);
  keep_fixed(ike, ike_config(config_));
  if (auto fault = ike_->reload(std::move(ike))) return fault;
  take_identity(std::move(identity));
  for (std::uint32_t worker = 0; worker < worker_count_; ++worker) {
    post(worker, SetRates{.control_per_second = config.control_per_second,
                          .ike_per_source = config.ike_per_source,
                          .ike_per_prefix = config.ike_per_prefix,
                          .ike_new_sources = config.ike_new_sources});
  }
  backends_->set_allowed(config.agents);
  backends_->set_placement(config.placement);
  backends_->set_rekey(rekey_limits(config));
  relays_->set_limits(tunnel_limits(config));
  probes_->set(probe_login(config), config.l2tp_probe);
  ike_probe_->set_interval(config.ike_probe);
  // What needs a restart stays what it is.
  config_.listeners = std::move(config.listeners);
  config_.agents = std::move(config.agents);
  config_.values = app::taken_over(config_.values, config.values);
  return std::nullopt;
}

std::vector<std::string> Edge::connected_agents() const {
  std::vector<std::string> out;
  for (const auto& [id, backend] : backends_->all()) {
    if (backend.channel != nullptr) out.push_back(backend.name);
  }
  return out;
}

std::size_t Edge::sessions_on(const std::string& agent) const {
  std::size_t out = 0;
  for (const auto& [id, relay] : relays_->all()) {
    if (relay.backend_name == agent) out += relay.agent_sessions.size();
  }
  return out;
}

void Edge::take_identity(transport::TlsIdentity identity) {
  identity_ = std::move(identity);
  listener_->set_identity(*identity_);
  const auto& self = identity_->self();
  app::log_info("config.certificate", "certificate of the channel",
                {LogField("name", self.name), LogField("serial", self.serial),
                 LogField("ends", pki::date_text(self.expires_at)),
                 LogField("crl", identity_->crl_next_update() == 0 ? "none" : "read")});
}

void Edge::stop() {
  if (std::exchange(stopping_, true)) return;
  app::log_info("daemon.stopping", "stopping");
  if (relays_) relays_->close_all(channel::CloseCause::kEdgeStopping, "the edge is stopping");
  ike_probe_->stop();
  if (ike_) ike_->stop();
  if (listener_) listener_->stop("the edge is stopping");
  end_loop();
}

void Edge::leave() {
  if (!config_.keep_over_restart) return stop();
  if (std::exchange(stopping_, true)) return;
  app::log_info("daemon.leaving", "leaving: charon and the agents keep what they have for the next edge",
                {LogField("seconds", config_.restart_grace.count())});
  ike_probe_->stop();
  if (listener_) listener_->abandon();
  if (ike_) {
    ike_->seen(peers_->take_seen());
    ike_->leave();
  }
  end_loop();
}

void Edge::end_loop() {
  if (metrics_) metrics_->stop();
  if (capturing_) capturing_->stop();
  if (operations_) operations_->stop();
  timer_.cancel();
  woken_.cancel();
}

void Edge::wait_for_events() {
  woken_.async_wait(
      boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
        if (error || stopping_) return;
        std::uint64_t ignored = 0;
        [[maybe_unused]] const auto got = ::read(woken_.native_handle(), &ignored, sizeof ignored);
        take_events();
        wait_for_events();
      });
}

void Edge::take_events() {
  for (const auto& worker : workers_) {
    while (auto event = worker->next_event()) take(std::move(*event));
    while (auto batch = worker->next_frames())
      backends_->send_frames(BackendId(batch->peer), batch->records, batch->frames);
  }
}

void Edge::take(Event event) {
  if (auto* ike = std::get_if<IkeArrived>(&event)) {
    take_ike(*ike);
  } else if (auto* sccrq = std::get_if<SccrqArrived>(&event)) {
    relays_->on_sccrq(*sccrq);
  } else if (auto* observed = std::get_if<TunnelObserved>(&event)) {
    count_observed(*observed);
    relays_->on_observed(std::move(*observed));
  } else if (auto* moved = std::get_if<PeerMoved>(&event)) {
    const auto* peer = peers_->find(moved->peer);
    app::log_info(
        "ike.client-moved", "client moved",
        {LogField("id", peer == nullptr ? "" : peer->correlation_id),
         LogField("from", moved->old_remote.to_string()), LogField("to", moved->new_remote.to_string())});
    if (peer != nullptr) record_moved(*peer, moved->old_remote, moved->new_remote);
    peers_->moved(moved->peer, moved->new_remote);
    ike_->moved(moved->inbound, moved->local, moved->old_remote, moved->new_remote);
  } else if (auto* expired = std::get_if<SaExpired>(&event)) {
    ike_->expired(expired->inbound, expired->local, expired->hard);
  } else if (const auto* low = std::get_if<SequenceLow>(&event)) {
    ike_->reserve(low->outbound, low->remote, low->reserved + kSequenceChunk);
  } else if (auto* done = std::get_if<FarewellDone>(&event)) {
    relays_->on_farewell_done(*done);
  } else if (auto* arrived = std::get_if<ProbeArrived>(&event)) {
    probes_->on_packet(*arrived);
  } else if (const auto* carrier = std::get_if<PathCarrier>(&event)) {
    backends_->on_path_carrier(*carrier);
  } else if (const auto* mtu = std::get_if<PathMtuFound>(&event)) {
    backends_->on_path_mtu(*mtu);
  } else if (const auto* spent = std::get_if<PathSpent>(&event)) {
    backends_->on_path_spent(*spent);
  } else if (const auto* retired = std::get_if<PathRetired>(&event)) {
    channel_spis_->release(retired->to_edge);
  }
}

void Edge::take_ike(const IkeArrived& ike) {
  contacts_.arrived(ike.remote, ike.datagram, ike.proven);
  counts_.set_up.ike_packet(contacts_.id_at(ike.remote), app::now());
  record_ike_packet(ike.remote);
  ike_->ike_receive(ike.local, ike.remote, ike.marker, ike.datagram);
}

void Edge::measure_workers(Instant now) {
  constexpr auto kPause = std::chrono::seconds(1);
  const auto passed = now - workers_measured_;
  if (passed < kPause) return;
  std::vector<std::uint32_t> permille;
  workers_used_.resize(workers_.size());
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto used = workers_[i]->cpu_time();
    permille.push_back(static_cast<std::uint32_t>((used - workers_used_[i]) * 1000 / passed));
    workers_used_[i] = used;
  }
  workers_measured_ = now;
  peers_->workers_used(permille);
}

void Edge::tick() {
  for (const auto& worker : workers_) worker->flush();
  measure_workers(app::now());
  peers_->tick();
  backends_->tick();
  for (const auto& warning : expiry_.due(*identity_, app::unix_now()))
    app::log_warning("config.certificate-warning", "certificates", {LogField("warning", warning)});
  relays_->tick(config_.peer_grace);
  draining_->tick();
  kicks_->tick();
  probes_->tick();
  ike_probe_->tick();
  app::tick_log(app::now());
  if (++ticks_ % kSeenTicks == 0) ike_->seen(peers_->take_seen());
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !stopping_) tick();
  });
}

void Edge::end_peer(PeerId id) {
  const auto* peer = peers_->find(id);
  if (peer == nullptr) return;
  const auto sas = peer->ike_sas;
  for (const auto sa : sas) ike_->terminate(sa);
}

}  // namespace sluice::edge
