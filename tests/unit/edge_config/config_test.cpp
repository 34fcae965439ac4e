#include "edge/config/config.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

namespace sluice::edge {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sluice-config-XXXXXX";
    folder_ = mkdtemp(name);
    write("psk", "a-pre-shared-key-long-enough\n", 0600);
    write("edge.key", "key", 0600);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text, mode_t mode) {
    std::ofstream(folder_ / name) << text;
    chmod((folder_ / name).c_str(), mode);
  }
  auto parse(const std::string& text) { return parse_config(text, (folder_ / "edge.toml").string()); }
  /// The errors of a broken configuration, each on a line.
  std::string errors(const std::string& text) {
    const auto result = parse(text);
    std::string out;
    if (!result) {
      for (const auto& error : result.error()) out += error.to_string() + "\n";
    }
    return out;
  }

  std::filesystem::path folder_;
  const std::string good_ =
      "[edge]\nname = \"edge1\"\n"
      "[listen]\naddresses = [\"192.0.2.1\", \"2001:db8::1\"]\n"
      "[[psk]]\nfile = \"psk\"\n"
      "[channel]\nlisten = \"10.0.0.1:4600\"\n"
      "[tls]\nca = \"ca.pem\"\ncertificate = \"edge.pem\"\nkey = \"edge.key\"\n";
};

TEST_F(ConfigTest, ReadsWhatIsGivenAndKeepsDefaults) {
  const auto result = parse(good_);
  ASSERT_TRUE(result) << errors(good_);
  EXPECT_EQ(result->config.name, "edge1");
  EXPECT_EQ(result->config.listen_addresses.size(), 2U);
  EXPECT_EQ(result->config.natt_port, 4500U);
  EXPECT_EQ(result->config.psks.at(0).secret.text(), "a-pre-shared-key-long-enough");
  EXPECT_EQ(result->config.operations_socket, "/run/sluice/edge.sock");
  EXPECT_EQ(result->config.tls_ca, folder_ / "ca.pem") << "relative paths count from the file's folder";
  EXPECT_TRUE(result->warnings.empty());
}

TEST_F(ConfigTest, TheShippedExampleHasNoUnknownKey) {
  std::ifstream in(SLUICE_SOURCE "/docs/examples/edge.toml");
  std::stringstream text;
  text << in.rdbuf();
  ASSERT_FALSE(text.str().empty());
  EXPECT_THAT(errors(text.str()), ::testing::Not(HasSubstr("unknown key")));
}

TEST_F(ConfigTest, ServesMetricsNowhereUnlessTold) {
  const auto silent = parse(good_);
  ASSERT_TRUE(silent);
  EXPECT_EQ(http::to_string(silent->config.metrics_listen), "nowhere");
  const auto told = parse(good_ + "[metrics]\nlisten = \"[::1]:9464\"\n");
  ASSERT_TRUE(told);
  EXPECT_EQ(http::to_string(told->config.metrics_listen), "[::1]:9464");
  EXPECT_THAT(errors(good_ + "[metrics]\nlisten = \"localhost\"\n"),
              HasSubstr("metrics.listen: \"localhost\" is neither address:port"));
}

TEST_F(ConfigTest, NamesPlaceAndNearestKeyOfATypingError) {
  EXPECT_THAT(errors(good_ + "[dataplane]\nreplay_windw = 128\n"),
              AllOf(HasSubstr("edge.toml:14:1: unknown key dataplane.replay_windw"),
                    HasSubstr("Did you mean dataplane.replay_window?")));
}

TEST_F(ConfigTest, ReportsEveryErrorAtOnce) {
  const auto text = errors(
      "[edge]\nname = 3\n[listen]\naddresses = [\"nonsense\"]\nike_port = 0\n[log]\nlevel = \"loud\"\n");
  EXPECT_THAT(text, AllOf(HasSubstr(":2:8: edge.name must be a text"), HasSubstr(":4:14: listen.addresses"),
                          HasSubstr(":5:12: listen.ike_port must be a whole number from 1 to 65535"),
                          HasSubstr("log.level: \"loud\" is none of \"debug\""),
                          HasSubstr("channel.listen is missing")));
}

TEST_F(ConfigTest, TellsLineAndColumnOfASyntaxError) {
  EXPECT_THAT(errors("[edge]\nname = \n"), HasSubstr("edge.toml:2:"));
}

TEST_F(ConfigTest, RefusesASecretThatEveryoneCanRead) {
  write("psk", "a-pre-shared-key-long-enough\n", 0644);
  EXPECT_THAT(errors(good_), HasSubstr("chmod 0600"));
}

TEST_F(ConfigTest, WarnsOfAShortKeyWithoutPrintingIt) {
  write("psk", "short-key\n", 0600);
  const auto result = parse(good_);
  ASSERT_TRUE(result);
  ASSERT_EQ(result->warnings.size(), 1U);
  EXPECT_THAT(result->warnings[0].text,
              AllOf(HasSubstr("fewer than 20"), ::testing::Not(HasSubstr("short-key"))));
  write("psk", "shorter\n", 0600);
  EXPECT_THAT(errors(good_), AllOf(HasSubstr("fewer than 8"), ::testing::Not(HasSubstr("shorter"))));
}

TEST_F(ConfigTest, ReadsWhomProbesLogInAs) {
  write("probe", "right\n", 0600);
  const auto result = parse(good_ + "[probe]\nuser = \"p\"\npassword_file = \"probe\"\n");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->config.probe_user, "p");
  EXPECT_EQ(result->config.probe_password.text(), "right");
  EXPECT_THAT(errors(good_ + "[probe]\nuser = \"p\"\n"), HasSubstr("go together"));
  EXPECT_THAT(errors(good_ + "[probe]\npassword_file = \"probe\"\n"), HasSubstr("go together"));
}

TEST_F(ConfigTest, RefusesASecretThatTheGroupCanRead) {
  write("psk", "a-pre-shared-key-long-enough\n", 0640);
  EXPECT_THAT(errors(good_), AllOf(HasSubstr("its group"), HasSubstr("chmod 0600")));
}

TEST_F(ConfigTest, NamesProfilesAndMethodsThatThereAre) {
  auto text = good_;
  text.insert(text.find("[[psk]]"), "profiles = [\"windos\"]\nauth = [\"aggressive\"]\n");
  EXPECT_THAT(errors(text), AllOf(HasSubstr(":5:13: listen.profiles: \"windos\" is none of \"modern\""),
                                  HasSubstr("Did you mean \"windows\"?"),
                                  HasSubstr("listen.auth: \"aggressive\" is none of \"psk\"")));
}

TEST_F(ConfigTest, WeakProfilesAreTakenByNameWithAWarning) {
  auto text = good_;
  text.insert(text.find("[[psk]]"), "profiles = [\"modern\", \"android-legacy\"]\n");
  const auto result = parse(text);
  ASSERT_TRUE(result) << errors(text);
  EXPECT_THAT(result->config.listeners.at(0).profiles,
              ::testing::ElementsAre(IkeProfile::kModern, IkeProfile::kAndroidLegacy));
  ASSERT_EQ(result->warnings.size(), 1U);
  EXPECT_THAT(result->warnings[0].to_string(), HasSubstr("edge.toml:5:12: listen.profiles: listener"));
  EXPECT_THAT(result->warnings[0].text, HasSubstr("android-legacy"));
  EXPECT_TRUE(parse(good_)->warnings.empty());
}

TEST_F(ConfigTest, SeveralListenersEachHaveTheirOwn) {
  write("psk2", "another-pre-shared-key-long\n", 0600);
  const auto text = good_ +
                    "[[listener]]\nname = \"old\"\naddresses = [\"192.0.2.9\"]\nprofiles = [\"windows\"]\n"
                    "[[psk]]\nlistener = \"old\"\nfile = \"psk2\"\n";
  const auto result = parse(text);
  ASSERT_TRUE(result) << errors(text);
  ASSERT_EQ(result->config.listeners.size(), 2U);
  EXPECT_EQ(result->config.listeners[0].name, "main");
  EXPECT_EQ(result->config.listeners[1].name, "old");
  EXPECT_EQ(result->config.listen_addresses.size(), 3U) << "every listener's";
  EXPECT_EQ(result->config.psks.at(1).listener, "old");
  EXPECT_THAT(errors(good_ + "[[listener]]\nname = \"x\"\naddresses = [\"192.0.2.1\"]\n"),
              HasSubstr("two listeners have the address 192.0.2.1"));
}

TEST_F(ConfigTest, ListenersMayStandAlone) {
  auto text = good_;
  const auto listen = text.find("[listen]");
  text.replace(listen, text.find("[[psk]]") - listen,
               "[[listener]]\nname = \"only\"\naddresses = [\"192.0.2.1\"]\n");
  const auto result = parse(text);
  ASSERT_TRUE(result) << errors(text);
  ASSERT_EQ(result->config.listeners.size(), 1U);
  EXPECT_EQ(result->config.listeners[0].name, "only");
}

TEST_F(ConfigTest, NoListenerIsAnError) {
  auto text = good_;
  const auto listen = text.find("[listen]");
  text.erase(listen, text.find("[[psk]]") - listen);
  EXPECT_THAT(errors(text), HasSubstr("listen.addresses: must name at least one"));
}

TEST_F(ConfigTest, UsersComeFromAFileOfTheirOwn) {
  write("users.toml", "[[user]]\nname = \"alice\"\npassword = \"wonder\"\n", 0600);
  const auto text = good_ + "[ike]\nusers = \"users.toml\"\n";
  const auto result = parse(text);
  ASSERT_TRUE(result) << errors(text);
  ASSERT_EQ(result->config.ike_users.size(), 1U);
  EXPECT_EQ(result->config.ike_users[0].password.text(), "wonder");
  write("users.toml", "[[user]]\nnam = \"alice\"\n", 0600);
  EXPECT_THAT(errors(text), HasSubstr("users.toml:2:1: unknown key user.nam. Did you mean user.name?"));
  write("users.toml", "", 0644);
  EXPECT_THAT(errors(text), HasSubstr("chmod 0600"));
}

TEST_F(ConfigTest, MethodsNeedWhatTheyUse) {
  auto text = good_;
  text.insert(text.find("[[psk]]"), "auth = [\"psk\", \"xauth-psk\", \"certificate\", \"eap-radius\"]\n");
  EXPECT_THAT(errors(text), AllOf(HasSubstr("need users"), HasSubstr("needs a certificate"),
                                  HasSubstr("the CA they must come from"), HasSubstr("a RADIUS server")));
}

TEST_F(ConfigTest, RefusesClashingPorts) {
  EXPECT_THAT(errors(good_ + "[operations]\n[dataplane]\n[log]\n[edge2]\n"), HasSubstr("unknown key edge2"));
  auto text = good_;
  text.insert(text.find("[tls]"), "data_port = 4500\n");
  EXPECT_THAT(errors(text), HasSubstr("channel.data_port: clashes with an IKE port"));
}

}  // namespace
}  // namespace sluice::edge
