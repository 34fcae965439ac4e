#include "backend-agent/config/config.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace sluice::agent {
namespace {

/// What [ppp] and [pool] say before it is looked at closely.
struct Texts {
  std::vector<std::string> auth = {"mschapv2", "chap-md5", "pap"};
  std::vector<std::string> ranges;
};

/// Linux takes interface names up to IFNAMSIZ - 1.
constexpr std::size_t kMaxInterfaceName = 15;
constexpr std::size_t kMaxNameServers = 2;

std::vector<app::Setting> settings_for(Config& c, Texts& t) {
  using app::Number;
  using app::OneOf;
  using app::Path;
  return {
      {"agent.name", &c.name, "what this agent is called, as in its certificate", true},
      {"agent.weight", Number{&c.weight, 1, 1000}, "its share of new tunnels beside other agents"},
      {"agent.data_port", Number{&c.data_port, 1, 65535}, "UDP port for data frames from the edges"},
      {"agent.data_address", &c.data_address, "local address for data frames"},
      {"agent.max_sessions", Number{&c.max_sessions, 0, 1'000'000}, "sessions at most; 0: no limit"},
      {"tls.ca", Path{&c.tls_ca}, "PEM file of the private CA", true},
      {"tls.certificate", Path{&c.tls_certificate}, "PEM file of this agent's certificate", true},
      {"tls.key", Path{&c.tls_key}, "PEM file of its key", true},
      {"l2tp.host_name", &c.host_name, "the Host Name in SCCRP"},
      {"l2tp.hello_interval", &c.hello_interval, "seconds of silence before a HELLO; 0: never"},
      {"ppp.auth", &t.auth, "authentication protocols in the order offered"},
      {"ppp.mru", Number{&c.mru, 576, 1500}, "largest PPP payload taken, bytes"},
      {"ppp.mtu", Number{&c.mtu, 576, 1500}, "largest PPP payload sent, bytes"},
      {"ppp.local_address", &c.local_address, "our end of every PPP link", true},
      {"ppp.dns", &c.dns, "name servers given to clients, at most two"},
      {"ppp.nbns", &c.nbns, "NetBIOS name servers (WINS) given to clients, at most two"},
      {"ppp.clamp_mss", &c.clamp_mss, "lower the MSS of TCP connections to fit the link"},
      {"ppp.echo_interval", &c.echo_interval, "seconds of silence before an LCP echo; 0: never"},
      {"ppp.echo_failures", Number{&c.echo_failures, 1, 100}, "unanswered echoes that end a session"},
      {"ppp.auth_timeout", &c.auth_timeout, "seconds a client may take to authenticate"},
      {"pool.ranges", &t.ranges, "addresses for clients: \"first-last\" or \"network/prefix\"", true},
      {"pool.quarantine", &c.quarantine, "seconds a freed address rests"},
      {"tun.name", &c.tun_name, "the TUN device's name"},
      {"users.file", Path{&c.users_file}, "TOML file with the users", true},
      {"log.level", OneOf{&c.log_level, {"debug", "info", "warning", "error"}}, "how much is logged"},
  };
}

std::optional<ppp::AuthMethod> parse_method(std::string_view word) {
  for (const auto method : ppp::all_auth_methods()) {
    if (to_string(method) == word) return method;
  }
  return std::nullopt;
}

void check_auth(app::ConfigFile& file, Config& c, const Texts& t) {
  c.auth.clear();
  for (const auto& word : t.auth) {
    const auto method = parse_method(word);
    if (!method) {
      file.fail("ppp.auth", "\"" + word + "\" is none of \"mschapv2\", \"chap-md5\", \"pap\"");
    } else if (std::find(c.auth.begin(), c.auth.end(), *method) != c.auth.end()) {
      file.fail("ppp.auth", "\"" + word + "\" is named twice");
    } else {
      c.auth.push_back(*method);
    }
  }
  if (t.auth.empty()) file.fail("ppp.auth", "must name at least one protocol: nobody gets in unproven");
}

void check_ranges(app::ConfigFile& file, Config& c, const Texts& t) {
  for (const auto& text : t.ranges) {
    const auto range = parse_range(text);
    if (!range) {
      file.fail("pool.ranges",
                "\"" + text + "\" is no range: write \"10.99.0.2-10.99.0.250\" or \"10.99.0.0/24\"");
      continue;
    }
    const bool overlaps = std::any_of(c.ranges.begin(), c.ranges.end(), [&](const AddressRange& other) {
      return other.first <= range->last && range->first <= other.last;
    });
    if (overlaps) file.fail("pool.ranges", "\"" + text + "\" overlaps another range");
    c.ranges.push_back(*range);
  }
}

void check_addresses(app::ConfigFile& file, const Config& c) {
  const auto v4_only = [&](std::string_view key, const std::vector<IpAddress>& list) {
    const bool v6 = std::any_of(list.begin(), list.end(), [](const IpAddress& a) { return a.is_v6(); });
    if (v6) file.fail(key, "must be IPv4 addresses: IPCP carries no others");
    if (list.size() > kMaxNameServers) file.fail(key, "holds more than two");
  };
  v4_only("ppp.dns", c.dns);
  v4_only("ppp.nbns", c.nbns);
  if (c.local_address.is_v6()) file.fail("ppp.local_address", "must be an IPv4 address");
}

void check(app::ConfigFile& file, Config& c, const Texts& t) {
  check_auth(file, c, t);
  check_ranges(file, c, t);
  check_addresses(file, c);
  if (c.edges.empty() && file.errors().empty())
    file.fail("edge", "no [[edge]] is given: there is nobody to serve");
  if (c.tun_name.empty() || c.tun_name.size() > kMaxInterfaceName ||
      c.tun_name.find('/') != std::string::npos) {
    file.fail("tun.name", "must be 1 to 15 characters without a slash");
  }
  if (c.host_name.empty()) file.fail("l2tp.host_name", "must not be empty");
  if (c.auth_timeout.count() == 0) file.fail("ppp.auth_timeout", "must be at least 1");
  for (const auto& [key, path] : {std::pair{"tls.key", c.tls_key}, std::pair{"users.file", c.users_file}}) {
    const auto wrong = path.empty() ? std::nullopt : app::check_secret_file(path);
    if (wrong) file.fail(key, *wrong);
  }
}

Result<Config, app::ConfigErrors> finish(Result<app::ConfigFile, app::ConfigErrors> loaded) {
  if (!loaded) return Failure{loaded.error()};
  auto& file = *loaded;
  Config config;
  Texts texts;
  file.read(settings_for(config, texts));
  file.read_each("edge", [&](const app::ConfigFile::ReadRow& read) {
    EdgeAddress edge;
    read({{"address", &edge.address, "the edge's channel, \"address:port\"", true},
          {"name", &edge.name, "the name its certificate must carry", true}});
    config.edges.push_back(std::move(edge));
  });
  file.reject_unknown();
  check(file, config, texts);
  if (!file.errors().empty()) return Failure{file.errors()};
  return config;
}

}  // namespace

Result<Config, app::ConfigErrors> load_config(const std::filesystem::path& file) {
  return finish(app::ConfigFile::load(file));
}

Result<Config, app::ConfigErrors> parse_config(std::string_view text, const std::string& file_name) {
  return finish(app::ConfigFile::parse(text, file_name));
}

}  // namespace sluice::agent
