#include "edge/config/config.hpp"

#include <algorithm>

#include "base/app/log_config.hpp"
#include "base/text.hpp"
#include "edge/config/ike_files.hpp"
#include "edge/config/ike_settings.hpp"
#include "edge/config/placement_config.hpp"

namespace sluice::edge {
namespace {

using app::Number;
using app::OneOf;
using app::Path;
using app::Takes;

constexpr std::uint32_t kMaxWorkers = 64;
/// A unix socket's path, with the zero at its end, is in 108 bytes.
constexpr std::size_t kLongestSocket = 107;

std::vector<app::Setting> fixed_settings(Config& c) {
  return {
      {"edge.name", &c.name, "this edge's name, as in its certificate", true},
      {"edge.run_dir", Path{&c.run_dir}, "folder for sockets and charon's generated files"},
      {"edge.state_dir", Path{&c.state_dir}, "folder for what outlives restarts of the edge"},
      {"edge.core_dumps", &c.core_dumps,
       "whether a crash may leave a core file; it would hold keys and pre-shared keys"},
      {"listen.ike_port", Number{&c.ike_port, 1, 65535}, "UDP port for IKE"},
      {"listen.natt_port", Number{&c.natt_port, 1, 65535}, "UDP port for IKE and ESP behind NAT"},
      {"ike.attach", Path{&c.ike_attach}, "vici socket of a charon that somebody else runs"},
      {"ike.charon", Path{&c.charon}, "strongSwan's daemon"},
      {"ike.plugin", Path{&c.plugin}, "libstrongswan-sluice.so"},
      {"ike.user", &c.ike_user, "user that charon runs as"},
      {"ike.keep_over_restart", &c.keep_over_restart,
       "whether charon and the clients outlive a restart of the edge"},
      {"ike.restart_grace", &c.restart_grace, "seconds that charon stays without an edge"},
      {"dataplane.workers", Number{&c.workers, 0, kMaxWorkers}, "data threads; 0: one for each core"},
      {"dataplane.engine", OneOf{&c.engine, {"auto", "ipsec_mb", "botan"}}, "who encrypts"},
      {"dataplane.replay_window", Number{&c.replay_window, 64, 4096}, "packets"},
      {"dataplane.delete_grace", &c.delete_grace, "seconds an old inbound SA lives on after its DELETE"},
      {"dataplane.peer_grace", &c.peer_grace, "seconds a tunnel outlives its last SA"},
      {"dataplane.orphan_idle", &c.orphan_idle,
       "seconds without traffic after which SAs end whose IKE daemon died"},
      {"dataplane.pin", &c.pin, "keep each data thread on a core of its own"},
      {"dataplane.busy_poll_us", Number{&c.busy_poll_us, 0, 1000000},
       "microseconds a data thread polls before it sleeps"},
      {"dataplane.mtu", Number{&c.mtu, 1280, 9000}, "MTU of the path to the clients, bytes"},
      {"channel.listen", &c.channel_listen, "address:port where agents dial", true},
      {"channel.data_port", Number{&c.data_port, 1, 65535}, "UDP port of the data carrier"},
      {"channel.carrier", OneOf{&c.carrier, {"auto", "udp", "tls"}}, "what agents' data goes by"},
      {"operations.socket", Path{&c.operations_socket}, "unix socket for sluicectl"},
      {"operations.remember_clients", Number{&c.remember_clients, 16, 1000000},
       "clients whose lives are remembered for trace and why, those that are gone included"},
      {"operations.remember_megabytes", Number{&c.remember_megabytes, 1, 65536},
       "and the memory for it, in MiB"},
  };
}

std::vector<app::Setting> reloaded_settings(Config& c) {
  return app::taking(
      Takes::kReload,
      {
          {"limits.half_open", &c.half_open, "seconds a tunnel may take to be established; 0: no limit"},
          {"limits.control_per_second", Number{&c.control_per_second, 0, 100000},
           "L2TP control messages of one client each second; 0: no limit"},
          {"limits.ike_per_source", Number{&c.ike_per_source, 0, 1000000},
           "IKE handshakes that one address may begin each second; 0: no limit"},
          {"limits.ike_per_prefix", Number{&c.ike_per_prefix, 0, 1000000},
           "the same of one /24 or /56, of addresses that have not shown that they receive our answers"},
          {"limits.ike_new_sources", Number{&c.ike_new_sources, 0, 1000000},
           "the same of all such addresses that were not seen lately, and as many of those that were"},
          {"probe.l2tp_interval", &c.l2tp_probe, "seconds between L2TP probes of each agent; 0: never"},
          {"probe.ike_interval", &c.ike_probe,
           "seconds between probes of the edge's own IKE; 0: on command only"},
          {"channel.agents", &c.agents, "names of agents that may connect"},
          {"channel.rekey_time", &c.rekey_time, "seconds that keys of agents' data are used; 0: no limit"},
          {"channel.rekey_packets", Number{&c.rekey_packets}, "packets, of one pair of workers; 0: no limit"},
          {"channel.rekey_megabytes", Number{&c.rekey_megabytes}, "the same in MiB; 0: no limit"},
          {"tls.ca", Path{&c.tls_ca, true}, "PEM file of the private CA", true},
          {"tls.certificate", Path{&c.tls_certificate, true}, "PEM file of this edge's certificate", true},
          {"tls.key", Path{&c.tls_key, true}, "PEM file of its key", true},
          {"tls.crl", Path{&c.tls_crl, true}, "PEM file of what the private CA took back"},
      });
}

std::vector<app::Setting> client_limits(Config& c) {
  return app::taking(Takes::kNewClients,
                     {
                         {"limits.tunnels_per_client", Number{&c.tunnels_per_client, 0, 10000},
                          "L2TP tunnels of one client; 0: no limit"},
                         {"limits.tunnels_per_identity", Number{&c.tunnels_per_identity, 0, 1000000},
                          "L2TP tunnels of all clients with one IKE identity; 0: no limit"},
                         {"limits.sessions_per_client", Number{&c.sessions_per_client, 0, 10000},
                          "sessions of one client; 0: no limit"},
                     });
}

IkeListener clone(const IkeListener& from) {
  IkeListener to;
  to.name = from.name;
  to.addresses = from.addresses;
  to.profiles = from.profiles;
  to.auth = from.auth;
  to.identity = from.identity;
  to.certificates = from.certificates;
  to.private_key = from.private_key.clone();
  to.client_cas = from.client_cas;
  to.require_crl = from.require_crl;
  return to;
}

void read_probe(app::ConfigFile& file, Config& c) {
  std::filesystem::path path;
  file.read(app::taking(
      Takes::kReload,
      {{"probe.user", &c.probe_user, "whom L2TP probes log in as; empty: they end before PPP"},
       {"probe.password_file", Path{&path, true}, "file whose first line is that user's password"}}));
  if (c.probe_user.empty() != path.empty()) {
    return file.fail(path.empty() ? "probe.user" : "probe.password_file",
                     "probe.user and probe.password_file go together");
  }
  if (path.empty()) return;
  if (c.l2tp_probe.count() == 0)
    file.warn("probe.user", "nobody logs in: probe.l2tp_interval = 0 switches these probes off");
  auto password = read_private_file(path);
  if (!password) return file.fail("probe.password_file", password.error());
  c.probe_password = std::move(*password);
}

void read_metrics(app::ConfigFile& file, http::ListenAt& at) {
  std::string text;
  file.read({{"metrics.listen", &text,
              "address:port or unix socket of /metrics, /healthz and /readyz; empty: nowhere"}});
  const auto parsed = http::parse_listen_at(text);
  parsed ? void(at = *parsed) : file.fail("metrics.listen", parsed.error());
}

std::string place_of(const IkeFault& fault, const Config& c) {
  if (fault.psk) return "psk[" + std::to_string(*fault.psk) + "]";
  if (!fault.listener) return "listen";
  const bool main_there = c.listeners.front().name == "main";
  if (main_there && *fault.listener == 0) return "listen";
  return "listener[" + std::to_string(*fault.listener - (main_there ? 1 : 0)) + "]";
}

/// Each worker takes data frames on a port of its own, counted from data_port.
void check_ports(app::ConfigFile& file, const Config& c) {
  if (c.ike_port == c.natt_port) file.fail("listen.natt_port", "must differ from listen.ike_port");
  const auto last_port = c.data_port + (c.workers == 0 ? kMaxWorkers : c.workers) - 1;
  const auto within = [&](std::uint32_t port) { return port >= c.data_port && port <= last_port; };
  if (within(c.ike_port) || within(c.natt_port)) {
    file.fail("channel.data_port", "clashes with an IKE port: each worker takes one port from it on");
  }
  if (last_port > UINT16_MAX) file.fail("channel.data_port", "leaves no room for a port for each worker");
  if (c.channel_listen.port == 0 && !c.channel_listen.address.is_unspecified())
    file.fail("channel.listen", "needs a port: agents must know where to dial");
}

void check_listening(app::ConfigFile& file, const Config& c) {
  const auto* metrics = std::get_if<Endpoint>(&c.metrics_listen);
  if (metrics != nullptr && metrics->port == c.channel_listen.port &&
      (metrics->address == c.channel_listen.address || metrics->address.is_unspecified() ||
       c.channel_listen.address.is_unspecified())) {
    file.fail("metrics.listen", "is where agents dial, channel.listen: give one of them another port");
  }
  const auto* socket = std::get_if<std::string>(&c.metrics_listen);
  if (socket != nullptr && *socket == c.operations_socket.native())
    file.fail("metrics.listen", "is operations.socket: give one of them another name");
  if (c.operations_socket.native().size() > kLongestSocket)
    file.fail("operations.socket",
              "is longer than a unix socket's path may be, " + std::to_string(kLongestSocket) + " bytes");
}

void check_agents(app::ConfigFile& file, const Config& c) {
  for (std::size_t i = 0; i < c.agents.size(); ++i) {
    const auto place = "channel.agents[" + std::to_string(i) + "]";
    if (c.agents[i].empty()) file.fail(place, "must not be empty");
    if (std::find(c.agents.begin(), c.agents.begin() + static_cast<std::ptrdiff_t>(i), c.agents[i]) !=
        c.agents.begin() + static_cast<std::ptrdiff_t>(i))
      file.warn(place, "\"" + escaped(c.agents[i]) + "\" is named twice");
  }
}

void check(app::ConfigFile& file, const Config& c) {
  if (c.name.empty() && file.errors().empty()) file.fail("edge.name", "must not be empty");
  check_ports(file, c);
  if (file.errors().empty()) {
    for (const auto& fault : check_ike(ike_config(c))) file.fail(place_of(fault, c), fault.text);
  }
  check_listening(file, c);
  check_agents(file, c);
  if (!c.ike_attach.empty() && !c.charon.empty())
    file.warn("ike.charon", "is not started: ike.attach names a charon that somebody else runs");
  const auto key = app::check_secret_file(c.tls_key);
  if (!c.tls_key.empty() && key) file.fail("tls.key", *key);
}

void read_all(app::ConfigFile& file, Config& config) {
  file.read(fixed_settings(config));
  file.read(reloaded_settings(config));
  file.read(client_limits(config));
  read_probe(file, config);
  read_metrics(file, config.metrics_listen);
  read_ike(file, config);
  read_placement(file, config);
  app::read_log_settings(file, config.log);
}

Result<LoadedConfig, app::ConfigErrors> finish(Result<app::ConfigFile, app::ConfigErrors> loaded) {
  if (!loaded) return Failure{loaded.error()};
  auto& file = *loaded;
  LoadedConfig out;
  read_all(file, out.config);
  file.reject_unknown();
  check(file, out.config);
  if (!file.errors().empty()) return Failure{file.errors()};
  out.config.values = file.values();
  out.warnings = file.warnings();
  if (out.config.state_dir.empty()) out.config.state_dir = out.config.run_dir;
  if (out.config.operations_socket.empty()) out.config.operations_socket = out.config.run_dir / "edge.sock";
  return out;
}

}  // namespace

app::ConfigValues config_settings() {
  auto file = app::ConfigFile::blank();
  Config config;
  read_all(file, config);
  return file.values();
}

IkeConfig ike_config(const Config& config) {
  IkeConfig ike;
  ike.run_dir = config.run_dir / "ike";
  ike.attach = config.ike_attach;
  ike.charon_path = config.charon;
  ike.plugin_path = config.plugin;
  ike.user = config.ike_user;
  ike.ike_port = static_cast<std::uint16_t>(config.ike_port);
  ike.natt_port = static_cast<std::uint16_t>(config.natt_port);
  ike.keep_over_restart = config.keep_over_restart;
  ike.linger = config.restart_grace;
  ike.listeners.clear();
  for (const auto& listener : config.listeners) ike.listeners.push_back(clone(listener));
  for (const auto& psk : config.psks) {
    IkePsk entry{{}, psk.secret.clone(), psk.listener};
    if (psk.identity != "%any") entry.identities.push_back(psk.identity);
    ike.psks.push_back(std::move(entry));
  }
  for (const auto& user : config.ike_users) ike.users.push_back({user.name, user.password.clone()});
  for (const auto& server : config.ike_radius) ike.radius.push_back({server.address, server.secret.clone()});
  ike.crls = config.crls;
  return ike;
}

Result<LoadedConfig, app::ConfigErrors> load_config(const std::filesystem::path& file) {
  return finish(app::ConfigFile::load(file));
}

Result<LoadedConfig, app::ConfigErrors> parse_config(std::string_view text, const std::string& file_name) {
  return finish(app::ConfigFile::parse(text, file_name));
}

}  // namespace sluice::edge
