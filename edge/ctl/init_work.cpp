#include "edge/ctl/init_work.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>

#include "edge/ctl/psk.hpp"
#include "edge/ctl/tar.hpp"
#include "proto/pki/authority.hpp"
#include "proto/pki/files.hpp"

namespace sluice::ctl {
namespace {

namespace fs = std::filesystem;
using pki::Authority;

constexpr const char* kEdgeAccount = "sluice-edge";
constexpr const char* kAgentAccount = "sluice-agent";
constexpr const char* kGroup = "sluice";

class Work {
 public:
  Work(const InitPlan& plan, const fs::path& folder, RandomSource& random)
      : plan_(plan), folder_(folder), random_(random) {}

  std::optional<std::string> run() {
    std::error_code code;
    if (fs::create_directories(folder_.parent_path(), code); code)
      return folder_.parent_path().string() + ": " + code.message();
    if (auto error = nothing_there()) return error;
    if (auto error = made_.folder(folder_, 0755)) return error;
    if (auto error = make_certificates()) return error;
    make_secrets();
    if (auto error = gather()) return error;
    if (!plan_.all_in_one)
      if (auto error = made_.folder(folder_ / "agents", 0700)) return error;
    for (const auto& file : files_)
      if (auto error = made_.write(file)) return error;
    made_.keep();
    return std::nullopt;
  }

  InitOutcome outcome() {
    for (auto& file : files_) file.text = Secret();
    return {folder_, std::move(files_), std::move(psk_), std::move(users_), made_.all_owned()};
  }

 private:
  /// Said before anything is made; that nothing is overwritten is write()'s doing.
  std::optional<std::string> nothing_there() const {
    std::vector<std::string> names{"edge.toml",        "psk", "ca.pem", "crl.pem", "pki", plan_.edge + ".pem",
                                   plan_.edge + ".key"};
    for (const auto& agent : plan_.agents) {
      if (!plan_.all_in_one) names.push_back("agents/" + agent.name + ".tar");
      if (plan_.all_in_one) names.insert(names.end(), {agent.name + ".pem", agent.name + ".key"});
    }
    if (plan_.all_in_one) names.insert(names.end(), {"agent.toml", "users.toml"});
    std::string there;
    for (const auto& name : names) {
      std::error_code ignored;
      if (fs::symlink_status(folder_ / name, ignored).type() != fs::file_type::not_found)
        there += (there.empty() ? "" : ", ") + (folder_ / name).string();
    }
    if (there.empty()) return std::nullopt;
    return "nothing is overwritten, and there is already: " + there +
           "; move it away, or name another folder by --dir";
  }

  std::optional<std::string> make_certificates() {
    made_.expect(folder_ / "pki");
    auto authority = Authority::init(folder_ / "pki", "Sluice CA of " + plan_.edge);
    if (!authority) return authority.error();
    if (auto done = authority->issue({plan_.edge, pki::Role::kEdge, {}}); !done) return done.error();
    for (const auto& agent : plan_.agents)
      if (auto done = authority->issue({agent.name, pki::Role::kAgent, {}}); !done) return done.error();
    return std::nullopt;
  }

  void make_secrets() {
    psk_ = generate_psk(random_);
    for (const auto& user : plan_.users) users_.push_back({user, generate_password(random_)});
  }

  std::optional<std::string> gather() {
    add(files_, "edge.toml", Secret(edge_toml(plan_)), 0644, "", "the edge's settings");
    add(files_, "psk", line_of(psk_), 0600, kEdgeAccount,
        "the key that every client needs beside its own password");
    if (auto error = add_shared(files_)) return error;
    if (auto error = add_pair(files_, plan_.edge, kEdgeAccount)) return error;
    for (std::size_t i = 0; i < plan_.agents.size(); ++i)
      if (auto error = plan_.all_in_one ? add_agent(files_, i) : add_archive(i)) return error;
    return std::nullopt;
  }

  std::optional<std::string> add_shared(std::vector<NewFile>& to) {
    if (auto error = add_pem(to, "ca.pem", 0644, "", "the CA: whom edge and agents believe")) return error;
    return add_pem(to, "crl.pem", 0644, "", "what the CA took back: nothing yet");
  }

  std::optional<std::string> add_pair(std::vector<NewFile>& to, const std::string& name,
                                      const char* account) {
    if (auto error = add_pem(to, name + ".pem", 0644, "", "who " + name + " is to the others")) return error;
    return add_pem(to, name + ".key", 0600, account, "its key");
  }

  std::optional<std::string> add_pem(std::vector<NewFile>& to, const std::string& name, unsigned mode,
                                     const char* account, std::string what) {
    auto pem = pki::read_key_file(folder_ / "pki" / name);
    if (!pem) return pem.error();
    Secret text(*pem);
    wipe({reinterpret_cast<std::uint8_t*>(pem->data()), pem->size()});
    add(to, name, std::move(text), mode, account, std::move(what));
    return std::nullopt;
  }

  std::optional<std::string> add_agent(std::vector<NewFile>& to, std::size_t index) {
    add(to, "agent.toml", Secret(agent_toml(plan_, index)), 0644, "", "the agent's settings");
    add(to, "users.toml", users_toml(users_), 0600, kAgentAccount, "who may dial in");
    return add_pair(to, plan_.agents[index].name, kAgentAccount);
  }

  std::optional<std::string> add_archive(std::size_t index) {
    std::vector<NewFile> inside;
    if (auto error = add_agent(inside, index)) return error;
    if (auto error = add_shared(inside)) return error;
    std::vector<TarEntry> entries;
    for (const auto& file : inside) {
      const bool secret = !file.owner.empty();
      entries.push_back({file.path.filename().string(), file.text.bytes(), file.mode,
                         secret ? file.owner : "root", secret ? kGroup : "root"});
    }
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    add(files_, "agents/" + plan_.agents[index].name + ".tar",
        tar_of(entries, static_cast<std::uint64_t>(now)), 0600, "",
        "all that is " + plan_.agents[index].name + "'s, to be unpacked there");
    return std::nullopt;
  }

  void add(std::vector<NewFile>& to, const std::string& name, Secret text, unsigned mode, std::string owner,
           std::string what) {
    to.push_back({folder_ / name, std::move(text), mode, std::move(owner), std::move(what)});
  }

  static Secret line_of(const Secret& secret) {
    Secret out(secret.size() + 1);
    std::ranges::copy(secret.bytes(), out.mutable_bytes().begin());
    out.mutable_bytes().back() = '\n';
    return out;
  }

  const InitPlan& plan_;
  const fs::path& folder_;
  RandomSource& random_;
  NewFiles made_;
  std::vector<NewFile> files_;
  Secret psk_;
  std::vector<NewUser> users_;
};

constexpr const char* kForwarding =
    "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/60-sluice-forward.conf; sysctl -w net.ipv4.ip_forward=1";

/// For a shell, where it needs it.
std::string for_shell(const std::string& path) {
  const bool plain = std::ranges::all_of(path, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("/._-").find(c) != std::string_view::npos;
  });
  if (plain) return path;
  std::string out = "'";
  for (const char c : path) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// For a folder that was written before the accounts were there, or elsewhere.
std::string owning(const InitOutcome& outcome) {
  std::string out;
  for (const auto* account : {kEdgeAccount, kAgentAccount}) {
    std::string files;
    for (const auto& file : outcome.files)
      if (file.owner == account) files += " " + (fs::path(kUsualFolder) / file.path.filename()).string();
    if (!files.empty())
      out += (out.empty() ? "chown " : "; chown ") + std::string(account) + ":" + kGroup + files;
  }
  return out;
}

}  // namespace

Result<InitOutcome, std::string> carry_out(const InitPlan& plan, const fs::path& folder,
                                           RandomSource& random) {
  Work work(plan, folder, random);
  if (auto error = work.run()) return Failure{std::move(*error)};
  return work.outcome();
}

std::vector<InitStep> next_steps(const InitPlan& plan, const InitOutcome& outcome) {
  const auto& folder = outcome.folder;
  std::vector<InitStep> out;
  if (folder != kUsualFolder)
    out.push_back(
        {plan.edge, "cp -a " + for_shell(folder.string()) + "/. " + kUsualFolder, "the daemons look there"});
  if (folder != kUsualFolder || !outcome.all_owned)
    out.push_back({plan.edge, owning(outcome), "each secret is its daemon's alone"});
  out.push_back({plan.edge, "systemctl disable --now strongswan", "the edge runs a charon of its own"});
  if (plan.all_in_one) {
    out.push_back({plan.edge, kForwarding, "clients' packets go on from here"});
    out.push_back(
        {plan.edge, "systemctl enable --now sluice-edge sluice-agent", "they start, now and at each boot"});
    return out;
  }
  out.push_back({plan.edge, "systemctl enable --now sluice-edge", "it starts, now and at each boot"});
  for (const auto& agent : plan.agents) {
    const auto there = "ssh root@" + agent.host + " ";
    const auto archive = for_shell((folder / "agents" / (agent.name + ".tar")).string());
    out.push_back({agent.name, there + "tar -x -C " + kUsualFolder + " <" + archive,
                   "package sluice-agent is installed there"});
    out.push_back({agent.name, there + "'" + kForwarding + "'", "clients' packets go on from there"});
    out.push_back(
        {agent.name, there + "systemctl enable --now sluice-agent", "it starts, now and at each boot"});
  }
  return out;
}

}  // namespace sluice::ctl
