#include "edge/ctl/init_plan.hpp"

#include <algorithm>
#include <bit>
#include <set>

#include "base/text.hpp"
#include "proto/pki/name.hpp"

namespace sluice::ctl {
namespace {

// An agent's share has its own address and some clients'.
constexpr std::uint8_t kSmallestShare = 29, kLargestPool = 8;
constexpr std::size_t kLongestName = 64, kMostAgents = 256, kMostNameServers = 2;

std::uint8_t bits_for(std::size_t count) {
  return static_cast<std::uint8_t>(std::bit_width(count - 1));
}

template <class Items, class Text>
std::string listed(const Items& items, Text text) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "\"" : ", \"") + text(item) + "\"";
  return "[" + out + "]";
}

std::string address_text(const IpAddress& address) {
  return address.to_string();
}

bool is_plan_name(const std::string& text) {
  return pki::is_name(text) && text.size() <= kLongestName;
}

/// What ssh is given: no option, no shell's character.
bool is_host(const std::string& text) {
  return IpAddress::parse(text).has_value() || is_plan_name(text);
}

/// TOML's bare keys need no quotes; a realm does.
bool is_user(const std::string& text) {
  return !text.empty() && text.size() <= kLongestName && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '@';
  });
}

std::optional<std::string> fault_of_names(const InitPlan& plan) {
  std::set<std::string> names{plan.edge, "ca", "crl"};
  if (!is_plan_name(plan.edge) || names.size() != 3)
    return "\"" + escaped(plan.edge) + "\" is no name for an edge: letters, digits, '.', '-', '_'";
  if (plan.agents.empty()) return "there is no agent";
  if (plan.agents.size() > kMostAgents) return "that is more than 256 agents";
  for (const auto& agent : plan.agents) {
    if (!is_plan_name(agent.name))
      return "\"" + escaped(agent.name) + "\" is no name for an agent: letters, digits, '.', '-', '_'";
    if (!is_host(agent.host))
      return "\"" + escaped(agent.host) + "\" is neither an address nor a machine's name";
    if (!names.insert(agent.name).second) return "the name \"" + agent.name + "\" is there twice";
    const auto address = IpAddress::parse(agent.host);
    const bool here = address && (address->to_v4() >> 24 == 127 || *address == IpAddress::parse("::1"));
    if (here && !plan.all_in_one)
      return "agent " + agent.name + " at " + agent.host +
             " is on this machine: say --all-in-one, which makes it the only one";
  }
  if (plan.all_in_one && plan.agents.size() != 1) return "one machine for all has one agent";
  if (plan.users.empty()) return "there is no user";
  std::set<std::string> users;
  for (const auto& user : plan.users) {
    if (!is_user(user))
      return "\"" + escaped(user) + "\" is no user name: letters, digits, '.', '-', '_', '@'";
    if (!users.insert(user).second) return "user \"" + user + "\" is there twice";
  }
  return std::nullopt;
}

std::optional<std::string> fault_of_pool(const InitPlan& plan) {
  const auto& pool = plan.pool;
  if (!pool.network.is_v4() || pool.length < kLargestPool)
    return "the pool must be an IPv4 network from /8 to /29, for instance 10.99.0.0/16";
  if (pool.length + bits_for(plan.agents.size()) > kSmallestShare)
    return "the pool " + pool.to_string() + " is too small for " + std::to_string(plan.agents.size()) +
           (plan.agents.size() == 1 ? " agent" : " agents");
  std::vector<IpAddress> used = plan.addresses;
  used.push_back(plan.channel.address);
  for (const auto& agent : plan.agents)
    if (const auto address = IpAddress::parse(agent.host)) used.push_back(*address);
  for (const auto& address : used)
    if (pool.contains(address))
      return "the pool " + pool.to_string() + " holds " + address.to_string() +
             ", which is a machine's own address";
  return std::nullopt;
}

}  // namespace

std::optional<NewAgent> parse_agent(const std::string& text) {
  const auto equals = text.find('=');
  NewAgent out{text.substr(0, equals), equals == std::string::npos ? text : text.substr(equals + 1)};
  if (!is_plan_name(out.name) || !is_host(out.host)) return std::nullopt;
  return out;
}

std::optional<std::string> fault_of(const InitPlan& plan) {
  if (auto fault = fault_of_names(plan)) return fault;
  if (plan.addresses.empty()) return "no address is known that clients dial: --public names it";
  for (const auto& address : plan.addresses)
    if (address.is_unspecified()) return "clients cannot dial " + address.to_string();
  if (std::set(plan.addresses.begin(), plan.addresses.end()).size() != plan.addresses.size())
    return "an address that clients dial is there twice";
  if (plan.channel.address.is_unspecified() || plan.channel.port == 0)
    return "no address is known at which agents reach this edge: --channel names it";
  if (plan.dns.size() > kMostNameServers) return "clients can be told two name servers at most";
  for (const auto& server : plan.dns)
    if (!server.is_v4() || server.is_unspecified())
      return server.to_string() + " is no IPv4 address, as clients' name servers are";
  return fault_of_pool(plan);
}

std::vector<Prefix> shares_of(const Prefix& pool, std::size_t count) {
  const auto length = static_cast<std::uint8_t>(pool.length + bits_for(count));
  std::vector<Prefix> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto offset = static_cast<std::uint32_t>(std::uint64_t{i} << (32 - length));
    out.push_back({IpAddress::v4(pool.network.to_v4() + offset), length});
  }
  return out;
}

std::string edge_toml(const InitPlan& plan) {
  return "# Every other key, its default and its meaning: man sluice-edge.toml\n"
         "# A change: sluice-edge --config FILE --check, then systemctl reload sluice-edge\n\n"
         "[edge]\nname = \"" +
         plan.edge + "\"\n\n[listen]\naddresses = " + listed(plan.addresses, address_text) +
         "   # what clients dial: UDP 500, UDP 4500 and protocol 50\n\n"
         "[[psk]]\nidentity = \"%any\"\nfile = \"psk\"\n\n"
         "[channel]\nlisten = \"" +
         plan.channel.to_string() + "\"   # agents dial here by TCP; their data goes to UDP " +
         std::to_string(kDataPort) +
         " and up\nagents = " + listed(plan.agents, [](const NewAgent& agent) { return agent.name; }) +
         "\n\n[tls]\nca = \"ca.pem\"\ncrl = \"crl.pem\"\ncertificate = \"" + plan.edge + ".pem\"\nkey = \"" +
         plan.edge + ".key\"\n\n[metrics]\nlisten = \"127.0.0.1:9464\"\n";
}

std::string agent_toml(const InitPlan& plan, std::size_t agent) {
  const auto& name = plan.agents[agent].name;
  const auto share = shares_of(plan.pool, plan.agents.size())[agent];
  const auto first = share.network.to_v4();
  const auto last = first + static_cast<std::uint32_t>((std::uint64_t{1} << (32 - share.length)) - 1);
  const auto data = plan.all_in_one ? "data_port = " + std::to_string(kDataPortBeside) + "\n" : std::string();
  return "# Every other key, its default and its meaning: man sluice-agent.toml\n"
         "# A change: sluice-agent --check FILE, then systemctl reload sluice-agent\n\n"
         "[agent]\nname = \"" +
         name + "\"\n" + data + "\n[[edge]]\naddress = \"" + plan.channel.to_string() + "\"\nname = \"" +
         plan.edge + "\"\n\n[tls]\nca = \"ca.pem\"\ncrl = \"crl.pem\"\ncertificate = \"" + name +
         ".pem\"\nkey = \"" + name + ".key\"\n\n[ppp]\nlocal_address = \"" +
         IpAddress::v4(first + 1).to_string() +
         "\"   # the agent's own end of each link\ndns = " + listed(plan.dns, address_text) +
         "\n\n[pool]\nranges = [\"" + IpAddress::v4(first + 2).to_string() + "-" +
         IpAddress::v4(last - 1).to_string() +
         "\"]\n\n[users]\nfile = \"users.toml\"\n\n[metrics]\nlisten = \"127.0.0.1:9465\"\n";
}

Secret users_toml(const std::vector<NewUser>& users) {
  std::size_t size = 128;
  for (const auto& user : users) size += user.name.size() + user.password.size() + 32;
  Secret out(size);
  auto rest = out.mutable_bytes();
  const auto put = [&rest](std::string_view text) {
    std::ranges::copy(as_bytes(text), rest.begin());
    rest = rest.subspan(text.size());
  };
  put("# Who may dial in. Every other key: man sluice-users.toml. Taken over by: systemctl reload "
      "sluice-agent\n");
  for (const auto& user : users) {
    put("\n[\"");
    put(user.name);
    put("\"]\npassword = \"");
    put(user.password.text());
    put("\"\n");
  }
  return Secret(out.bytes().first(size - rest.size()));
}

}  // namespace sluice::ctl
