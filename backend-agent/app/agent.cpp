#include "backend-agent/app/agent.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "base/app/clock.hpp"
#include "base/app/log.hpp"
#include "base/app/log_control.hpp"
#include "esp/engine.hpp"
#include "proto/transport/identity.hpp"

namespace sluice::agent {
namespace {

using app::LogField;

constexpr auto kDropReportInterval = std::chrono::minutes(1);
constexpr auto kTick = std::chrono::seconds(1);
/// A timer that comes so late is as bad as a core that is never free.
constexpr auto kVeryLate = std::chrono::milliseconds(250);
/// How long clients have to acknowledge their farewell.
constexpr auto kFarewell = std::chrono::milliseconds(1500);
/// How long RADIUS servers have to take the last records, after that.
constexpr auto kLastRecords = std::chrono::seconds(3);
/// How often the end of accounting is looked for while stopping.
constexpr auto kDrainPoll = std::chrono::milliseconds(20);

template <class T>
T or_throw(Result<T, std::string> result) {
  if (!result) throw std::runtime_error(result.error());
  return std::move(result).value();
}

/// PPP settings for a path; the smallest of what is configured and what fits.
std::shared_ptr<const ppp::PppConfig> ppp_config(const Config& config, std::uint16_t ppp_mtu) {
  constexpr std::uint32_t kSmallest = 576;
  const std::uint32_t fits = ppp_mtu == 0 ? 1500U : std::max<std::uint32_t>(ppp_mtu, kSmallest);
  auto out = std::make_shared<ppp::PppConfig>();
  out->auth = config.auth;
  out->eap_passthrough = !config.radius.servers.empty();
  out->mru = static_cast<std::uint16_t>(std::min(config.mru, fits));
  out->mtu = static_cast<std::uint16_t>(std::min(config.mtu, fits));
  out->clamp_mss = config.clamp_mss;
  out->name = config.host_name;
  out->auth_timeout = config.auth_timeout;
  out->auth_retries = config.auth_retries;
  out->rechallenge_interval = config.rechallenge_interval;
  out->echo_interval = config.echo_interval;
  out->echo_failures = config.echo_failures;
  return out;
}

/// One object for all sessions of a path size.
std::function<std::shared_ptr<const ppp::PppConfig>(std::uint16_t)> shared_ppp_config(const Config& config) {
  return [config, made = std::map<std::uint16_t, std::shared_ptr<const ppp::PppConfig>>()](
             std::uint16_t mtu) mutable {
    auto& slot = made[mtu];
    if (!slot) slot = ppp_config(config, mtu);
    return slot;
  };
}

std::set<std::string, std::less<>> names_of(const Filters& filters) {
  std::set<std::string, std::less<>> out;
  for (const auto& [name, filter] : filters) out.insert(name);
  return out;
}

void warn_if_not_forwarding() {
  std::ifstream in("/proc/sys/net/ipv4/ip_forward");
  int on = 1;
  if (in >> on && on == 0) {
    app::log_warning("network.no-forwarding",
                     "this machine does not forward IPv4: clients reach only the machine itself. sysctl -w "
                     "net.ipv4.ip_forward=1 mends it");
  }
}

}  // namespace

Result<transport::TlsIdentity, std::string> channel_identity(const Config& config) {
  return transport::load_identity({.ca = config.tls_ca,
                                   .certificate = config.tls_certificate,
                                   .key = config.tls_key,
                                   .crl = config.tls_crl,
                                   .name = config.name},
                                  transport::Role::kAgent);
}

Agent::Agent(boost::asio::io_context& io, Config config)
    : io_(io), config_(std::move(config)), woken_(io), timer_(io), stop_timer_(io), drain_timer_(io) {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw std::runtime_error("no file descriptor is left");
  woken_.assign(fd);
  authentication_ = std::make_unique<Authentication>(
      io_, config_, random_, [this](SessionSerial session) { workers_->post(AskCounters{session}); });
  pools_ = std::make_unique<Pools>(config_.pools, reserved());
  pools_->set_reserved(authentication_->fixed_prefixes());
  if (!config_.hands_off()) {
    routed_pools_ = pool_prefixes();
    tun_ =
        std::make_unique<TunDevice>(or_throw(TunDevice::open({.name = config_.tun_name,
                                                              .mtu = static_cast<std::uint16_t>(config_.mtu),
                                                              .queues = worker_count(),
                                                              .addresses = {config_.local_address},
                                                              .routes = routed_pools_})));
    warn_if_not_forwarding();
  }
  make_workers();
  make_uplink();
  make_sessions();
  const std::string to = config_.hands_off() ? config_.handoff_server.to_string() : "none";
  app::log_info(
      "daemon.ready", "ready",
      {LogField("name", config_.name), LogField("tun", tun_ ? tun_->name() : "none"), LogField("handoff", to),
       LogField("local_address", config_.local_address.to_string()), LogField("addresses", pools_->free()),
       LogField("users", authentication_->users()), LogField("radius_servers", config_.radius.servers.size()),
       LogField("workers", workers_->size()), LogField("engine", workers_->engine_name())});
}

Agent::~Agent() = default;

std::vector<Prefix> Agent::pool_prefixes() const {
  std::vector<Prefix> out;
  const auto add = [&](const std::vector<AddressRange>& ranges) {
    for (const auto& range : ranges) {
      const auto prefixes = prefixes_of(range);
      out.insert(out.end(), prefixes.begin(), prefixes.end());
    }
  };
  const auto add_networks = [&](const auto& pool) {
    add(pool.ranges);
    for (const auto* networks : {&pool.ipv6, &pool.delegated})
      out.insert(out.end(), networks->begin(), networks->end());
  };
  add_networks(config_.pools);
  for (const auto& named : config_.pools.named) add_networks(named);
  return out;
}

std::unordered_set<std::uint32_t> Agent::reserved() const {
  auto out = authentication_->fixed_addresses();
  out.insert(config_.local_address.to_v4());
  return out;
}

std::uint32_t Agent::worker_count() const {
  if (config_.workers != 0) return config_.workers;
  return std::clamp(std::thread::hardware_concurrency(), 1U, channel::kMaxWorkers);
}

WorkerParts Agent::parts_of(std::uint32_t worker, TunPort tun) {
  LnsSettings lns;
  lns.worker = worker;
  lns.host_name = config_.host_name;
  lns.hello_interval = config_.hello_interval;
  static_cast<LnsProfile&>(lns) = lns_profile();
  const auto first_port = static_cast<std::uint16_t>(config_.data_port);
  const Endpoint data{config_.data_address, channel::port_of(first_port, worker)};
  auto port = or_throw(transport::UdpPort::open({.bind = data, .reuse_port = false}));
  auto engine =
      std::make_unique<esp::TimedEngine>(or_throw(esp::make_engine("auto", random_)), app::now, random_);
  engines_.push_back(engine.get());
  std::optional<HandoffSettings> handoff;
  if (config_.hands_off()) {
    handoff = HandoffSettings{config_.handoff_server,
                              share_of(config_.handoff_sources, worker, worker_count()), worker};
  }
  return {std::move(port), std::move(tun),         std::move(engine),
          std::move(lns),  woken_.native_handle(), handoff};
}

void Agent::make_workers() {
  auto ports = tun_ ? tun_->take_ports() : std::vector<TunPort>();
  ports.resize(worker_count());
  std::vector<WorkerParts> parts;
  for (std::uint32_t worker = 0; worker < worker_count(); ++worker)
    parts.push_back(parts_of(worker, std::move(ports[worker])));
  workers_ = std::make_unique<Workers>(std::move(parts));
  last_cpu_.resize(workers_->size());
  last_slept_.resize(workers_->size());
}

void Agent::make_uplink() {
  auto identity = or_throw(channel_identity(config_));
  std::uint8_t boot[8];
  random_.fill(boot);
  channel::Hello hello;
  hello.boot_id = load_be64(boot);
  hello.weight = config_.weight;
  hello.workers = workers_->size();
  hello.data_port = static_cast<std::uint16_t>(config_.data_port);
  hello.max_sessions = config_.max_sessions;
  hello.software = "sluice-agent " SLUICE_VERSION;
  hello.carrier = *channel::parse_carrier_mode(config_.carrier);
  uplink_ = std::make_unique<Uplink>(
      UplinkContext{io_, random_, [this](Command command) { workers_->post(std::move(command)); },
                    [this] { return refusal(); }, [this](Bytes records) { workers_->give_frames(records); },
                    config_.edge_grace},
      config_.edges, identity, hello);
  take_identity(std::move(identity));
}

void Agent::take_identity(transport::TlsIdentity identity) {
  identity_ = std::move(identity);
  uplink_->set_identity(*identity_);
  const auto& self = identity_->self();
  app::log_info("config.agent-certificate", "certificate of the channel",
                {LogField("name", self.name), LogField("serial", self.serial),
                 LogField("ends", pki::date_text(self.expires_at))});
}

void Agent::make_sessions() {
  auto profile = sessions_profile();
  sessions_ = std::make_unique<Sessions>(SessionsContext{
      .authenticator = authentication_->gate(),
      .pools = *pools_,
      .accounting = authentication_->accounting(),
      .common = std::move(profile.common),
      .dns6 = std::move(profile.dns6),
      .interim = profile.interim,
      .session_prefix = authentication_->session_prefix(),
      .now = app::now,
      .unix_seconds = app::unix_now,
      .post = [this](Command command) { workers_->post(std::move(command)); },
      .session_up = [this](ChannelId id, const channel::SessionUp& up) { uplink_->session_up(id, up); },
      .session_down = [this](ChannelId id,
                             const channel::SessionDown& down) { uplink_->session_down(id, down); },
      .called = [this](ChannelId id) { return uplink_->edge_name(id); },
      .max_sessions = profile.max_sessions,
      .filters = std::move(profile.filters),
      .route = [this](const Prefix& prefix, bool in_use) { set_route(prefix, in_use); },
      .steer = [this](const Prefix& prefix, SessionSerial session,
                      bool in_use) { steer(prefix, session, in_use); }});
  authentication_->listen(
      [this](const radius::DynamicRequest& request) { return sessions_->on_dynamic(request); });
}

std::optional<std::string> Agent::refusal() const {
  if (stopping_ || draining_) return "draining";
  const std::size_t sessions = std::max<std::size_t>(workers_->sessions(), sessions_->size());
  if (config_.max_sessions != 0 && sessions >= config_.max_sessions) return "max_sessions reached";
  if (!config_.hands_off() && pools_->free() == 0) return "no address is free";
  return std::nullopt;
}

/// What is a client's own, not a pool's, has a route only while it is in use.
void Agent::set_route(const Prefix& prefix, bool in_use) {
  if (!tun_) return;
  if (!in_use) return tun_->remove_route(prefix);
  if (const auto error = tun_->add_route(prefix))
    app::log_warning("network.no-route", "no route to a client's network",
                     {LogField("network", prefix.to_string()), LogField("cause", *error)});
}

/// Packets for a client come to the worker that serves it. Whoever has a network last has it.
void Agent::steer(const Prefix& prefix, SessionSerial session, bool in_use) {
  if (!tun_ || workers_->size() == 1) return;
  if (in_use) {
    steered_[prefix] = session;
    if (const auto error = tun_->steer(prefix, worker_of(session)))
      app::log_warning("network.not-steered", "a client gets no packets",
                       {LogField("network", prefix.to_string()), LogField("cause", *error)});
    return;
  }
  const auto found = steered_.find(prefix);
  if (found == steered_.end() || found->second != session) return;
  steered_.erase(found);
  tun_->unsteer(prefix);
}

void Agent::set_proxy(SessionSerial session, const IpAddress& address) {
  if (!tun_ || config_.proxy_devices.empty() || address.is_unspecified()) return;
  if (!proxied_[session].insert(address).second) return;
  for (const auto& device : config_.proxy_devices) {
    if (const auto error = tun_->add_proxy(device, address))
      app::log_warning(
          "network.no-proxy", "nobody answers for a client's address",
          {LogField("address", address.to_string()), LogField("device", device), LogField("cause", *error)});
  }
}

void Agent::remove_proxies(SessionSerial session) {
  const auto found = proxied_.find(session);
  if (found == proxied_.end()) return;
  for (const auto& device : config_.proxy_devices) {
    for (const auto& address : found->second) tun_->remove_proxy(device, address);
  }
  proxied_.erase(found);
}

void Agent::start() {
  started_at_ = app::unix_now();
  serve_metrics();
  last_report_ = app::now();
  uplink_->start();
  wait_for_events();
  tick();
}

void Agent::drain(bool on) {
  if (stopping_ || std::exchange(draining_, on) == on) return;
  const LogField sessions("sessions", workers_->sessions());
  on ? app::log_info("placement.agent-draining", "draining: no more tunnels are taken", {sessions})
     : app::log_info("placement.agent-in-service", "in service again", {sessions});
  uplink_->set_load(load(), true);
}

void Agent::stop() {
  if (std::exchange(stopping_, true)) return;
  app::log_info("daemon.agent-stopping", "stopping", {LogField("sessions", workers_->sessions())});
  uplink_->set_load(load(), true);
  workers_->post(CloseAll{"the server is stopping"});
  stop_timer_.expires_after(kFarewell);
  stop_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) close_accounting();
  });
}

/// No session is left, or none that still answers.
void Agent::close_accounting() {
  if (std::exchange(accounting_closed_, true)) return;
  authentication_->farewell();
  stop_timer_.expires_after(kLastRecords);
  stop_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) finish_stop();
  });
  drain_accounting();
}

void Agent::drain_accounting() {
  if (stopped_) return;
  if (authentication_->owed() == 0) return finish_stop();
  drain_timer_.expires_after(kDrainPoll);
  drain_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) drain_accounting();
  });
}

void Agent::finish_stop() {
  if (std::exchange(stopped_, true)) return;
  drain_timer_.cancel();
  if (const auto owed = authentication_->owed(); owed > 0)
    app::log_error("radius.records-lost-at-end", "accounting records are lost: no server takes them",
                   {LogField("records", owed)});
  authentication_->stop();
  stop_timer_.cancel();
  report_drops();
  if (metrics_) metrics_->stop();
  uplink_->stop("the agent is stopping");
  timer_.cancel();
  woken_.cancel();
}

std::optional<std::string> Agent::reload(CheckedConfig fresh) {
  Config& next = *fresh.config;
  const auto changed = [&](std::string_view table) {
    const auto changes = app::changes_between(config_.values, next.values);
    return std::ranges::any_of(changes, [&](const auto& one) { return one.key.starts_with(table); });
  };
  const bool radius = changed("radius"), pools = changed("pool") || changed("named_pool");
  auto former = config_;
  const bool judges = radius && next.radius.servers.empty() == config_.radius.servers.empty();
  take_live(next, judges);
  try {
    authentication_->reload(std::move(fresh.users), judges);
  } catch (const std::exception& error) {
    config_ = std::move(former);
    return error.what();
  }
  take_identity(std::move(*fresh.identity));
  if (!config_.hands_off() && pools) reload_pools();
  pools_->set_reserved(reserved());
  pools_->set_reserved(authentication_->fixed_prefixes());
  sessions_->set_profile(sessions_profile());
  workers_->post(SetProfile{lns_profile()});
  app::configure_log(config_.log);
  return std::nullopt;
}

/// What a reload can change; all else stays what it is until a restart.
void Agent::take_live(Config& next, bool radius) {
  config_.max_sessions = next.max_sessions;
  config_.auth = next.auth;
  config_.mru = next.mru;
  config_.auth_retries = next.auth_retries;
  config_.rechallenge_interval = next.rechallenge_interval;
  config_.split_routes = next.split_routes;
  config_.domain = next.domain;
  config_.dns = next.dns;
  config_.nbns = next.nbns;
  config_.dns6 = next.dns6;
  config_.clamp_mss = next.clamp_mss;
  config_.echo_interval = next.echo_interval;
  config_.echo_failures = next.echo_failures;
  config_.auth_timeout = next.auth_timeout;
  if (!config_.users_file.empty() && !next.users_file.empty()) config_.users_file = next.users_file;
  config_.filters = next.filters;
  config_.throttle = next.throttle;
  config_.log = next.log;
  if (!config_.hands_off()) config_.pools = next.pools;
  if (radius) {
    config_.radius.servers = next.radius.servers;
    config_.radius.timeout = next.radius.timeout;
    config_.radius.tries = next.radius.tries;
    config_.radius.dead_time = next.radius.dead_time;
    config_.radius.status_server = next.radius.status_server;
    config_.radius.interim_interval = next.radius.interim_interval;
  }
  config_.values = app::taken_over(config_.values, next.values);
}

/// What no pool holds any more keeps a route of its own while a client has it.
void Agent::reload_pools() {
  const auto before = std::exchange(routed_pools_, pool_prefixes());
  pools_->reconfigure(config_.pools, reserved());
  for (const auto& prefix : routed_pools_) {
    if (std::ranges::find(before, prefix) == before.end()) set_route(prefix, true);
  }
  sessions_->pools_changed();
  for (const auto& prefix : before) {
    if (std::ranges::find(routed_pools_, prefix) == routed_pools_.end()) set_route(prefix, false);
  }
}

LnsProfile Agent::lns_profile() const {
  return {shared_ppp_config(config_), std::make_shared<const Filters>(config_.filters)};
}

SessionsProfile Agent::sessions_profile() const {
  SessionsProfile out;
  out.common.local = config_.local_address;
  out.common.dns = config_.dns;
  out.common.nbns = config_.nbns;
  out.common.split_routes = config_.split_routes;
  out.common.domain = config_.domain;
  out.dns6 = config_.dns6;
  out.interim = config_.radius.interim_interval;
  out.max_sessions = config_.max_sessions;
  out.filters = names_of(config_.filters);
  return out;
}

void Agent::wait_for_events() {
  woken_.async_wait(
      boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
        if (error || stopped_) return;
        std::uint64_t ignored = 0;
        [[maybe_unused]] const auto got = ::read(woken_.native_handle(), &ignored, sizeof ignored);
        take_events();
        if (!stopped_) wait_for_events();
      });
}

void Agent::take_events() {
  while (auto event = workers_->next_event()) take(std::move(*event));
  while (auto batch = workers_->next_frames())
    uplink_->send_frames(ChannelId(batch->peer), batch->records, batch->frames);
  while (auto spi = workers_->next_released()) uplink_->release(*spi);
}

void Agent::take(Event event) {
  if (auto* asked = std::get_if<AuthAsked>(&event)) {
    sessions_->on_auth(std::move(*asked));
  } else if (const auto* opened = std::get_if<SessionOpened>(&event)) {
    ++sessions_started_;
    set_proxy(opened->session, opened->addresses.remote);
    sessions_->on_opened(*opened);
  } else if (const auto* six = std::get_if<Ipv6Opened>(&event)) {
    if (const auto own = ppp::autoconfigured(six->addresses)) set_proxy(six->session, *own);
  } else if (const auto* told = std::get_if<CountersTold>(&event)) {
    sessions_->on_counters(*told);
  } else if (const auto* gone = std::get_if<SessionGone>(&event)) {
    if (!gone->probe) sessions_ended_.add(gone->cause);
    remove_proxies(gone->session);
    sessions_->on_gone(*gone);
  } else if (const auto* over = std::get_if<TunnelGone>(&event)) {
    uplink_->close_tunnel(over->key,
                          over->by_client ? channel::CloseCause::kByClient : channel::CloseCause::kByAgent,
                          over->text);
  } else if (const auto* says = std::get_if<ClientSays>(&event)) {
    app::log_debug("session.client-says", "client says",
                   {LogField("id", says->correlation_id), LogField("client", says->client.to_string()),
                    LogField("text", says->text)});
  } else if (const auto* failed = std::get_if<ChannelFailed>(&event)) {
    app::log_error("channel.keys-unusable", "data keys unusable", {LogField("cause", failed->text)});
  } else if (const auto* change = std::get_if<LaneCarrier>(&event)) {
    uplink_->on_carrier(*change);
  } else if (const auto* described = std::get_if<TunnelsDescribed>(&event)) {
    uplink_->offer(*described);
  } else if (std::holds_alternative<AllClosed>(event)) {
    close_accounting();
  }
}

Agent::Busy Agent::busiest(Duration elapsed) {
  Busy most;
  for (std::uint32_t worker = 0; worker < workers_->size(); ++worker) {
    const auto& each = workers_->each()[worker];
    const Duration cpu = each->cpu_time();
    const Duration slept = each->slept(app::now());
    Busy busy{.cpu = cpu - std::exchange(last_cpu_[worker], cpu)};
    const Duration awake = elapsed - (slept - std::exchange(last_slept_[worker], slept));
    busy.waited = std::max(awake - busy.cpu, Duration::zero());
    if (busy.cpu + busy.waited > most.cpu + most.waited) most = busy;
  }
  // The control thread has a date each second, and next to nothing to do.
  most.waited = std::max(most.waited, (elapsed - kTick) * (kTick / kVeryLate));
  return most;
}

channel::LoadReport Agent::load() {
  const Instant now = app::now();
  const std::uint64_t packets = workers_->packets();
  const auto elapsed = std::max<Duration>(now - last_report_, std::chrono::milliseconds(1));
  const double seconds = std::chrono::duration<double>(elapsed).count();
  channel::LoadReport out;
  out.sessions = workers_->sessions();
  out.tunnels = workers_->tunnels();
  const auto permille = [&](Duration part) {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(part * 1000 / elapsed, 0, 1000));
  };
  const auto busy = busiest(elapsed);
  out.cpu_permille = permille(busy.cpu);
  out.cpu_wait_permille = permille(busy.waited);
  out.packets_per_second = static_cast<std::uint64_t>(static_cast<double>(packets - last_packets_) / seconds);
  out.free_addresses =
      config_.hands_off() ? channel::kNoAddressLimit : static_cast<std::uint32_t>(pools_->free());
  out.draining = stopping_ || draining_;
  out.radius_ms = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(authentication_->radius_time()).count());
  last_report_ = now;
  last_packets_ = packets;
  return out;
}

void Agent::report_drops() {
  const std::string line = drop_report_.since_last(*workers_);
  if (!line.empty()) app::log_info("data.dropped", "packets dropped", {LogField("reasons", line)});
  last_drop_report_ = app::now();
}

void Agent::tick() {
  workers_->flush();
  authentication_->tick(app::now());
  for (const auto& warning : expiry_.due(*identity_, app::unix_now()))
    app::log_warning("config.agent-certificate-warning", "certificates", {LogField("warning", warning)});
  if (app::now() - last_drop_report_ >= kDropReportInterval) report_drops();
  uplink_->set_load(load());
  uplink_->tick(app::now());
  app::tick_log(app::now());
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !stopped_) tick();
  });
}

}  // namespace sluice::agent
