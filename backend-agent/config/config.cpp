#include "backend-agent/config/config.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace sluice::agent {
namespace {

/// What [ppp] and [pool] say before it is looked at closely.
struct Texts {
  std::string handoff_sources = "127.64.0.1-127.64.255.254";
  std::vector<std::string> auth = {"mschapv2", "chap-md5", "pap"};
  std::vector<std::string> split_routes;
  std::vector<std::string> ranges, ipv6, delegated;
  std::uint32_t delegated_length = 56;
  std::chrono::seconds quarantine{30};
};

/// Linux takes interface names up to IFNAMSIZ - 1.
constexpr std::size_t kMaxInterfaceName = 15;
constexpr std::size_t kMaxNameServers = 2;
constexpr std::uint32_t kMaxWorkers = 64;

std::vector<app::Setting> settings_for(Config& c, Texts& t) {
  using app::Number;
  using app::OneOf;
  using app::Path;
  return {
      {"agent.name", &c.name, "what this agent is called, as in its certificate", true},
      {"agent.weight", Number{&c.weight, 1, 1000}, "its share of new tunnels beside other agents"},
      {"agent.workers", Number{&c.workers, 0, kMaxWorkers}, "data threads; 0: one for each core"},
      {"agent.data_port", Number{&c.data_port, 1, 65535},
       "UDP port for data frames from the edges, the first worker's"},
      {"agent.data_address", &c.data_address, "local address for data frames"},
      {"agent.max_sessions", Number{&c.max_sessions, 0, 1'000'000}, "sessions at most; 0: no limit"},
      {"agent.edge_grace", &c.edge_grace,
       "seconds that tunnels wait for an edge that was cut off; 0: not at all"},
      {"tls.ca", Path{&c.tls_ca}, "PEM file of the private CA", true},
      {"tls.certificate", Path{&c.tls_certificate}, "PEM file of this agent's certificate", true},
      {"tls.key", Path{&c.tls_key}, "PEM file of its key", true},
      {"tls.crl", Path{&c.tls_crl}, "PEM file of what the private CA took back"},
      {"l2tp.host_name", &c.host_name, "the Host Name in SCCRP"},
      {"l2tp.hello_interval", &c.hello_interval, "seconds of silence before a HELLO; 0: never"},
      {"ppp.auth", &t.auth, "authentication protocols in the order offered"},
      {"ppp.mru", Number{&c.mru, 576, 1500}, "largest PPP payload taken, bytes"},
      {"ppp.mtu", Number{&c.mtu, 576, 1500}, "largest PPP payload sent, bytes"},
      {"ppp.local_address", &c.local_address, "our end of every PPP link"},
      {"ppp.dns", &c.dns, "name servers given to clients, at most two"},
      {"ppp.nbns", &c.nbns, "NetBIOS name servers (WINS) given to clients, at most two"},
      {"ppp.clamp_mss", &c.clamp_mss, "lower the MSS of TCP connections to fit the link"},
      {"ppp.echo_interval", &c.echo_interval, "seconds of silence before an LCP echo; 0: never"},
      {"ppp.echo_failures", Number{&c.echo_failures, 1, 100}, "unanswered echoes that end a session"},
      {"ppp.auth_timeout", &c.auth_timeout, "seconds a client may take to authenticate"},
      {"ppp.dns6", &c.dns6, "IPv6 name servers given to clients"},
      {"ppp.auth_retries", Number{&c.auth_retries, 0, 10}, "other passwords after a wrong one (MS-CHAPv2)"},
      {"ppp.rechallenge_interval", &c.rechallenge_interval,
       "seconds after which a client proves itself again; 0: never"},
      {"ppp.split_routes", &t.split_routes, "IPv4 networks that clients are to reach through the link"},
      {"ppp.domain", &c.domain, "DNS suffix told to clients"},
      {"channel.carrier", OneOf{&c.carrier, {"auto", "udp", "tls"}}, "what data to and from edges goes by"},
      {"pool.ranges", &t.ranges, "addresses for clients: \"first-last\" or \"network/prefix\""},
      {"pool.quarantine", &t.quarantine, "seconds a freed address rests"},
      {"pool.ipv6", &t.ipv6, "IPv6 networks of which each client's link gets a /64"},
      {"pool.delegated", &t.delegated, "IPv6 networks of which clients are delegated prefixes"},
      {"pool.delegated_length", Number{&t.delegated_length, 32, 64}, "length of a delegated prefix"},
      {"tun.name", &c.tun_name, "the TUN device's name"},
      {"tun.proxy", &c.proxy_devices, "devices on whose links we answer ARP for clients"},
      {"handoff.server", &c.handoff_server, "L2TP server that ends the tunnels; port 0: we do"},
      {"handoff.sources", &t.handoff_sources, "addresses that tunnels come from at that server"},
      {"users.file", Path{&c.users_file}, "TOML file with the users"},
      {"radius.nas_identifier", &c.radius.nas_identifier, "who we are to RADIUS servers"},
      {"radius.nas_address", &c.radius.nas_address, "our address as RADIUS servers know it"},
      {"radius.timeout", &c.radius.timeout, "seconds before a request is sent again; doubles"},
      {"radius.tries", Number{&c.radius.tries, 1, 10}, "times a request is sent to one server"},
      {"radius.dead_time", &c.radius.dead_time, "seconds a silent server is passed over"},
      {"radius.status_server", &c.radius.status_server, "ask silent servers whether they live again"},
      {"radius.accounting", &c.radius.accounting, "tell the servers of sessions"},
      {"radius.interim_interval", &c.radius.interim_interval, "seconds between interim records; 0: none"},
      {"radius.dynamic_listen", &c.radius.dynamic_listen, "where CoA and Disconnect requests are taken"},
      {"radius.demand_timestamp", &c.radius.demand_timestamp, "refuse those without Event-Timestamp"},
      {"throttle.by_user", Number{&c.throttle.by_user, 0, 1'000'000}, "free failures of a user; 0: no limit"},
      {"throttle.by_source", Number{&c.throttle.by_source, 0, 1'000'000}, "of a source address"},
      {"throttle.by_peer", Number{&c.throttle.by_peer, 0, 1'000'000}, "of a peer"},
      {"throttle.max_delay", &c.throttle.max_delay, "seconds a login is refused at most"},
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
      file.fail("ppp.auth", "\"" + word + "\" is none of \"eap\", \"mschapv2\", \"chap-md5\", \"pap\"");
    } else if (std::find(c.auth.begin(), c.auth.end(), *method) != c.auth.end()) {
      file.fail("ppp.auth", "\"" + word + "\" is named twice");
    } else {
      c.auth.push_back(*method);
    }
  }
  if (t.auth.empty()) file.fail("ppp.auth", "must name at least one protocol: nobody gets in unproven");
}

/// Ranges of the default pool and of named ones never overlap.
void check_ranges(app::ConfigFile& file, std::string_view key, const std::vector<std::string>& texts,
                  std::vector<AddressRange>& all, std::vector<AddressRange>& out) {
  for (const auto& text : texts) {
    const auto range = parse_range(text);
    if (!range) {
      file.fail(key, "\"" + text + "\" is no range: write \"10.99.0.2-10.99.0.250\" or \"10.99.0.0/24\"");
      continue;
    }
    const bool overlaps = std::any_of(all.begin(), all.end(), [&](const AddressRange& other) {
      return other.first <= range->last && range->first <= other.last;
    });
    if (overlaps) file.fail(key, "\"" + text + "\" overlaps another range");
    all.push_back(*range);
    out.push_back(*range);
  }
}

/// Networks for links and for delegation never overlap: `all` holds those of both.
void check_prefixes(app::ConfigFile& file, std::string_view key, const std::vector<std::string>& texts,
                    std::uint32_t length, std::vector<Prefix>& all, std::vector<Prefix>& out) {
  for (const auto& text : texts) {
    const auto prefix = Prefix::parse(text);
    if (!prefix || prefix->network.is_v4() || prefix->length > length) {
      file.fail(key, "\"" + text + "\" is no IPv6 network of at most " + std::to_string(length) +
                         " bits: write \"2001:db8:1::/48\"");
      continue;
    }
    const bool overlaps = std::any_of(all.begin(), all.end(), [&](const Prefix& other) {
      return other.contains(prefix->network) || prefix->contains(other.network);
    });
    if (overlaps) file.fail(key, "\"" + text + "\" overlaps another network of a pool's ipv6 or delegated");
    all.push_back(*prefix);
    out.push_back(*prefix);
  }
}

void check_routes(app::ConfigFile& file, const std::vector<std::string>& texts, std::vector<Prefix>& out) {
  for (const auto& text : texts) {
    const auto prefix = Prefix::parse(text);
    if (!prefix || prefix->network.is_v6()) {
      file.fail("ppp.split_routes", "\"" + text + "\" is no IPv4 network: write \"10.0.0.0/8\"");
    } else {
      out.push_back(*prefix);
    }
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
  if (std::any_of(c.dns6.begin(), c.dns6.end(), [](const IpAddress& a) { return a.is_v4(); }))
    file.fail("ppp.dns6", "must be IPv6 addresses");
}

void check_radius(app::ConfigFile& file, const RadiusConfig& radius) {
  const auto check_secret = [&](std::string_view key, const std::filesystem::path& path) {
    const auto wrong = path.empty() ? std::nullopt : app::check_secret_file(path);
    if (wrong) file.fail(key, *wrong);
  };
  for (const auto& server : radius.servers) check_secret("radius_server", server.secret_file);
  for (const auto& source : radius.dynamic) check_secret("radius_dynamic", source.secret_file);
  if (radius.timeout.count() == 0) file.fail("radius.timeout", "must be at least 1");
  if (radius.dynamic_listen.port != 0 && radius.dynamic.empty())
    file.fail("radius.dynamic_listen", "nobody may send there: add a [[radius_dynamic]]");
  if (radius.dynamic_listen.port == 0 && !radius.dynamic.empty())
    file.fail("radius_dynamic", "is heard nowhere: set radius.dynamic_listen, for instance \"0.0.0.0:3799\"");
}

std::uint32_t most_workers(const Config& c) {
  return c.workers == 0 ? kMaxWorkers : c.workers;
}

void check_handoff(app::ConfigFile& file, Config& c, const Texts& t) {
  if (c.handoff_server.address.is_v6()) file.fail("handoff.server", "must be an IPv4 address and a port");
  const auto range = parse_range(t.handoff_sources);
  if (!range) return file.fail("handoff.sources", "is no range: write \"127.64.0.1-127.64.255.254\"");
  c.handoff_sources = *range;
  if (range->last - range->first < most_workers(c) - 1)
    file.fail("handoff.sources", "has fewer addresses than there are workers: each needs some of its own");
}

/// What is needed only where tunnels end here.
void check_own_end(app::ConfigFile& file, const Config& c) {
  if (c.local_address.is_unspecified())
    file.fail("ppp.local_address", "is missing: our end of every PPP link");
  if (c.pools.ranges.empty()) file.fail("pool.ranges", "is missing: addresses for clients");
  if (c.users_file.empty() && c.radius.servers.empty())
    file.fail("users", "nobody can dial in: set users.file, or add a [[radius_server]]");
}

void check(app::ConfigFile& file, Config& c, const Texts& t) {
  check_auth(file, c, t);
  check_routes(file, t.split_routes, c.split_routes);
  check_addresses(file, c);
  if (c.edges.empty() && file.errors().empty())
    file.fail("edge", "no [[edge]] is given: there is nobody to serve");
  if (c.tun_name.empty() || c.tun_name.size() > kMaxInterfaceName ||
      c.tun_name.find('/') != std::string::npos) {
    file.fail("tun.name", "must be 1 to 15 characters without a slash");
  }
  if (c.data_port + most_workers(c) - 1 > UINT16_MAX)
    file.fail("agent.data_port", "leaves no room for a port for each worker");
  if (c.host_name.empty()) file.fail("l2tp.host_name", "must not be empty");
  if (c.auth_timeout.count() == 0) file.fail("ppp.auth_timeout", "must be at least 1");
  check_radius(file, c.radius);
  c.hands_off() ? check_handoff(file, c, t) : check_own_end(file, c);
  for (const auto& [key, path] : {std::pair{"tls.key", c.tls_key}, std::pair{"users.file", c.users_file}}) {
    const auto wrong = path.empty() ? std::nullopt : app::check_secret_file(path);
    if (wrong) file.fail(key, *wrong);
  }
}

void read_radius(app::ConfigFile& file, RadiusConfig& radius) {
  file.read_each("radius_server", [&](const app::ConfigFile::ReadRow& read) {
    RadiusServer server;
    read({{"address", &server.address, "the server's address", true},
          {"auth_port", app::Number{&server.auth_port, 1, 65535}, "its port for authentication"},
          {"acct_port", app::Number{&server.acct_port, 1, 65535}, "its port for accounting"},
          {"secret_file", app::Path{&server.secret_file}, "file with the secret shared with it", true},
          {"priority", app::Number{&server.priority, 1, 1000}, "the lowest that answers is asked"}});
    radius.servers.push_back(std::move(server));
  });
  file.read_each("radius_dynamic", [&](const app::ConfigFile::ReadRow& read) {
    RadiusDynamic source;
    read({{"address", &source.address, "who may send requests", true},
          {"secret_file", app::Path{&source.secret_file}, "file with the secret shared with it", true}});
    radius.dynamic.push_back(std::move(source));
  });
}

void read_pools(app::ConfigFile& file, PoolsSettings& pools, const Texts& t) {
  std::vector<AddressRange> all;
  std::vector<Prefix> networks;
  pools.quarantine = t.quarantine;
  pools.delegated_length = static_cast<std::uint8_t>(t.delegated_length);
  check_ranges(file, "pool.ranges", t.ranges, all, pools.ranges);
  check_prefixes(file, "pool.ipv6", t.ipv6, 64, networks, pools.ipv6);
  check_prefixes(file, "pool.delegated", t.delegated, t.delegated_length, networks, pools.delegated);
  file.read_each("named_pool", [&](const app::ConfigFile::ReadRow& read) {
    NamedPool pool;
    std::vector<std::string> ranges, ipv6, delegated;
    read({{"name", &pool.name, "what Framed-Pool and users call it", true},
          {"ranges", &ranges, "its addresses"},
          {"ipv6", &ipv6, "IPv6 networks of which links get a /64"},
          {"delegated", &delegated, "IPv6 networks of which clients are delegated prefixes"},
          {"realms", &pool.realms, "users of these realms get addresses from it"}});
    check_ranges(file, "named_pool", ranges, all, pool.ranges);
    check_prefixes(file, "named_pool", ipv6, 64, networks, pool.ipv6);
    check_prefixes(file, "named_pool", delegated, t.delegated_length, networks, pool.delegated);
    if (ranges.empty() && ipv6.empty() && delegated.empty())
      file.fail("named_pool", "\"" + pool.name + "\" holds nothing: give it ranges, ipv6 or delegated");
    pools.named.push_back(std::move(pool));
  });
}

void read_filters(app::ConfigFile& file, Filters& filters) {
  file.read_each("filter", [&](const app::ConfigFile::ReadRow& read) {
    std::string name;
    std::vector<std::string> lines;
    read({{"name", &name, "what Filter-Id and users call it", true},
          {"rules", &lines, "the first that fits decides; what none fits is dropped", true}});
    std::vector<FilterRule> rules;
    for (const auto& line : lines) {
      const auto rule = parse_filter_rule(line);
      rule ? rules.push_back(*rule) : file.fail("filter", rule.error());
    }
    if (!filters.emplace(name, Filter(std::move(rules))).second)
      file.fail("filter", "\"" + name + "\" is there twice");
  });
}

void read_metrics(app::ConfigFile& file, http::ListenAt& at) {
  std::string text;
  file.read({{"metrics.listen", &text, "address:port or unix socket of /metrics, /healthz and /readyz"}});
  const auto parsed = http::parse_listen_at(text);
  parsed ? void(at = *parsed) : file.fail("metrics.listen", parsed.error());
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
  read_radius(file, config.radius);
  read_pools(file, config.pools, texts);
  read_filters(file, config.filters);
  read_metrics(file, config.metrics_listen);
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
