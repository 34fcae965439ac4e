#include "edge/ctl/init.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <istream>

#include "base/app/system_random.hpp"
#include "base/text.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;

constexpr const char* kHere = "here";
constexpr const char* kNone = "none";
constexpr const char* kLocalAgent = "agent1";

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string joined(const std::vector<IpAddress>& addresses) {
  std::vector<std::string> out;
  for (const auto& address : addresses) out.push_back(address.to_string());
  return joined(out);
}

/// By blanks and commas.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ' && c != ',' && c != '\t' && c != '\r') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::exchange(word, {}));
    }
  }
  return out;
}

using Fault = std::optional<std::string>;

Fault take_addresses(const std::string& text, std::vector<IpAddress>& to) {
  to.clear();
  for (const auto& word : words_of(text)) {
    const auto address = IpAddress::parse(word);
    if (!address) return "\"" + escaped(word) + "\" is no address";
    to.push_back(*address);
  }
  return std::nullopt;
}

std::string public_addresses(const Machine& machine) {
  std::vector<IpAddress> out;
  std::ranges::copy_if(machine.addresses, std::back_inserter(out), is_public);
  if (out.empty() && !machine.addresses.empty()) out.push_back(machine.addresses.front());
  return joined(out);
}

/// Where the first agent's packets would come in, or else a private address, or else what clients dial.
std::string channel_address(const Machine& machine, const InitPlan& plan) {
  for (const auto& agent : plan.agents) {
    const auto address = IpAddress::parse(agent.host);
    if (!address) continue;
    if (const auto own = machine.leaving_for(*address)) return Endpoint{*own, kChannelPort}.to_string();
  }
  for (const auto& own : machine.addresses)
    if (own.is_v4() && !is_public(own)) return Endpoint{own, kChannelPort}.to_string();
  return plan.addresses.empty() ? "" : Endpoint{plan.addresses.front(), kChannelPort}.to_string();
}

Fault take_channel(const std::string& text, Endpoint& to) {
  if (const auto address = IpAddress::parse(text)) {
    to = {*address, kChannelPort};
    return std::nullopt;
  }
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint) return "\"" + escaped(text) + "\" is neither ADDRESS nor ADDRESS:PORT";
  to = *endpoint;
  return std::nullopt;
}

bool is_loopback(const std::string& host) {
  const auto address = IpAddress::parse(host);
  return address && (address->to_v4() >> 24 == 127 || host == "::1");
}

Fault take_agents(const std::string& text, InitPlan& plan) {
  plan.agents.clear();
  plan.all_in_one = text == kHere;
  if (plan.all_in_one) plan.agents.push_back({kLocalAgent, "127.0.0.1"});
  if (plan.all_in_one) return std::nullopt;
  for (const auto& word : words_of(text)) {
    auto agent = parse_agent(word);
    if (!agent) return "\"" + escaped(word) + "\" is neither NAME nor NAME=ADDRESS";
    plan.agents.push_back(std::move(*agent));
  }
  plan.all_in_one = plan.agents.size() == 1 && is_loopback(plan.agents.front().host);
  return std::nullopt;
}

Fault take_pool(const std::string& text, Prefix& to) {
  const auto pool = Prefix::parse(text);
  if (!pool) return "\"" + escaped(text) + "\" is no network, as 10.99.0.0/16 is one";
  to = *pool;
  return std::nullopt;
}

std::string mode_text(unsigned mode) {
  std::string out = "0000";
  for (std::size_t i = out.size(); i-- > 0; mode >>= 3) out[i] = static_cast<char>('0' + (mode & 7));
  return out;
}

ordered_json to_json(const InitPlan& plan, const InitOutcome& outcome, const std::vector<InitStep>& steps) {
  auto files = ordered_json::array(), next = ordered_json::array(), users = ordered_json::array(),
       servers = ordered_json::array();
  for (const auto& file : outcome.files)
    files.push_back({{"path", file.path.string()}, {"mode", mode_text(file.mode)}, {"what", file.what}});
  for (const auto& step : steps)
    next.push_back({{"machine", step.machine}, {"command", step.command}, {"why", step.why}});
  for (const auto& user : outcome.users)
    users.push_back({{"name", user.name}, {"password", user.password.text()}});
  for (const auto& address : plan.addresses) servers.push_back(address.to_string());
  return {{"folder", outcome.folder.string()},
          {"files", files},
          {"next", next},
          {"client", {{"servers", servers}, {"psk", outcome.psk.text()}, {"users", users}}}};
}

}  // namespace

/// One thing to know: asked on a terminal unless a flag says it.
struct InitCommand::Item {
  std::string question;
  std::string said;      ///< by flags; empty: not
  std::string proposal;  ///< empty: there is none
  std::function<Fault(const std::string&)> take;
};

CLI::App* InitCommand::add_to(CLI::App& app) {
  auto* init = app.add_subcommand(
      "init", "writes a working edge and its agents: settings, certificates, keys, a user");
  init->add_option("--dir", folder_, "where to write")->capture_default_str();
  init->add_flag("--yes", yes_, "asks nothing: what no option says is as it would be proposed");
  init->add_option("--public", addresses_, "address that clients dial; again for more");
  init->add_option("--name", edge_, "of the edge; edge1 if not said");
  auto* agent = init->add_option("--agent", agents_,
                                 "NAME=ADDRESS of an agent's machine, ADDRESS for ssh; again for more");
  init->add_flag("--all-in-one", all_in_one_, "the one agent is on the edge's machine")->excludes(agent);
  init->add_option("--channel", channel_, "ADDRESS or ADDRESS:PORT at which agents reach the edge");
  init->add_option("--pool", pool_, "network of the clients' addresses, which the agents share");
  init->add_option("--dns", dns_, "name server that clients are told, or 'none'; twice at most");
  init->add_option("--user", users_, "who may dial in, with a password that is made up; again for more");
  examples(*init, {"init", "init --yes --all-in-one --public 203.0.113.1 --user alice",
                   "init --yes --public 203.0.113.1 --agent agent1=10.0.0.2 --agent agent2=10.0.0.3 --pool "
                   "10.99.0.0/16"});
  return init;
}

std::vector<InitCommand::Item> InitCommand::items(const Machine& machine) {
  std::vector<Item> out;
  out.push_back({"Addresses that clients dial", joined(addresses_), public_addresses(machine),
                 [this](const std::string& text) { return take_addresses(text, plan_.addresses); }});
  out.push_back({"Name of this edge", edge_, plan_.edge, [this](const std::string& text) -> Fault {
                   plan_.edge = text;
                   return std::nullopt;
                 }});
  out.push_back({"Agents, as NAME=ADDRESS; or \"here\" for one on this machine",
                 all_in_one_ ? kHere : joined(agents_), kHere,
                 [this](const std::string& text) { return take_agents(text, plan_); }});
  out.push_back({"Address at which agents reach this edge", channel_, "",
                 [this](const std::string& text) { return take_channel(text, plan_.channel); }});
  out.push_back({"Network of the clients' addresses", pool_, "10.99.0.0/16",
                 [this](const std::string& text) { return take_pool(text, plan_.pool); }});
  out.push_back(
      {"Name servers that clients are told (or none)", joined(dns_),
       machine.resolvers.empty() ? kNone : joined(machine.resolvers),
       [this](const std::string& text) { return take_addresses(text == kNone ? "" : text, plan_.dns); }});
  out.push_back({"First user", joined(users_), "user1", [this](const std::string& text) -> Fault {
                   plan_.users = words_of(text);
                   return std::nullopt;
                 }});
  return out;
}

/// An exit code if it cannot be known.
std::optional<int> InitCommand::settle(const Item& item, const Conversation& with) const {
  const bool asks = !yes_ && item.said.empty();
  while (true) {
    std::string text = item.said.empty() ? item.proposal : item.said;
    if (asks) {
      with.to.error << item.question << (item.proposal.empty() ? "" : " [" + item.proposal + "]") << ": "
                    << std::flush;
      std::string line;
      if (!std::getline(*with.to.in, line)) return with.fail("the answers ended; nothing was written");
      if (const auto words = joined(words_of(line)); !words.empty()) text = words;
    }
    const auto fault = item.take(text);
    if (!fault) return std::nullopt;
    if (!asks) return with.refuse_usage(*fault);
    with.to.error << *fault << "\n";
  }
}

int InitCommand::run(const Conversation& with) {
  if (!yes_ && with.to.in == nullptr)
    return with.refuse_usage(
        "there is no terminal to ask on; --yes asks nothing and takes what options do not say as proposed");
  const auto machine = machine_();
  for (auto& item : items(machine)) {
    // What is proposed for it depends on the answers before.
    const bool is_channel = item.question.starts_with("Address at");
    if (is_channel && plan_.all_in_one && item.said.empty()) {
      plan_.channel = {IpAddress::v4(0x7f000001), kChannelPort};
      continue;
    }
    if (is_channel) item.proposal = channel_address(machine, plan_);
    if (const auto code = settle(item, with)) return *code;
  }
  if (const auto fault = fault_of(plan_)) return with.refuse_usage(*fault);
  auto folder = std::filesystem::absolute(folder_).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  app::SystemRandom random;
  const auto outcome = carry_out(plan_, folder, random);
  if (!outcome) return with.fail(outcome.error());
  const auto steps = next_steps(plan_, *outcome);
  if (with.json) {
    with.print("sluice.init/1", {{"init", to_json(plan_, *outcome, steps)}});
  } else {
    show(with, *outcome, steps);
  }
  return kOk;
}

void InitCommand::show(const Conversation& with, const InitOutcome& outcome,
                       const std::vector<InitStep>& steps) const {
  auto& out = with.to.out;
  out << "Written to " << outcome.folder.string() << ":\n";
  std::size_t width = 0;
  for (const auto& file : outcome.files)
    width = std::max(width, file.path.lexically_relative(outcome.folder).string().size());
  const auto row = [&](std::string name, const std::string& what) {
    name.resize(std::max(width, name.size()), ' ');
    out << "  " << name << "  " << what << "\n";
  };
  for (const auto& file : outcome.files)
    row(file.path.lexically_relative(outcome.folder).string(), file.what);
  row("pki/", "the CA and its key; have a copy of it elsewhere");
  out << "\nTo do, as root on this machine, with the packages installed:\n";
  for (const auto& step : steps) out << "  " << step.command << "   # " << step.why << "\n";
  for (std::size_t i = 0; i < plan_.agents.size() && !plan_.all_in_one; ++i)
    out << "The inside must send " << shares_of(plan_.pool, plan_.agents.size())[i].to_string() << " to "
        << plan_.agents[i].name << ".\n";
  if (plan_.all_in_one) out << "The inside must send " << plan_.pool.to_string() << " to this machine.\n";
  out << "\nA client: L2TP/IPsec with pre-shared key (docs/clients.md)\n  server          "
      << joined(plan_.addresses) << "\n  pre-shared key  " << outcome.psk.text() << "\n";
  for (const auto& user : outcome.users)
    out << "  user            " << user.name << "\n  password        " << user.password.text() << "\n";
  out << "\nIs it up: sluicectl ready\n";
}

}  // namespace sluice::ctl
