#pragma once
// The edge's configuration as a value. Read at start-up; thread: control.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/app/config_table.hpp"
#include "base/app/log_control.hpp"
#include "base/http/listen_at.hpp"
#include "base/ip.hpp"
#include "base/secret.hpp"
#include "edge/ike/config.hpp"
#include "edge/placement/settings.hpp"

namespace sluice::edge {

struct PskEntry {
  std::string identity = "%any";
  Secret secret;
  std::string listener;  ///< empty: every listener that has no key of its own
};

struct Config {
  std::string name;
  std::filesystem::path run_dir = "/run/sluice";
  bool core_dumps = false;

  std::vector<IpAddress> listen_addresses;  ///< of all listeners
  std::uint32_t ike_port = 500;
  std::uint32_t natt_port = 4500;

  std::vector<IkeListener> listeners;
  std::vector<PskEntry> psks;
  std::vector<IkeUser> ike_users;           ///< for XAuth and EAP-MSCHAPv2
  std::vector<IkeRadiusServer> ike_radius;  ///< for EAP-RADIUS
  std::vector<ByteVector> crls;             ///< DER
  std::filesystem::path charon;             ///< empty: found by itself
  std::filesystem::path plugin;             ///< libstrongswan-sluice.so; empty: found by itself
  std::string ike_user;
  std::filesystem::path ike_attach;        ///< vici socket of a charon that the operator runs
  bool keep_over_restart = true;           ///< charon and SAs outlive SIGTERM and crashes
  std::chrono::seconds restart_grace{60};  ///< how long charon stays without an edge

  std::uint32_t workers = 0;  ///< 0: one for each core
  std::string engine = "auto";
  std::uint32_t replay_window = 256;  ///< packets
  std::chrono::seconds delete_grace{5};
  std::chrono::seconds peer_grace{15};
  std::chrono::seconds orphan_idle{600};  ///< SAs that outlive the IKE daemon end when unused for so long
  bool pin = false;                       ///< each data worker to a core
  std::uint32_t busy_poll_us = 0;         ///< how long a data worker keeps looking before it sleeps
  std::uint32_t mtu = 1500;

  std::uint32_t control_per_second = 100;  ///< L2TP control messages of one client
  std::uint32_t ike_per_source = 100;      ///< handshakes a second, see IkeLimits
  std::uint32_t ike_per_prefix = 400;
  std::uint32_t ike_new_sources = 100;
  std::uint32_t tunnels_per_client = 8;
  std::uint32_t tunnels_per_identity = 0;  ///< 0: no limit
  std::uint32_t sessions_per_client = 16;
  std::chrono::seconds half_open{90};   ///< longest time a tunnel may take to be established
  std::chrono::seconds l2tp_probe{30};  ///< between probes of one agent; 0: never
  std::chrono::seconds ike_probe{30};   ///< between probes of our own IKE; 0: on command only
  std::string probe_user;               ///< whom they log in as; empty: they end before PPP
  Secret probe_password;

  Endpoint channel_listen;
  std::uint32_t data_port = 4601;
  std::string carrier = "auto";                 ///< what agents' data goes by: "auto", "udp", "tls"
  std::chrono::seconds rekey_time{3600};        ///< how long data keys are used; 0: no limit
  std::uint32_t rekey_packets = 1'000'000'000;  ///< of one pair of workers, one way; 0: no limit
  std::uint32_t rekey_megabytes = 262'144;
  std::vector<std::string> agents;  ///< names that may connect; empty: every agent of our CA
  PlacementSettings placement;
  std::filesystem::path tls_ca, tls_certificate, tls_key;
  std::filesystem::path tls_crl;  ///< empty: nobody is revoked

  http::ListenAt metrics_listen;            ///< of /metrics, /healthz and /readyz; nowhere unless told
  std::filesystem::path state_dir;          ///< what outlives restarts; default: run_dir
  std::filesystem::path operations_socket;  ///< default: run_dir/edge.sock
  std::uint32_t remember_clients = 32768, remember_megabytes = 64;
  app::LogSettings log;

  app::ConfigValues values;  ///< the same, key by key
};

struct LoadedConfig {
  Config config;
  app::ConfigErrors warnings;
};

/// What the IKE side is told of it; copies the secrets, and leaves what is not the file's at its default.
IkeConfig ike_config(const Config& config);

/// Reads and checks a configuration file and the secrets it names. Every error at once, with line and column.
Result<LoadedConfig, app::ConfigErrors> load_config(const std::filesystem::path& file);
/// The same from text, for tests; `file_name` is what relative paths and errors refer to.
Result<LoadedConfig, app::ConfigErrors> parse_config(std::string_view text, const std::string& file_name);

/// Every setting with its default.
app::ConfigValues config_settings();

}  // namespace sluice::edge
