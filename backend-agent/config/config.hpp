#pragma once
// The agent's configuration as a value; docs/examples/agent.toml describes each key. Read at start-up;
// thread: control.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "backend-agent/pool/range.hpp"
#include "base/app/config_table.hpp"
#include "base/ip.hpp"
#include "ppp/protocol.hpp"

namespace sluice::agent {

struct EdgeAddress {
  Endpoint address;
  std::string name;
};

struct Config {
  std::string name;
  std::uint32_t weight = 100;
  std::uint32_t data_port = 4601;
  IpAddress data_address;
  std::uint32_t max_sessions = 0;  ///< 0: no limit

  std::vector<EdgeAddress> edges;
  std::filesystem::path tls_ca, tls_certificate, tls_key;

  std::string host_name = "sluice";
  std::chrono::seconds hello_interval{60};

  std::vector<ppp::AuthMethod> auth = ppp::all_auth_methods();
  std::uint32_t mru = 1400, mtu = 1400;
  IpAddress local_address;
  std::vector<IpAddress> dns, nbns;
  bool clamp_mss = true;
  std::chrono::seconds echo_interval{30};
  std::uint32_t echo_failures = 4;
  std::chrono::seconds auth_timeout{30};

  std::vector<AddressRange> ranges;
  std::chrono::seconds quarantine{30};

  std::string tun_name = "sluice0";
  std::filesystem::path users_file;
  std::string log_level = "info";
};

/// Reads and checks a file. Every error at once, with line and column.
Result<Config, app::ConfigErrors> load_config(const std::filesystem::path& file);
/// The same from text; `file_name` is what relative paths and errors refer to.
Result<Config, app::ConfigErrors> parse_config(std::string_view text, const std::string& file_name);

}  // namespace sluice::agent
