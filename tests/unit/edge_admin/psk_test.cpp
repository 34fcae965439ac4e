#include "edge/ctl/psk.hpp"

#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "base/app/system_random.hpp"
#include "edge/ctl/commands.hpp"

namespace sluice::ctl {
namespace {

using testing::MatchesRegex;

TEST(GeneratePsk, IsLongEnoughAndEasyToRead) {
  app::SystemRandom random;
  std::set<std::string> seen, letters;
  for (int i = 0; i < 200; ++i) {
    const Secret psk = generate_psk(random);
    EXPECT_THAT(std::string(psk.text()), MatchesRegex("[a-z2-9]{4}(-[a-z2-9]{4}){6}"));
    EXPECT_EQ(psk.text().find_first_of("01ol"), std::string_view::npos);
    EXPECT_TRUE(seen.emplace(psk.text()).second);
    for (const char c : psk.text()) letters.emplace(1, c);
  }
  EXPECT_EQ(letters.size(), 33U) << "all 32 and the joint";
}

TEST(GeneratePsk, NeedsNoDaemon) {
  std::ostringstream out, error;
  EXPECT_EQ(run({"psk", "generate"}, {out, error, {}, "/nowhere/edge.sock"}), kOk);
  EXPECT_EQ(out.str().size(), 35U);
  EXPECT_EQ(error.str(), "");
  EXPECT_EQ(run({"psk"}, {out, error, {}, ""}), kUsage);
}

}  // namespace
}  // namespace sluice::ctl
