#include "backend-agent/radius/users_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/temp_files.hpp"

namespace sluice::agent {
namespace {

using testing::HasSubstr;

std::string errors_of(std::string_view text) {
  const auto users = parse_users(text, "users.toml");
  if (users) return "good";
  std::string out;
  for (const auto& error : users.error()) out += error.to_string() + "\n";
  return out;
}

AuthDecision ask(UsersFile& users, std::string user, std::string_view password) {
  AuthAttempt attempt;
  attempt.request.method = ppp::AuthMethod::kPap;
  attempt.request.user = std::move(user);
  attempt.request.password = Secret(password);
  std::optional<AuthDecision> out;
  users.authenticate(std::move(attempt), [&](AuthDecision decision) { out = std::move(decision); });
  EXPECT_TRUE(out);
  return std::move(*out);
}

TEST(UsersFile, ExampleIsGood) {
  const test::TempFolder folder;
  std::filesystem::copy_file(SLUICE_SOURCE "/docs/examples/users.toml", folder.path() / "users.toml");
  std::filesystem::permissions(folder.path() / "users.toml", std::filesystem::perms(0600));
  auto loaded = load_users(folder.path() / "users.toml");
  ASSERT_TRUE(loaded) << loaded.error().at(0).to_string();
  UsersFile users(std::move(loaded).value());
  EXPECT_EQ(users.size(), 3U);
  EXPECT_TRUE(ask(users, "alice", "correct horse battery staple").verdict.accepted);
  EXPECT_TRUE(ask(users, "carol@example.net", "hunter2").verdict.accepted);
  const auto bob = ask(users, "bob", "password");  // whose NT hash is in the example
  EXPECT_TRUE(bob.verdict.accepted);
  EXPECT_EQ(bob.address, IpAddress::parse("10.99.0.7"));
}

TEST(UsersFile, WrongPasswordAndUnknownUserLookAlikeToThePeer) {
  UsersFile users(parse_users("[alice]\npassword = \"x\"\n", "u").value().size() == 1
                      ? std::move(parse_users("[alice]\npassword = \"x\"\n", "u")).value()
                      : Users{});
  const auto wrong = ask(users, "alice", "y").verdict;
  const auto unknown = ask(users, "mallory", "y").verdict;
  EXPECT_FALSE(wrong.accepted);
  EXPECT_FALSE(unknown.accepted);
  EXPECT_EQ(wrong.message, unknown.message);
  EXPECT_EQ(wrong.error, unknown.error);
  EXPECT_EQ(wrong.cause, "wrong-password");
  EXPECT_EQ(unknown.cause, "unknown-user");
}

TEST(UsersFile, ErrorsHaveTheirPlaceAndNoSecret) {
  EXPECT_EQ(errors_of("[alice]\npasword = \"s3cret\"\n"),
            "users.toml:2:1: unknown key pasword of user alice. Did you mean password?\n");
  EXPECT_THAT(errors_of("[alice]\npassword = 7\n"),
              HasSubstr("users.toml:2:12: password must be a text in quotes"));
  EXPECT_THAT(errors_of("[alice]\nnt_hash = \"12\"\n"),
              HasSubstr("users.toml:2:11: nt_hash must be 32 hex digits"));
  EXPECT_THAT(errors_of("[alice]\naddress = \"::1\"\npassword=\"x\"\n"),
              HasSubstr("address must be an IPv4 address"));
  EXPECT_THAT(errors_of("[alice]\n"), HasSubstr("needs either password or nt_hash"));
  EXPECT_THAT(errors_of("alice = \"s3cret\"\n"), HasSubstr("a user is a table"));
  EXPECT_THAT(errors_of("[alice]\npassword = \"s3cret\n"), HasSubstr("users.toml:2:"));
  EXPECT_THAT(errors_of("[alice]\npasword = \"s3cret\"\n"), testing::Not(HasSubstr("s3cret")));
}

TEST(UsersFile, FileOpenToOthersIsRefused) {
  const test::TempFolder folder;
  const auto file = folder.write("users.toml", "[alice]\npassword = \"x\"\n", 0644);
  const auto loaded = load_users(file);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().at(0).text, HasSubstr("chmod 0600"));
}

TEST(UsersFile, MissingFileIsAnError) {
  EXPECT_FALSE(load_users("/nonexistent/users.toml"));
}

}  // namespace
}  // namespace sluice::agent
