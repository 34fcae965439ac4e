// `sluicectl init` as an operator or a script runs it.
#include "edge/ctl/init.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "backend-agent/config/config.hpp"
#include "backend-agent/radius/users_file.hpp"
#include "edge/config/config.hpp"

namespace sluice::ctl {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SluicectlInit : public testing::Test {
 protected:
  SluicectlInit() {
    std::string pattern = (fs::temp_directory_path() / "sluice-init-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~SluicectlInit() override { fs::remove_all(root_); }

  fs::path folder() const { return root_ / "etc" / "sluice"; }
  int ctl(std::vector<std::string> words, std::istream* in = nullptr) {
    out_.str("");
    error_.str("");
    words.insert(words.begin(), "init");
    words.insert(words.end(), {"--dir", folder().string()});
    return ctl::run(std::move(words), {out_, error_, {}, "/nowhere/edge.sock", in});
  }
  json parsed(std::vector<std::string> words) {
    words.insert(words.end(), {"--yes", "--json"});
    EXPECT_EQ(ctl(std::move(words)), kOk) << error_.str();
    return json::parse(out_.str());
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static unsigned mode(const fs::path& file) {
    struct stat info {};
    return ::stat(file.c_str(), &info) == 0 ? info.st_mode & 0777U : 0U;
  }
  edge::Config edge() const {
    auto loaded = edge::load_config(folder() / "edge.toml");
    if (!loaded) ADD_FAILURE() << loaded.error().front().to_string();
    if (!loaded) return {};
    EXPECT_THAT(loaded->warnings, IsEmpty());
    return std::move(loaded->config);
  }
  agent::Config agent(const fs::path& at) const {
    auto loaded = agent::load_config(at / "agent.toml");
    if (!loaded) ADD_FAILURE() << loaded.error().front().to_string();
    return loaded ? std::move(*loaded) : agent::Config{};
  }

  fs::path root_;
  std::ostringstream out_, error_;
};

TEST_F(SluicectlInit, OneMachineForAll) {
  const auto made =
      parsed({"--all-in-one", "--public", "203.0.113.1", "--user", "alice", "--dns", "192.0.2.53"});
  EXPECT_EQ(made["schema"], "sluice.init/1");
  const auto edge_side = edge();
  EXPECT_EQ(edge_side.name, "edge1");
  EXPECT_EQ(edge_side.channel_listen.to_string(), "127.0.0.1:4600");
  EXPECT_EQ(edge_side.psks.at(0).secret.text(), made["init"]["client"]["psk"].get<std::string>());
  const auto agent_side = agent(folder());
  EXPECT_EQ(agent_side.edges.at(0).address, edge_side.channel_listen);
  EXPECT_GE(agent_side.data_port, edge_side.data_port + 64) << "an edge takes a port for each data worker";
  EXPECT_EQ(agent_side.dns.at(0).to_string(), "192.0.2.53");
  auto users = agent::load_users(folder() / "users.toml");
  ASSERT_TRUE(static_cast<bool>(users));
  EXPECT_EQ(made["init"]["client"]["users"][0]["name"], "alice");
  EXPECT_THAT(read(folder() / "users.toml"),
              HasSubstr(made["init"]["client"]["users"][0]["password"].get<std::string>()));
  EXPECT_FALSE(fs::exists(folder() / "agents"));
}

TEST_F(SluicectlInit, EachAgentHasAnArchiveThatIsAllItNeeds) {
  const auto made = parsed({"--public", "203.0.113.1", "--agent", "agent1=192.0.2.11", "--agent",
                            "b=192.0.2.12", "--channel", "192.0.2.1", "--pool", "10.7.0.0/16"});
  EXPECT_THAT(edge().agents, testing::ElementsAre("agent1", "b"));
  const std::vector<std::string> locals{"10.7.0.1", "10.7.128.1"};
  for (const auto* name : {"agent1", "b"}) {
    const auto archive = folder() / "agents" / (std::string(name) + ".tar");
    EXPECT_EQ(mode(archive), 0600U);
    const auto at = root_ / name;
    fs::create_directory(at);
    ASSERT_EQ(std::system(("tar -x -C " + at.string() + " -f " + archive.string()).c_str()), 0);
    const auto side = agent(at);
    EXPECT_EQ(side.name, name);
    EXPECT_EQ(side.local_address.to_string(), locals[name == std::string("b") ? 1 : 0]);
    EXPECT_EQ(mode(at / "users.toml"), 0600U);
    EXPECT_EQ(mode(at / (std::string(name) + ".key")), 0600U);
    EXPECT_TRUE(static_cast<bool>(agent::load_users(at / "users.toml")));
    EXPECT_EQ(read(at / "ca.pem"), read(folder() / "ca.pem"));
  }
  std::string steps;
  for (const auto& step : made["init"]["next"]) steps += step["command"].get<std::string>() + "\n";
  EXPECT_THAT(steps, AllOf(HasSubstr("ssh root@192.0.2.11 tar -x -C /etc/sluice <"),
                           HasSubstr("ssh root@192.0.2.12 systemctl enable --now sluice-agent"),
                           HasSubstr("systemctl enable --now sluice-edge\n"),
                           HasSubstr("chown sluice-edge:sluice /etc/sluice/psk")));
}

TEST_F(SluicectlInit, AnAgentOnLoopbackIsOneMachineForAll) {
  parsed({"--public", "203.0.113.1", "--agent", "ppp=127.0.0.1"});
  EXPECT_EQ(agent(folder()).name, "ppp");
}

TEST_F(SluicectlInit, ShowsWhatToDoAndWhatToTypeIntoAClient) {
  ASSERT_EQ(ctl({"--yes", "--all-in-one", "--public", "203.0.113.1", "--user", "alice"}), kOk)
      << error_.str();
  auto psk = read(folder() / "psk");
  psk.pop_back();
  EXPECT_THAT(
      out_.str(),
      AllOf(HasSubstr("server          203.0.113.1\n"), HasSubstr("pre-shared key  " + psk + "\n"),
            HasSubstr("user            alice\n"),
            HasSubstr("systemctl enable --now sluice-edge sluice-agent"), HasSubstr("sluicectl ready")));
  EXPECT_EQ(error_.str(), "");
}

TEST_F(SluicectlInit, SecretsAreTheirOwnersAlone) {
  const auto made = parsed({"--all-in-one", "--public", "203.0.113.1"});
  for (const auto* secret : {"psk", "users.toml", "edge1.key", "agent1.key", "pki/ca.key"})
    EXPECT_EQ(mode(folder() / secret), 0600U) << secret;
  for (const auto* open : {"edge.toml", "agent.toml", "ca.pem", "crl.pem", "edge1.pem"}) {
    EXPECT_EQ(mode(folder() / open), 0644U) << open;
    EXPECT_THAT(
        read(folder() / open),
        AllOf(Not(HasSubstr("PRIVATE")), Not(HasSubstr(made["init"]["client"]["psk"].get<std::string>()))));
  }
}

TEST_F(SluicectlInit, OverwritesNothing) {
  fs::create_directories(folder());
  std::ofstream(folder() / "psk") << "precious\n";
  EXPECT_EQ(ctl({"--yes", "--all-in-one", "--public", "203.0.113.1"}), kFailed);
  EXPECT_THAT(error_.str(),
              AllOf(HasSubstr("nothing is overwritten"), HasSubstr((folder() / "psk").string())));
  EXPECT_EQ(read(folder() / "psk"), "precious\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder()), {}), 1);
}

TEST_F(SluicectlInit, MakesAllOrNothing) {
  fs::create_directories(folder());
  std::ofstream(folder() / "agents") << "in the way of the last step\n";
  EXPECT_EQ(
      ctl({"--yes", "--agent", "agent1=192.0.2.11", "--channel", "192.0.2.1", "--public", "203.0.113.1"}),
      kFailed);
  EXPECT_THAT(error_.str(), HasSubstr("agents"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder()), {}), 1)
      << "of what was made before, something is left";
}

TEST_F(SluicectlInit, AsksAPerson) {
  std::istringstream answers(
      "203.0.113.1, 203.0.113.2\n\nagent1=192.0.2.11 "
      "agent2=\nagent1=192.0.2.11\n192.0.2.1:4700\n\nnone\nalice bob\n");
  ASSERT_EQ(ctl({}, &answers), kOk) << error_.str();
  EXPECT_THAT(
      error_.str(),
      AllOf(HasSubstr("Addresses that clients dial"), HasSubstr("Name of this edge [edge1]: "),
            HasSubstr("\"agent2=\" is neither NAME nor NAME=ADDRESS\n"), HasSubstr("[10.99.0.0/16]: ")));
  const auto made = edge();
  EXPECT_EQ(made.listen_addresses.size(), 2U);
  EXPECT_EQ(made.channel_listen.to_string(), "192.0.2.1:4700");
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("user            alice\n"), HasSubstr("user            bob\n")));
}

TEST_F(SluicectlInit, DoesNotAskWhatOptionsSay) {
  std::istringstream answers("\n\n\n");
  ASSERT_EQ(ctl({"--public", "203.0.113.1", "--all-in-one", "--user", "alice", "--dns", "none"}, &answers),
            kOk)
      << error_.str();
  EXPECT_THAT(error_.str(),
              AllOf(Not(HasSubstr("Agents")), Not(HasSubstr("First user")), HasSubstr("Name of this edge")));
}

TEST_F(SluicectlInit, WritesNothingWhenTheAnswersEnd) {
  std::istringstream answers("203.0.113.1\nedge1\n");
  EXPECT_EQ(ctl({}, &answers), kFailed);
  EXPECT_THAT(error_.str(), HasSubstr("nothing was written"));
  EXPECT_FALSE(fs::exists(folder()));
}

TEST_F(SluicectlInit, WrongOptionsAreUsageErrors) {
  EXPECT_EQ(ctl({"--public", "203.0.113.1"}), kUsage) << "there is nobody to ask";
  EXPECT_THAT(error_.str(), HasSubstr("--yes"));
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--public", "203.0.113"},
           {"--public", "203.0.113.1", "--pool", "10.0.0.1/8"},
           {"--public", "203.0.113.1", "--channel", "here:1"},
           {"--public", "203.0.113.1", "--agent", "a=b=c"},
           {"--public", "203.0.113.1", "--all-in-one", "--agent", "agent1=192.0.2.1"},
           {"--public", "203.0.113.1", "--dns", "dns.example"}}) {
    auto given = words;
    given.push_back("--yes");
    EXPECT_EQ(ctl(given), kUsage) << testing::PrintToString(words);
    EXPECT_FALSE(fs::exists(folder()));
  }
}

}  // namespace
}  // namespace sluice::ctl
