// `sluicectl user add` as an operator or a script runs it.
#include "edge/ctl/user.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "backend-agent/radius/users_file.hpp"

namespace sluice::ctl {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class SluicectlUser : public testing::Test {
 protected:
  SluicectlUser() {
    std::string pattern = (fs::temp_directory_path() / "sluice-user-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    write("users.toml", "# ours\n[alice]\npassword = \"one\"   # of hers\n");
  }
  ~SluicectlUser() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
    fs::permissions(root_ / name, fs::perms::owner_read | fs::perms::owner_write);
  }
  std::string read() {
    std::ifstream in(root_ / "users.toml", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  int ctl(std::vector<std::string> words) {
    out_.str("");
    error_.str("");
    words.insert(words.begin(), "user");
    words.insert(words.end(), {"--file", (root_ / "users.toml").string()});
    return ctl::run(std::move(words), {out_, error_, {}, "/nowhere/edge.sock"});
  }

  fs::path root_;
  std::ostringstream out_, error_;
};

TEST_F(SluicectlUser, IsAddedAndAllElseStays) {
  const auto before = read();
  ASSERT_EQ(ctl({"add", "bob@example.net", "--json"}), kOk) << error_.str();
  const auto user = json::parse(out_.str())["user"];
  EXPECT_TRUE(read().starts_with(before));
  EXPECT_THAT(read(), HasSubstr(user["password"].get<std::string>()));
  const auto users = agent::load_users(root_ / "users.toml");
  ASSERT_TRUE(static_cast<bool>(users));
  EXPECT_EQ(users->size(), 2U);
  EXPECT_TRUE(users->contains(std::string("bob@example.net")));
}

TEST_F(SluicectlUser, OwnerAndModeStay) {
  ASSERT_EQ(::chmod((root_ / "users.toml").c_str(), 0600), 0);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown((root_ / "users.toml").c_str(), 65534, 65534), 0);
  }
  ASSERT_EQ(ctl({"add", "bob"}), kOk) << error_.str();
  struct stat info {};
  ASSERT_EQ(::stat((root_ / "users.toml").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  if (::geteuid() == 0) {
    EXPECT_EQ(info.st_uid, 65534U);
  }
}

TEST_F(SluicectlUser, ItsPasswordMayBeGiven) {
  write("password", "a \"b\\ c\nnot this\n");
  ASSERT_EQ(ctl({"add", "bob", "--password-file", (root_ / "password").string()}), kOk) << error_.str();
  EXPECT_THAT(out_.str(), Not(HasSubstr("\"b")));
  EXPECT_THAT(read(), HasSubstr(R"(password = "a \"b\\ c")"));
}

TEST_F(SluicectlUser, IsRefusedAndNothingChanges) {
  const auto before = read();
  EXPECT_EQ(ctl({"add", "alice"}), kFailed);
  EXPECT_THAT(error_.str(), HasSubstr("\"alice\" is there already"));
  EXPECT_EQ(ctl({"add", ""}), kFailed);
  EXPECT_EQ(ctl({"add", "a\nb"}), kFailed);
  EXPECT_EQ(ctl({}), kUsage);
  EXPECT_EQ(read(), before);
  write("users.toml", "[alice]\npassword = \"secret\n");
  EXPECT_EQ(ctl({"add", "bob"}), kFailed);
  EXPECT_THAT(error_.str(), testing::AllOf(HasSubstr("line 2"), Not(HasSubstr("secret"))));
  fs::permissions(root_ / "users.toml", fs::perms::others_read, fs::perm_options::add);
  EXPECT_EQ(ctl({"add", "bob"}), kFailed);
  fs::remove(root_ / "users.toml");
  EXPECT_EQ(ctl({"add", "bob"}), kFailed);
}

TEST(WithUser, WritesWhatTomlReads) {
  for (const auto* name : {"a", "a.b", "a\"b", "a\\b", "a]b", "\xc3\xa4", "a b", "#"}) {
    const auto text = with_user("[x]\npassword = \"y\"", name, Secret(std::string_view("p")));
    ASSERT_TRUE(static_cast<bool>(text)) << name;
    const auto again = with_user(text->text(), name, Secret(std::string_view("p")));
    ASSERT_FALSE(static_cast<bool>(again));
    EXPECT_THAT(again.error(), HasSubstr("already"));
  }
  EXPECT_FALSE(static_cast<bool>(with_user("", "a", Secret(std::string_view("a\tb\x01")))));
}

}  // namespace
}  // namespace sluice::ctl
