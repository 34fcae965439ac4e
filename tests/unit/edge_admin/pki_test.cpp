// `sluicectl pki` as an operator or a script runs it.
#include "edge/ctl/pki.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

namespace sluice::ctl {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class SluicectlPki : public testing::Test {
 protected:
  SluicectlPki() {
    std::string pattern = (fs::temp_directory_path() / "sluice-ctl-pki-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~SluicectlPki() override { fs::remove_all(root_); }

  int ctl(std::vector<std::string> words) {
    out_.str("");
    error_.str("");
    words.insert(words.begin(), "pki");
    words.insert(words.end(), {"--dir", (root_ / "pki").string()});
    return ctl::run(std::move(words), {out_, error_, {}, ""});
  }
  json parsed(std::vector<std::string> words) {
    words.push_back("--json");
    EXPECT_EQ(ctl(std::move(words)), kOk) << error_.str();
    return json::parse(out_.str());
  }

  fs::path root_;
  std::ostringstream out_, error_;
};

TEST_F(SluicectlPki, ALifeInJson) {
  const auto ca = parsed({"init", "--name", "Test CA"});
  EXPECT_EQ(ca["schema"], "sluice.pki/1");
  EXPECT_EQ(ca["ca"]["name"], "Test CA");
  const auto issued =
      parsed({"issue", "agent", "agent1", "--address", "192.0.2.1", "--address", "2001:db8::1"});
  EXPECT_EQ(issued["certificate"]["state"], "valid");
  EXPECT_EQ(issued["certificate"]["addresses"], json({"192.0.2.1", "2001:db8::1"}));
  EXPECT_TRUE(fs::exists(issued["files"]["key"].get<std::string>()));
  const auto renewed = parsed({"renew", "agent1", "--days", "20", "--any-address"});
  EXPECT_EQ(renewed["certificate"]["state"], "ends-soon");
  EXPECT_EQ(renewed["certificate"]["addresses"], json::array());
  const auto rows = parsed({"list"})["certificates"];
  ASSERT_EQ(rows.size(), 2U);
  std::map<std::string, std::string> states;
  for (const auto& row : rows) states[row["serial"]] = row["state"];
  EXPECT_EQ(states[issued["certificate"]["serial"]], "superseded");
  EXPECT_EQ(states[renewed["certificate"]["serial"]], "ends-soon");
  const auto revoked = parsed({"revoke", "agent1"});
  EXPECT_EQ(revoked["revoked"].size(), 2U);
  const auto shown = parsed({"show", "agent1"});
  EXPECT_EQ(shown["ca"]["crl"]["revoked"], 2);
  EXPECT_EQ(shown["certificates"][0]["state"], "revoked");
  EXPECT_EQ(parsed({"show"})["ca"]["fingerprint"], ca["ca"]["fingerprint"]);
}

TEST_F(SluicectlPki, SaysToPeopleWhatToDoNext) {
  ASSERT_EQ(ctl({"init"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("ca.key off the edges and agents"));
  ASSERT_EQ(ctl({"issue", "edge", "edge1"}), kOk);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("bring to its machine"), HasSubstr("edge1.key"), HasSubstr("crl.pem")));
  ASSERT_EQ(ctl({"renew", "edge1"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("(its key stays as it is)"));
  ASSERT_EQ(ctl({"list"}), kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("NAME"), HasSubstr("superseded"), HasSubstr("valid")));
  ASSERT_EQ(ctl({"revoke", "edge1"}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("(tls.crl) and reload them"));
}

TEST_F(SluicectlPki, ErrorsChangeNothingAndHaveTheirExitCodes) {
  EXPECT_EQ(ctl({"list"}), kFailed);
  EXPECT_THAT(error_.str(), HasSubstr("'sluicectl pki init' makes a CA"));
  ASSERT_EQ(ctl({"init"}), kOk);
  EXPECT_EQ(ctl({"init"}), kFailed);
  EXPECT_THAT(error_.str(), HasSubstr("is there already"));
  EXPECT_EQ(ctl({"issue", "server", "edge1"}), kUsage);
  EXPECT_EQ(ctl({"issue", "edge"}), kUsage);
  EXPECT_EQ(ctl({"issue", "edge", "edge1", "--address", "nowhere"}), kUsage);
  EXPECT_EQ(ctl({"issue", "edge", "edge1", "--days", "0"}), kUsage);
  EXPECT_EQ(ctl({"issue", "edge", "../edge1"}), kFailed);
  EXPECT_EQ(ctl({"renew", "edge1"}), kFailed);
  EXPECT_EQ(ctl({"revoke", "edge1"}), kFailed);
  EXPECT_EQ(ctl({"show", "edge1"}), kFailed);
  EXPECT_EQ(ctl({}), kUsage);
  EXPECT_EQ(parsed({"list"})["certificates"].size(), 0U);
}

}  // namespace
}  // namespace sluice::ctl
