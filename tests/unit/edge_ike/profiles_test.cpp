#include "edge/ike/profiles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::edge {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> both(const std::vector<IkeProfile>& profiles) {
  auto out = ike_proposals(profiles);
  for (auto& proposal : esp_proposals(profiles)) out.push_back(std::move(proposal));
  return out;
}

TEST(Profiles, AreKnownByName) {
  for (const auto name : ike_profile_names()) {
    const auto profile = parse_ike_profile(name);
    ASSERT_TRUE(profile) << name;
    EXPECT_EQ(name_of(*profile), name);
    EXPECT_FALSE(ike_proposals({*profile}).empty());
    EXPECT_FALSE(esp_proposals({*profile}).empty());
  }
  EXPECT_FALSE(parse_ike_profile("windos"));
}

TEST(Profiles, WeakAlgorithmsOnlyByName) {
  EXPECT_THAT(both(default_ike_profiles()), Each(AllOf(Not(HasSubstr("3des")), Not(HasSubstr("modp1024")),
                                                       Not(HasSubstr("modp1536")), Not(HasSubstr("md5")))));
  EXPECT_THAT(default_ike_profiles(), Not(Contains(IkeProfile::kAndroidLegacy)));
  EXPECT_TRUE(is_weak(IkeProfile::kAndroidLegacy));
}

TEST(Profiles, WindowsGetsWhatItSends) {
  EXPECT_THAT(ike_proposals({IkeProfile::kWindows}),
              ElementsAre("aes256-sha1-ecp384", "aes128-sha1-ecp256", "aes256-sha1-modp2048"));
  EXPECT_THAT(esp_proposals({IkeProfile::kWindows}), ElementsAre("aes256-sha1", "aes128-sha1"));
}

TEST(Profiles, ChromeosGetsGcm) {
  EXPECT_EQ(esp_proposals({IkeProfile::kChromeos}).front(), "aes128gcm16");
}

TEST(Profiles, ModernHasNoSha1) {
  EXPECT_THAT(both({IkeProfile::kModern}), Each(Not(HasSubstr("sha1"))));
}

TEST(Profiles, OldAndroidsGetSha1BeforeTheirTruncatedSha256) {
  const auto all = esp_proposals({IkeProfile::kModern, IkeProfile::kAndroidLegacy});
  const auto at = [&](const char* proposal) { return std::ranges::find(all, proposal) - all.begin(); };
  EXPECT_LT(at("aes256-sha1"), at("aes256-sha256"));
  EXPECT_EQ(all.back(), "3des-sha1");
}

TEST(Profiles, TogetherOfferEachProposalOnceInOneOrder) {
  const auto one = ike_proposals({IkeProfile::kWindows, IkeProfile::kApple});
  EXPECT_EQ(one, ike_proposals({IkeProfile::kApple, IkeProfile::kWindows}));
  EXPECT_EQ(std::ranges::count(one, "aes256-sha1-modp2048"), 1);
}

}  // namespace
}  // namespace sluice::edge
