#include "edge/ike/charon_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::edge {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

IkeConfig example() {
  IkeConfig config;
  config.run_dir = "/run/sluice/ike";
  config.psks.push_back({{}, Secret(std::string_view("open sesame"))});
  config.psks.push_back({{"192.0.2.7", "a@b.example"}, Secret(std::string_view("other"))});
  return config;
}

const CharonPaths kPaths{"/run/sluice/ike/feed.sock", "/run/sluice/ike/vici.sock"};

TEST(CharonSettings, OursComesFirstAndNothingThatTouchesTheNetwork) {
  const std::string text = charon_settings(example(), kPaths);
  EXPECT_THAT(text, HasSubstr("load = sluice "));
  for (const char* plugin : {"kernel-netlink", "socket-default", "stroke", "dhcp", "resolve"}) {
    EXPECT_THAT(text, Not(HasSubstr(plugin)));
  }
  EXPECT_THAT(text, HasSubstr("socket = \"/run/sluice/ike/feed.sock\""));
  EXPECT_THAT(text, HasSubstr("socket = \"unix:///run/sluice/ike/vici.sock\""));
}

TEST(CharonSettings, HoldNoSecretAndNoLogLevelThatWouldPrintOne) {
  IkeConfig config = example();
  config.log_level = 4;
  const std::string text = charon_settings(config, kPaths);
  EXPECT_THAT(text, Not(HasSubstr("sesame")));
  EXPECT_THAT(text, HasSubstr("default = 2\n"));
}

TEST(CharonSettings, ConnectionIsForL2tpClients) {
  const vici::Message message = connection_message(example());
  const auto* connection = message.section(kConnectionName);
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection->get("version"), "0");
  EXPECT_EQ(connection->get("unique"), "never");
  EXPECT_EQ(connection->get("aggressive"), "no");
  EXPECT_EQ(connection->get("dpd_delay"), "0s");
  EXPECT_EQ(connection->get("rekey_time"), "0s");
  EXPECT_THAT(*connection->list("local_addrs"), testing::ElementsAre("%any"));
  const auto* child = connection->section("children")->section(kChildName);
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(child->get("mode"), "transport");
  EXPECT_EQ(child->get("mark_in"), "%unique");
  EXPECT_THAT(*child->list("local_ts"), testing::ElementsAre("dynamic[udp/1701]"));
}

TEST(CharonSettings, WeakAlgorithmsOnlyWhenAskedFor) {
  const auto has = [](const std::vector<std::string>& proposals, const char* word) {
    for (const auto& proposal : proposals) {
      if (proposal.find(word) != std::string::npos) return true;
    }
    return false;
  };
  for (const char* weak : {"3des", "modp1024", "md5"}) {
    EXPECT_FALSE(has(default_ike_proposals(false), weak));
    EXPECT_FALSE(has(default_esp_proposals(false), weak));
  }
  EXPECT_TRUE(has(default_ike_proposals(true), "modp1024"));
  EXPECT_TRUE(has(default_esp_proposals(true), "3des"));
}

TEST(CharonSettings, SecretsGoToTheirOwnersAndAreHiddenWhenPrinted) {
  const auto messages = secret_messages(example());
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].list("owners"), nullptr);
  EXPECT_EQ(messages[0].get("data"), "open sesame");
  EXPECT_THAT(messages[0].to_text(), Not(HasSubstr("sesame")));
  EXPECT_THAT(*messages[1].list("owners"), Contains("a@b.example"));
  EXPECT_NE(messages[0].get("id"), messages[1].get("id"));
}

TEST(CharonSettings, ChecksNameWhatIsWrong) {
  EXPECT_TRUE(check_config(example()).empty());
  IkeConfig config = example();
  config.run_dir = "relative";
  EXPECT_THAT(check_config(config), Contains(HasSubstr("absolute")));
  config = example();
  config.run_dir = "/tmp/" + std::string(100, 'x');
  EXPECT_THAT(check_config(config), Contains(HasSubstr("too long")));
  config = example();
  config.run_dir = "/tmp/a\"b";
  EXPECT_THAT(check_config(config), Contains(HasSubstr("character")));
  config = example();
  config.log_level = 3;
  EXPECT_THAT(check_config(config), Contains(HasSubstr("log level")));
  config = example();
  config.psks.clear();
  EXPECT_THAT(check_config(config), Contains(HasSubstr("pre-shared key")));
  config = example();
  config.natt_port = config.ike_port;
  EXPECT_THAT(check_config(config), Contains(HasSubstr("ports")));
}

}  // namespace
}  // namespace sluice::edge
