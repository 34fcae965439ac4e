// Filters, columns, order and number of rows of sluicectl's lists; tunnels.
#include <gmock/gmock.h>

#include "tests/unit/edge_admin/sluicectl_bench.hpp"

namespace sluice::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Lists = Sluicectl;

TEST_F(Lists, ShowTunnels) {
  ASSERT_EQ(ctl({"tunnels"}), kOk) << error.str();
  EXPECT_THAT(out.str(), AllOf(HasSubstr("established"), HasSubstr("11/22"), HasSubstr("8/4"),
                               HasSubstr("3/0"), HasSubstr("opening"), HasSubstr("-/-")));
  EXPECT_THAT(out.str(), HasSubstr(R"(evil\x1b[2J)"));
  ASSERT_EQ(ctl({"tunnels", "--json", "--agent", "agent1"}), kOk);
  const auto value = parsed();
  EXPECT_EQ(value["schema"], "sluice.tunnels/1");
  ASSERT_EQ(value["tunnels"].size(), 1u);
  EXPECT_EQ(value["tunnels"][0]["control"]["client_resent"], 3);
  EXPECT_EQ(value["tunnels"][0]["closing"], false);
  EXPECT_EQ(value["tunnels"][0]["stage"], "bound");
}

TEST_F(Lists, FilterByAnyColumnOrName) {
  const auto count = [this](const std::string& condition) {
    EXPECT_EQ(ctl({"sessions", "--json", "--where", condition}), kOk) << error.str();
    return parsed()["sessions"].size();
  };
  EXPECT_EQ(count("user=alice"), 1u);
  EXPECT_EQ(count("user=ali*"), 1u);
  EXPECT_EQ(count("user!=alice"), 1u);
  EXPECT_EQ(count("ppp.user=alice"), 1u);
  EXPECT_EQ(count("client=198.51.100.7:40001"), 1u);  // as shown
  EXPECT_EQ(count("client=198.51.100.7"), 1u);        // as told
  EXPECT_EQ(count("traffic.bytes_in=12345678"), 1u);
  EXPECT_EQ(count("nat=yes"), 1u);
  EXPECT_EQ(count("agent=agent?"), 2u);
  EXPECT_EQ(count("user="), 1u);
  EXPECT_EQ(ctl({"sessions", "--where", "user=alice", "--where", "agent=agent2"}), kOk);
  EXPECT_EQ(out.str(), "no sessions\n");
}

TEST_F(Lists, ShowTheColumnsThatWereAskedFor) {
  ASSERT_EQ(ctl({"sessions", "--columns", "user,ike.peer,out"}), kOk) << error.str();
  EXPECT_EQ(out.str(),
            "USER   IKE.PEER     OUT\n"
            "alice  7         9.8 GB\n"
            "-      0            0 B\n");
  ASSERT_EQ(ctl({"sessions", "--columns", "user", "--columns", "client", "--json"}), kOk);
  EXPECT_EQ(parsed()["sessions"][0],
            (json{{"ppp", {{"user", "alice"}}}, {"client_host", "198.51.100.7"}, {"client_port", 40001}}));
  ASSERT_EQ(ctl({"sessions", "--columns", "help", "--socket", "/nonexistent"}), kOk);
  EXPECT_THAT(out.str(),
              AllOf(HasSubstr("esp-cipher"), HasSubstr("traffic.bytes_out"), HasSubstr("ppp.auth")));
}

TEST_F(Lists, AreOrderedByValueAndNotByLook) {
  const auto order = [this](const std::string& key) {
    EXPECT_EQ(ctl({"drops", "--json", "--sort", key}), kOk) << error.str();
    std::vector<std::uint64_t> counts;
    const auto rows = parsed();
    for (const auto& row : rows["drops"]) counts.push_back(row["count"]);
    return counts;
  };
  EXPECT_EQ(order("count"), (std::vector<std::uint64_t>{0, 4, 1234567}));
  EXPECT_EQ(order("count:desc"), (std::vector<std::uint64_t>{1234567, 4, 0}));
  EXPECT_EQ(order("reason:asc"), (std::vector<std::uint64_t>{4, 0, 1234567}));
  ASSERT_EQ(ctl({"sessions", "--sort", "in:desc", "--limit", "1", "--json"}), kOk);
  ASSERT_EQ(parsed()["sessions"].size(), 1u);
  EXPECT_EQ(parsed()["sessions"][0]["correlation"], "c-1");
  // What is not known comes last, whichever way.
  for (const auto* way : {"ip", "ip:desc"}) {
    ASSERT_EQ(ctl({"sessions", "--sort", way, "--columns", "correlation"}), kOk);
    EXPECT_EQ(out.str(), "CORRELATION\nc-1\nc-2\n");
  }
}

TEST_F(Lists, RefuseKeysThatTheyDoNotHave) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> kWrong{
      {{"sessions", "--where", "usr=x"}, "did you mean 'user'?"},
      {{"sessions", "--columns", "user,stagee"}, "did you mean 'stage'?"},
      {{"backends", "--sort", "sesions"}, "did you mean 'sessions'?"},
      {{"sessions", "--where", "user"}, "KEY=VALUE"},
      {{"sessions", "--where", "=x"}, "KEY=VALUE"},
      {{"sessions", "--sort", "user:down"}, "KEY:desc"},
      {{"sessions", "--limit", "0"}, "--limit"},
      {{"peers", "--sas", "--sort", "identity"}, "no column"},
  };
  for (const auto& [words, text] : kWrong) {
    EXPECT_EQ(ctl(words), kUsage) << words.back();
    EXPECT_THAT(error.str(), HasSubstr(text)) << words.back();
    EXPECT_EQ(out.str(), "");
  }
}

TEST_F(Lists, GiveOneObjectALine) {
  ASSERT_EQ(ctl({"sessions", "--json=lines"}), kOk);
  std::istringstream lines(out.str());
  std::vector<json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["schema"], "sluice.sessions/1");
  EXPECT_EQ(rows[1]["correlation"], "c-2");
  EXPECT_EQ(ctl({"sessions", "--json=pretty"}), kUsage);
}

TEST_F(Lists, ShowSasApart) {
  ASSERT_EQ(ctl({"peers", "--sas", "--json", "--where", "spi-in=c0ffee03"}), kOk);
  EXPECT_EQ(parsed()["schema"], "sluice.sas/1");
  ASSERT_EQ(parsed()["sas"].size(), 1u);
  EXPECT_EQ(parsed()["sas"][0]["peer"], 7);
  EXPECT_EQ(parsed()["sas"][0]["drops"]["unauthentic"], 5);
}

}  // namespace
}  // namespace sluice::ctl
