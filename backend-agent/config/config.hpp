#pragma once
// The agent's configuration as a value; docs/examples/agent.toml describes each key. Read at start-up;
// thread: control.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "backend-agent/filter/filter.hpp"
#include "backend-agent/pool/pools.hpp"
#include "base/app/config_table.hpp"
#include "base/app/log_control.hpp"
#include "base/http/listen_at.hpp"
#include "base/ip.hpp"
#include "ppp/protocol.hpp"

namespace sluice::agent {

struct EdgeAddress {
  Endpoint address;
  std::string name;
};

/// A RADIUS server for authentication and accounting.
struct RadiusServer {
  IpAddress address;
  std::uint32_t auth_port = 1812, acct_port = 1813;
  std::filesystem::path secret_file;
  std::uint32_t priority = 1;
};

/// Who may change and end sessions (RFC 5176).
struct RadiusDynamic {
  IpAddress address;
  std::filesystem::path secret_file;
};

struct RadiusConfig {
  std::vector<RadiusServer> servers;  ///< none: RADIUS is not used
  std::vector<RadiusDynamic> dynamic;
  Endpoint dynamic_listen;     ///< port 0: not at all
  std::string nas_identifier;  ///< empty: the agent's name
  IpAddress nas_address;       ///< unspecified: not told
  std::chrono::seconds timeout{1};
  std::uint32_t tries = 3;
  std::chrono::seconds dead_time{60};
  bool status_server = true;
  bool accounting = true;
  std::chrono::seconds interim_interval{300};
  bool demand_timestamp = true;
};

/// Failed logins without consequence; 0: never slowed down.
struct ThrottleConfig {
  std::uint32_t by_user = 10, by_source = 50, by_peer = 5;
  std::chrono::seconds max_delay{300};
};

struct Config {
  std::string name;
  std::uint32_t weight = 100;
  std::uint32_t workers = 1;  ///< data threads; 0: one for each core
  bool core_dumps = false;
  std::uint32_t data_port = 4601;  ///< the first worker's; the others' follow
  IpAddress data_address;
  std::uint32_t max_sessions = 0;       ///< 0: no limit
  std::chrono::seconds edge_grace{60};  ///< how long tunnels wait for an edge that was cut off; 0: not at all

  std::string carrier = "auto";  ///< what data goes by: "auto", "udp", "tls"
  std::vector<EdgeAddress> edges;
  std::filesystem::path tls_ca, tls_certificate, tls_key;
  std::filesystem::path tls_crl;  ///< empty: nobody is revoked

  std::string host_name = "sluice";
  std::chrono::seconds hello_interval{60};

  std::vector<ppp::AuthMethod> auth = ppp::all_auth_methods();
  std::uint32_t mru = 1400, mtu = 1400;
  std::uint32_t auth_retries = 0;                ///< other passwords after a wrong one, MS-CHAPv2 only
  std::chrono::seconds rechallenge_interval{0};  ///< 0: never
  std::vector<Prefix> split_routes;              ///< IPv4 networks told by DHCPINFORM
  std::string domain;                            ///< DNS suffix told to clients; may be empty
  IpAddress local_address;
  std::vector<IpAddress> dns, nbns;
  bool clamp_mss = true;
  std::chrono::seconds echo_interval{30};
  std::uint32_t echo_failures = 4;
  std::chrono::seconds auth_timeout{30};

  PoolsSettings pools;
  std::vector<IpAddress> dns6;

  std::string tun_name = "sluice0";
  std::vector<std::string> proxy_devices;  ///< on whose links we answer for clients' addresses

  Endpoint handoff_server;  ///< port 0: tunnels end here
  AddressRange handoff_sources{0x7f400001, 0x7f40fffe};
  bool hands_off() const { return handoff_server.port != 0; }

  std::filesystem::path users_file;  ///< may be empty where there is RADIUS
  Filters filters;                   ///< by name
  RadiusConfig radius;
  ThrottleConfig throttle;
  http::ListenAt metrics_listen;  ///< of /metrics, /healthz and /readyz; nowhere unless told
  app::LogSettings log;

  app::ConfigValues values;  ///< the same, key by key
  app::ConfigErrors warnings;
};

/// Reads and checks a file. Every error at once, with line and column.
Result<Config, app::ConfigErrors> load_config(const std::filesystem::path& file);
/// The same from text; `file_name` is what relative paths and errors refer to.
Result<Config, app::ConfigErrors> parse_config(std::string_view text, const std::string& file_name);

/// Every setting with its default.
app::ConfigValues config_settings();

}  // namespace sluice::agent
