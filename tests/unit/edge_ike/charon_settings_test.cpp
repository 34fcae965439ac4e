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

TEST(CharonSettings, RadiusSecretsLieInAFileOfTheirOwn) {
  IkeConfig config = example();
  EXPECT_THAT(charon_settings(config, kPaths), Not(HasSubstr("radius")));
  config.listeners.at(0).auth = {IkeAuth::kEapRadius};
  config.radius.push_back({*Endpoint::parse("10.0.0.5:1812"), Secret(std::string_view("radius \"sesame\""))});
  const std::string text = charon_settings(config, kPaths);
  EXPECT_THAT(text, HasSubstr(" eap-radius\n"));
  EXPECT_THAT(text, HasSubstr("include radius.conf\n"));
  EXPECT_THAT(text, Not(HasSubstr("sesame")));
  const Secret radius = radius_settings(config);
  EXPECT_THAT(std::string(radius.text()), HasSubstr("address = 10.0.0.5\n"));
  EXPECT_THAT(std::string(radius.text()), HasSubstr("auth_port = 1812\n"));
  EXPECT_THAT(std::string(radius.text()), HasSubstr("secret = \"radius \\\"sesame\\\"\"\n"));
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
