#include "backend-agent/radius/users_file.hpp"

#include <botan/argon2.h>
#include <botan/auto_rng.h>
#include <botan/bcrypt.h>
#include <botan/passhash9.h>
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
  EXPECT_EQ(users.size(), 4U);
  EXPECT_TRUE(ask(users, "alice", "correct horse battery staple").verdict.accepted);
  EXPECT_TRUE(ask(users, "carol@example.net", "hunter2").verdict.accepted);
  const auto bob = ask(users, "bob", "password");  // whose NT hash is in the example
  EXPECT_TRUE(bob.verdict.accepted);
  EXPECT_EQ(bob.grant.address, IpAddress::parse("10.99.0.7"));
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
  EXPECT_THAT(errors_of("[alice]\npassword = 12345678901234567890\n"), testing::Not(HasSubstr("1234")));
}

TEST(UsersFile, FileOpenToOthersIsRefused) {
  const test::TempFolder folder;
  const auto file = folder.write("users.toml", "[alice]\npassword = \"x\"\n", 0644);
  const auto loaded = load_users(file);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().at(0).text, HasSubstr("chmod 0600"));
}

TEST(UsersFile, FileOpenToItsGroupIsRefused) {
  const test::TempFolder folder;
  const auto loaded = load_users(folder.write("users.toml", "[alice]\npassword = \"x\"\n", 0640));
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().at(0).text, HasSubstr("chmod 0600"));
}

TEST(UsersFile, UserHasLimitsAndNetworksOfItsOwn) {
  auto users = parse_users(
      "[alice]\npassword = \"x\"\npool = \"staff\"\nipv6_pool = \"six\"\nfilter = \"web\"\nrate_up = "
      "64\nrate_down = 128\nidle_timeout = 60\n"
      "session_timeout = 3600\nroutes = [\"192.168.7.0/24\"]\nipv6_prefix = \"2001:db8::/64\"\n"
      "delegated_prefix = \"2001:db8:ff::/56\"\n",
      "u");
  ASSERT_TRUE(users) << users.error().at(0).to_string();
  UsersFile file(std::move(users).value());
  const auto grant = ask(file, "alice", "x").grant;
  EXPECT_EQ(grant.pool, "staff");
  EXPECT_EQ(grant.ipv6_pool, "six");
  EXPECT_EQ(grant.filter_id, "web");
  EXPECT_EQ(grant.rate_up, 64'000U);
  EXPECT_EQ(grant.rate_down, 128'000U);
  EXPECT_EQ(grant.idle_timeout, std::chrono::seconds(60));
  EXPECT_EQ(grant.session_timeout, std::chrono::seconds(3600));
  EXPECT_EQ(grant.routes.at(0).to_string(), "192.168.7.0/24");
  EXPECT_EQ(grant.ipv6_prefix->to_string(), "2001:db8::/64");
  EXPECT_EQ(grant.delegated_prefix->to_string(), "2001:db8:ff::/56");
  EXPECT_THAT(errors_of("[a]\npassword=\"x\"\nroutes=[\"10.0.0.1/8\"]\n"),
              HasSubstr("routes must hold networks"));
  EXPECT_THAT(errors_of("[a]\npassword=\"x\"\nrate_up=-1\n"), HasSubstr("rate_up must be a whole number"));
  EXPECT_THAT(errors_of("[a]\npassword=\"x\"\nipv6_prefix=\"10.0.0.0/8\"\n"),
              HasSubstr("must be an IPv6 prefix"));
}

TEST(UsersFile, PasswordMayBeAHash) {
  Botan::AutoSeeded_RNG random;
  const std::string hashes[] = {Botan::generate_bcrypt("right", random, 4),
                                Botan::argon2_generate_pwhash("right", 5, random, 1, 8, 1),
                                Botan::generate_passhash9("right", random, 1)};
  for (const auto& hash : hashes) {
    auto users = parse_users("[alice]\npassword_hash = \"" + hash + "\"\n", "u");
    ASSERT_TRUE(users) << users.error().at(0).to_string();
    UsersFile file(std::move(users).value());
    EXPECT_TRUE(ask(file, "alice", "right").verdict.accepted) << hash;
    EXPECT_EQ(ask(file, "alice", "wrong").verdict.cause, "wrong-password") << hash;
    EXPECT_EQ(ask(file, "nobody", "right").verdict.cause, "unknown-user") << hash;
    AuthAttempt chap;
    chap.request.user = "alice";
    chap.request.method = ppp::AuthMethod::kChapMd5;
    std::string cause;
    file.authenticate(std::move(chap), [&](const AuthDecision& decision) { cause = decision.verdict.cause; });
    EXPECT_EQ(cause, "no-plain-password");
  }
  EXPECT_THAT(errors_of("[a]\npassword_hash = \"$1$abc\"\n"), HasSubstr("is none that is known here"));
  EXPECT_THAT(errors_of("[a]\npassword = \"x\"\npassword_hash = \"$2b$abc\"\n"),
              HasSubstr("only one of them"));
}

TEST(UsersFile, SlowHashesAreWorkedOutElsewhere) {
  Botan::AutoSeeded_RNG random;
  auto users =
      parse_users("[alice]\npassword_hash = \"" + Botan::generate_bcrypt("right", random, 4) + "\"\n", "u");
  std::vector<std::pair<std::function<bool()>, std::function<void(bool)>>> jobs;
  UsersFile file(std::move(users).value(), [&](auto work, auto then) {
    if (jobs.size() == 1) return false;
    jobs.emplace_back(std::move(work), std::move(then));
    return true;
  });
  const auto attempt = [](std::string user = "alice") {
    AuthAttempt out;
    out.request.user = std::move(user);
    out.request.method = ppp::AuthMethod::kPap;
    out.request.password = Secret(std::string_view("right"));
    return out;
  };
  std::vector<AuthDecision> decisions;
  const auto done = [&](AuthDecision decision) { decisions.push_back(std::move(decision)); };
  file.authenticate(attempt(), done);
  EXPECT_TRUE(decisions.empty());
  file.authenticate(attempt(), done);
  ASSERT_EQ(decisions.size(), 1U);
  EXPECT_EQ(decisions[0].verdict.cause, "busy");
  jobs[0].second(jobs[0].first());
  ASSERT_EQ(decisions.size(), 2U);
  EXPECT_TRUE(decisions[1].verdict.accepted);
  jobs.clear();
  file.authenticate(attempt("nobody"), done);  // no sooner than with a known name
  ASSERT_EQ(decisions.size(), 2U);
  jobs.at(0).second(jobs.at(0).first());
  EXPECT_EQ(decisions.at(2).verdict.cause, "unknown-user");
}

TEST(UsersFile, MissingFileIsAnError) {
  EXPECT_FALSE(load_users("/nonexistent/users.toml"));
}

TEST(UsersFile, NamesOfPoolsAndFiltersMustBeThere) {
  UsersContext context;
  context.pools = {"default", "staff"};
  context.filters = {"guests"};
  context.local = *IpAddress::parse("10.99.0.1");
  const auto errors = [&](const std::string& more) {
    const auto users = parse_users("[alice]\npassword = \"x\"\n" + more, "u", &context);
    return users ? "good" : users.error().front().to_string();
  };
  EXPECT_EQ(errors("pool = \"staff\"\nfilter = \"guests\"\naddress = \"10.99.0.2\"\n"), "good");
  EXPECT_EQ(errors("pool = \"stuff\"\n"),
            "u:3:8: pool \"stuff\" is not there in the agent's configuration. Did you mean \"staff\"?");
  EXPECT_THAT(errors("filter = \"web\"\n"), HasSubstr("u:3:10: filter \"web\" is not there"));
  EXPECT_THAT(errors("ipv6_pool = \"staff\"\n"), HasSubstr("ipv6_pool \"staff\" is not there"));
  EXPECT_THAT(errors("address = \"10.99.0.1\"\n"), HasSubstr("ppp.local_address"));
  EXPECT_THAT(errors("address = \"10.99.0.2\"\n[bob]\npassword = \"y\"\naddress = \"10.99.0.2\"\n"),
              HasSubstr("u:6:11: address 10.99.0.2 is user alice's, too"));
}

}  // namespace
}  // namespace sluice::agent
