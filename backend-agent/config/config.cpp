#include "backend-agent/config/config.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/app/log_config.hpp"
#include "base/text.hpp"

namespace sluice::agent {
namespace {

using app::Number;
using app::OneOf;
using app::Path;
using app::Takes;

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

std::vector<app::Setting> fixed_settings(Config& c, Texts& t) {
  return {
      {"agent.name", &c.name, "what this agent is called, as in its certificate", true},
      {"agent.weight", Number{&c.weight, 1, 1000}, "its share of new tunnels beside other agents"},
      {"agent.workers", Number{&c.workers, 0, kMaxWorkers}, "data threads; 0: one for each core"},
      {"agent.core_dumps", &c.core_dumps,
       "whether a crash may leave a core file; it would hold keys and passwords"},
      {"agent.data_port", Number{&c.data_port, 1, 65535},
       "UDP port for data frames from the edges, the first worker's"},
      {"agent.data_address", &c.data_address, "local address for data frames"},
      {"agent.edge_grace", &c.edge_grace,
       "seconds that tunnels wait for an edge that was cut off; 0: not at all"},
      {"l2tp.host_name", &c.host_name, "the Host Name in SCCRP"},
      {"l2tp.hello_interval", &c.hello_interval, "seconds of silence before a HELLO; 0: never"},
      {"ppp.mtu", Number{&c.mtu, 576, 1500}, "largest PPP payload sent, bytes"},
      {"ppp.local_address", &c.local_address, "our end of every PPP link"},
      {"channel.carrier", OneOf{&c.carrier, {"auto", "udp", "tls"}}, "what data to and from edges goes by"},
      {"tun.name", &c.tun_name, "the TUN device's name"},
      {"tun.proxy", &c.proxy_devices, "devices on whose links we answer ARP for clients"},
      {"handoff.server", &c.handoff_server, "L2TP server that ends the tunnels; port 0: we do"},
      {"handoff.sources", &t.handoff_sources, "addresses that tunnels come from at that server"},
      {"radius.nas_identifier", &c.radius.nas_identifier, "who we are to RADIUS servers"},
      {"radius.nas_address", &c.radius.nas_address, "our address as RADIUS servers know it"},
      {"radius.accounting", &c.radius.accounting, "tell the servers of sessions"},
      {"radius.dynamic_listen", &c.radius.dynamic_listen, "where CoA and Disconnect requests are taken"},
      {"radius.demand_timestamp", &c.radius.demand_timestamp, "refuse those without Event-Timestamp"},
  };
}

std::vector<app::Setting> reloaded_settings(Config& c) {
  return app::taking(
      Takes::kReload,
      {
          {"tls.ca", Path{&c.tls_ca, true}, "PEM file of the private CA", true},
          {"tls.certificate", Path{&c.tls_certificate, true}, "PEM file of this agent's certificate", true},
          {"tls.key", Path{&c.tls_key, true}, "PEM file of its key", true},
          {"tls.crl", Path{&c.tls_crl, true}, "PEM file of what the private CA took back"},
          {"throttle.by_user", Number{&c.throttle.by_user, 0, 1'000'000},
           "free failures of a user; 0: no limit"},
          {"throttle.by_source", Number{&c.throttle.by_source, 0, 1'000'000}, "of a source address"},
          {"throttle.by_peer", Number{&c.throttle.by_peer, 0, 1'000'000}, "of a peer"},
          {"throttle.max_delay", &c.throttle.max_delay, "seconds a login is refused at most"},
      });
}

std::vector<app::Setting> client_settings(Config& c, Texts& t) {
  return app::taking(
      Takes::kNewClients,
      {
          {"agent.max_sessions", Number{&c.max_sessions, 0, 1'000'000}, "sessions at most; 0: no limit"},
          {"ppp.auth", &t.auth, "authentication protocols in the order offered"},
          {"ppp.mru", Number{&c.mru, 576, 1500}, "largest PPP payload taken, bytes"},
          {"ppp.dns", &c.dns, "name servers given to clients, at most two"},
          {"ppp.nbns", &c.nbns, "NetBIOS name servers (WINS) given to clients, at most two"},
          {"ppp.clamp_mss", &c.clamp_mss, "lower the MSS of TCP connections to fit the link"},
          {"ppp.echo_interval", &c.echo_interval, "seconds of silence before an LCP echo; 0: never"},
          {"ppp.echo_failures", Number{&c.echo_failures, 1, 100}, "unanswered echoes that end a session"},
          {"ppp.auth_timeout", &c.auth_timeout, "seconds a client may take to authenticate"},
          {"ppp.dns6", &c.dns6, "IPv6 name servers given to clients"},
          {"ppp.auth_retries", Number{&c.auth_retries, 0, 10},
           "other passwords after a wrong one (MS-CHAPv2)"},
          {"ppp.rechallenge_interval", &c.rechallenge_interval,
           "seconds after which a client proves itself again; 0: never"},
          {"ppp.split_routes", &t.split_routes, "IPv4 networks that clients are to reach through the link"},
          {"ppp.domain", &c.domain, "DNS suffix told to clients"},
          {"pool.ranges", &t.ranges, "addresses for clients: \"first-last\" or \"network/prefix\""},
          {"pool.quarantine", &t.quarantine, "seconds a freed address rests"},
          {"pool.ipv6", &t.ipv6, "IPv6 networks of which each client's link gets a /64"},
          {"pool.delegated", &t.delegated, "IPv6 networks of which clients are delegated prefixes"},
          {"pool.delegated_length", Number{&t.delegated_length, 32, 64}, "length of a delegated prefix"},
          {"users.file", Path{&c.users_file, true}, "TOML file with the users"},
          {"radius.timeout", &c.radius.timeout, "seconds before a request is sent again; doubles"},
          {"radius.tries", Number{&c.radius.tries, 1, 10}, "times a request is sent to one server"},
          {"radius.dead_time", &c.radius.dead_time, "seconds a silent server is passed over"},
          {"radius.status_server", &c.radius.status_server, "ask silent servers whether they live again"},
          {"radius.interim_interval", &c.radius.interim_interval, "seconds between interim records; 0: none"},
      });
}

std::optional<ppp::AuthMethod> parse_method(std::string_view word) {
  for (const auto method : ppp::all_auth_methods()) {
    if (to_string(method) == word) return method;
  }
  return std::nullopt;
}

void check_auth(app::ConfigFile& file, Config& c, const Texts& t) {
  c.auth.clear();
  for (std::size_t i = 0; i < t.auth.size(); ++i) {
    const auto place = "ppp.auth[" + std::to_string(i) + "]";
    const auto word = escaped(t.auth[i]);
    const auto method = parse_method(t.auth[i]);
    if (!method) {
      file.fail(place, "\"" + word + "\" is none of \"eap\", \"mschapv2\", \"chap-md5\", \"pap\"");
    } else if (std::find(c.auth.begin(), c.auth.end(), *method) != c.auth.end()) {
      file.fail(place, "\"" + word + "\" is named twice");
    } else {
      c.auth.push_back(*method);
    }
  }
  if (t.auth.empty()) file.fail("ppp.auth", "must name at least one protocol: nobody gets in unproven");
}

bool is_upside_down(const std::string& range) {
  const auto dash = range.find('-');
  if (dash == range.npos) return false;
  const auto first = IpAddress::parse(range.substr(0, dash)), last = IpAddress::parse(range.substr(dash + 1));
  return first && last && first->is_v4() && last->is_v4() && first->to_v4() > last->to_v4();
}

/// Ranges of the default pool and of named ones never overlap.
void check_ranges(app::ConfigFile& file, const std::string& table, const std::vector<std::string>& texts,
                  std::vector<AddressRange>& all, std::vector<AddressRange>& out) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto key = table + "[" + std::to_string(i) + "]";
    const auto text = escaped(texts[i]);
    const auto range = parse_range(texts[i]);
    if (!range) {
      file.fail(key,
                is_upside_down(texts[i])
                    ? "\"" + text + "\" ends before it begins"
                    : "\"" + text + "\" is no range: write \"10.99.0.2-10.99.0.250\" or \"10.99.0.0/24\"");
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
void check_prefixes(app::ConfigFile& file, const std::string& table, const std::vector<std::string>& texts,
                    std::uint32_t length, std::vector<Prefix>& all, std::vector<Prefix>& out) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto key = table + "[" + std::to_string(i) + "]";
    const auto text = escaped(texts[i]);
    const auto prefix = Prefix::parse(texts[i]);
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
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto prefix = Prefix::parse(texts[i]);
    if (!prefix || prefix->network.is_v6()) {
      file.fail("ppp.split_routes[" + std::to_string(i) + "]",
                "\"" + escaped(texts[i]) + "\" is no IPv4 network: write \"10.0.0.0/8\"");
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

std::uint32_t most_workers(const Config& c) {
  return c.workers == 0 ? kMaxWorkers : c.workers;
}

/// RFC 2865 §3: at least 16 octets are preferred.
constexpr std::size_t kShortRadiusSecret = 16;

void check_radius_secret(app::ConfigFile& file, const std::filesystem::path& path) {
  if (path.empty()) return;
  const auto place = file.place("secret_file");
  const auto secret = app::read_secret_file(path);
  if (!secret) return file.fail(place, secret.error());
  if (secret->size() < kShortRadiusSecret)
    file.warn(place, path.string() + ": the secret has fewer than " + std::to_string(kShortRadiusSecret) +
                         " characters and can be guessed offline");
}

/// Where requests for a login can take longer than a client waits, it hears of a failure that was none.
void check_radius_time(app::ConfigFile& file, const Config& c) {
  auto wait = c.radius.timeout, all = wait;
  for (std::uint32_t i = 1; i < c.radius.tries; ++i)
    all += (wait = std::min(wait * 2, std::chrono::seconds(8)));
  if (!c.radius.servers.empty() && all >= c.auth_timeout)
    file.warn("radius.timeout", "one silent server takes " + std::to_string(all.count()) +
                                    " s with these tries, and ppp.auth_timeout is " +
                                    std::to_string(c.auth_timeout.count()) +
                                    " s: the next server would never be asked");
}

void check_radius(app::ConfigFile& file, const Config& c) {
  const auto& radius = c.radius;
  if (radius.timeout.count() == 0) file.fail("radius.timeout", "must be at least 1");
  if (radius.dynamic_listen.port != 0 && radius.dynamic.empty())
    file.fail("radius.dynamic_listen", "nobody may send there: add a [[radius_dynamic]]");
  if (radius.dynamic_listen.port == 0 && !radius.dynamic.empty())
    file.fail("radius_dynamic", "is heard nowhere: set radius.dynamic_listen, for instance \"0.0.0.0:3799\"");
  const auto& listen = radius.dynamic_listen;
  const bool same_address =
      listen.address == c.data_address || listen.address.is_unspecified() || c.data_address.is_unspecified();
  if (same_address && listen.port >= c.data_port && listen.port < c.data_port + most_workers(c))
    file.fail("radius.dynamic_listen", "clashes with agent.data_port: each worker takes one port from it on");
  check_radius_time(file, c);
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
  std::uint64_t addresses = 0;
  const auto add = [&](const std::vector<AddressRange>& ranges, const std::string& place) {
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      addresses += ranges[i].size();
      if (c.local_address.is_v4() && ranges[i].contains(c.local_address.to_v4()))
        file.warn(place + "[" + std::to_string(i) + "]",
                  "holds ppp.local_address, " + c.local_address.to_string() + ", which no client gets");
    }
  };
  add(c.pools.ranges, "pool.ranges");
  for (std::size_t i = 0; i < c.pools.named.size(); ++i)
    add(c.pools.named[i].ranges, "named_pool[" + std::to_string(i) + "].ranges");
  if (c.max_sessions > addresses && file.errors().empty())
    file.warn("agent.max_sessions", "is more than the pools' " + std::to_string(addresses) + " addresses");
}

/// What an agent that hands tunnels off reads and never uses.
void warn_of_idle(app::ConfigFile& file, const Config& c) {
  const std::string why = "is not used: [handoff] leaves users and addresses to the server there";
  if (!c.users_file.empty()) file.warn("users.file", why);
  if (!c.radius.servers.empty()) file.warn("radius_server", why);
  if (!c.pools.ranges.empty()) file.warn("pool.ranges", why);
}

void check_edges(app::ConfigFile& file, const Config& c) {
  for (std::size_t i = 0; i < c.edges.size(); ++i) {
    const auto place = "edge[" + std::to_string(i) + "]";
    const auto& edge = c.edges[i];
    if (edge.address.port == 0 && file.errors().empty())
      file.fail(place + ".address", "needs a port: where does the edge listen for agents?");
    for (std::size_t j = 0; j < i; ++j) {
      if (c.edges[j].address == edge.address && edge.address.port != 0)
        file.fail(place + ".address", "is another [[edge]]'s, too");
      if (c.edges[j].name == edge.name && !edge.name.empty())
        file.fail(place + ".name", "is another [[edge]]'s, too");
    }
  }
}

void check(app::ConfigFile& file, Config& c, const Texts& t) {
  check_auth(file, c, t);
  check_routes(file, t.split_routes, c.split_routes);
  check_addresses(file, c);
  if (c.name.empty() && file.errors().empty()) file.fail("agent.name", "must not be empty");
  check_edges(file, c);
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
  check_radius(file, c);
  c.hands_off() ? check_handoff(file, c, t) : check_own_end(file, c);
  if (c.hands_off()) warn_of_idle(file, c);
  for (const auto& [key, path] : {std::pair{"tls.key", c.tls_key}, std::pair{"users.file", c.users_file}}) {
    const auto wrong = path.empty() ? std::nullopt : app::check_secret_file(path);
    if (wrong) file.fail(key, *wrong);
  }
}

void read_radius(app::ConfigFile& file, RadiusConfig& radius) {
  file.read_each("radius_server", [&](const app::ConfigFile::ReadRow& read) {
    RadiusServer server;
    read(app::taking(
        Takes::kNewClients,
        {{"address", &server.address, "the server's address", true},
         {"auth_port", Number{&server.auth_port, 1, 65535}, "its port for authentication"},
         {"acct_port", Number{&server.acct_port, 1, 65535}, "its port for accounting"},
         {"secret_file", Path{&server.secret_file, true}, "file with the secret shared with it", true},
         {"priority", Number{&server.priority, 1, 1000}, "the lowest that answers is asked"}}));
    check_radius_secret(file, server.secret_file);
    if (std::any_of(radius.servers.begin(), radius.servers.end(), [&](const RadiusServer& other) {
          return other.address == server.address && other.auth_port == server.auth_port;
        }))
      file.fail(file.place("address"), "another [[radius_server]] has this address and port, too");
    radius.servers.push_back(std::move(server));
  });
  file.read_each("radius_dynamic", [&](const app::ConfigFile::ReadRow& read) {
    RadiusDynamic source;
    read({{"address", &source.address, "who may send requests", true},
          {"secret_file", Path{&source.secret_file, true}, "file with the secret shared with it", true}});
    check_radius_secret(file, source.secret_file);
    radius.dynamic.push_back(std::move(source));
  });
}

void check_pool_names(app::ConfigFile& file, const NamedPool& pool, const PoolsSettings& before) {
  if (pool.name.empty() || pool.name == "default")
    file.fail(file.place("name"), "must be a name, and not \"default\", which [pool] has");
  for (const auto& other : before.named) {
    if (other.name == pool.name)
      file.fail(file.place("name"), "\"" + escaped(pool.name) + "\" is another [[named_pool]]'s, too");
    for (const auto& realm : pool.realms) {
      if (std::find(other.realms.begin(), other.realms.end(), realm) != other.realms.end())
        file.fail(file.place("realms"),
                  "\"" + escaped(realm) + "\" is a realm of \"" + escaped(other.name) + "\", too");
    }
  }
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
    read(app::taking(Takes::kNewClients,
                     {{"name", &pool.name, "what Framed-Pool and users call it", true},
                      {"ranges", &ranges, "its addresses"},
                      {"ipv6", &ipv6, "IPv6 networks of which links get a /64"},
                      {"delegated", &delegated, "IPv6 networks of which clients are delegated prefixes"},
                      {"realms", &pool.realms, "users of these realms get addresses from it"}}));
    check_ranges(file, file.place("ranges"), ranges, all, pool.ranges);
    check_prefixes(file, file.place("ipv6"), ipv6, 64, networks, pool.ipv6);
    check_prefixes(file, file.place("delegated"), delegated, t.delegated_length, networks, pool.delegated);
    if (ranges.empty() && ipv6.empty() && delegated.empty())
      file.fail(file.place("name"),
                "\"" + escaped(pool.name) + "\" holds nothing: give it ranges, ipv6 or delegated");
    check_pool_names(file, pool, pools);
    pools.named.push_back(std::move(pool));
  });
}

void read_filters(app::ConfigFile& file, Filters& filters) {
  file.read_each("filter", [&](const app::ConfigFile::ReadRow& read) {
    std::string name;
    std::vector<std::string> lines;
    read(app::taking(Takes::kNewClients,
                     {{"name", &name, "what Filter-Id and users call it", true},
                      {"rules", &lines, "the first that fits decides; what none fits is dropped", true}}));
    std::vector<FilterRule> rules;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto rule = parse_filter_rule(lines[i]);
      rule ? rules.push_back(*rule) : file.fail(file.place("rules[" + std::to_string(i) + "]"), rule.error());
    }
    if (!filters.emplace(name, Filter(std::move(rules))).second)
      file.fail(file.place("name"), "\"" + escaped(name) + "\" is there twice");
  });
}

void read_metrics(app::ConfigFile& file, http::ListenAt& at) {
  std::string text;
  file.read({{"metrics.listen", &text,
              "address:port or unix socket of /metrics, /healthz and /readyz; empty: nowhere"}});
  const auto parsed = http::parse_listen_at(text);
  parsed ? void(at = *parsed) : file.fail("metrics.listen", parsed.error());
}

void read_all(app::ConfigFile& file, Config& config, Texts& texts) {
  file.read(fixed_settings(config, texts));
  file.read(reloaded_settings(config));
  file.read(client_settings(config, texts));
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
  app::read_log_settings(file, config.log);
}

Result<Config, app::ConfigErrors> finish(Result<app::ConfigFile, app::ConfigErrors> loaded) {
  if (!loaded) return Failure{loaded.error()};
  auto& file = *loaded;
  Config config;
  Texts texts;
  read_all(file, config, texts);
  file.reject_unknown();
  check(file, config, texts);
  if (!file.errors().empty()) return Failure{file.errors()};
  config.values = file.values();
  config.warnings = file.warnings();
  return config;
}

}  // namespace

app::ConfigValues config_settings() {
  auto file = app::ConfigFile::blank();
  Config config;
  Texts texts;
  read_all(file, config, texts);
  return file.values();
}

Result<Config, app::ConfigErrors> load_config(const std::filesystem::path& file) {
  return finish(app::ConfigFile::load(file));
}

Result<Config, app::ConfigErrors> parse_config(std::string_view text, const std::string& file_name) {
  return finish(app::ConfigFile::parse(text, file_name));
}

}  // namespace sluice::agent
