#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "tests/unit/agent/accounting_record.hpp"
#include "tests/unit/agent/sessions_world.hpp"

namespace sluice::agent {
namespace {

using test::opened;
using test::pool_settings;
using test::request_for;
using test::SessionsWorld;

TEST(Sessions, AcceptedClientGetsAnAddressThatComesBackAtTheEnd) {
  SessionsWorld world;
  world.ask(1, "alice");
  EXPECT_EQ(world.authenticator.attempts.at(0).caller.client, world.tunnel.client);
  EXPECT_TRUE(world.posted.empty());
  world.authenticator.answer(0, true);
  ASSERT_TRUE(world.decided(0).addresses);
  EXPECT_EQ(world.decided(0).addresses->local.to_string(), "10.99.0.1");
  EXPECT_EQ(world.pool.used(), 1U);
  world.end(1);
  EXPECT_EQ(world.pool.used(), 0U);
  ASSERT_EQ(world.downs.size(), 1U);
  EXPECT_EQ(world.downs[0].cause, "user-request");
}

TEST(Sessions, WhatComesIntoAPoolWhileItIsOutIsNotGivenToOthers) {
  SessionsWorld world;
  const auto reload = [&](const char* range) {
    auto settings = pool_settings();
    settings.ranges = {*parse_range(range)};
    world.pool.reconfigure(settings, {});
    world.sessions.pools_changed();
  };
  world.ask(1, "alice");
  world.authenticator.answer(0, true);
  world.ask(2, "bob");
  world.authenticator.answer(1, true, IpAddress::parse("10.97.0.2"));
  ASSERT_EQ(world.decided(0).addresses->remote.to_string(), "10.99.0.2");
  reload("10.97.0.2-10.97.0.3");  // alice's goes out of it, bob's comes into it
  world.ask(3, "carol");
  world.authenticator.answer(2, true);
  EXPECT_EQ(world.decided(2).addresses->remote.to_string(), "10.97.0.3");
  reload("10.99.0.2-10.99.0.3");  // and back
  world.ask(4, "dave");
  world.authenticator.answer(3, true);
  EXPECT_EQ(world.decided(3).addresses->remote.to_string(), "10.99.0.3");
}

TEST(Sessions, RefusedClientGetsNone) {
  SessionsWorld world;
  world.ask(1, "alice");
  world.authenticator.answer(0, false);
  EXPECT_FALSE(world.decided(0).verdict.accepted);
  EXPECT_FALSE(world.decided(0).addresses);
  EXPECT_EQ(world.pool.used(), 0U);
}

TEST(Sessions, RefusedClientDoesNotHearWhatTheOperatorDoes) {
  SessionsWorld world;
  world.ask(1, "alice");
  world.authenticator.waiting.at(0)(
      refused("unknown-user", "server 10.0.0.5 knows no alice", "Authentication failed"));
  EXPECT_EQ(world.decided(0).verdict.detail, "Authentication failed");
  EXPECT_EQ(world.decided(0).verdict.cause, "unknown-user");
}

TEST(Sessions, ExhaustedPoolIsARefusalWithItsOwnCause) {
  SessionsWorld world;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    world.ask(i, "user" + std::to_string(i));
    world.authenticator.answer(i - 1, true);
  }
  EXPECT_TRUE(world.decided(1).verdict.accepted);
  EXPECT_FALSE(world.decided(2).verdict.accepted);
  EXPECT_EQ(world.decided(2).verdict.cause, "no-address");
  EXPECT_EQ(world.decided(2).verdict.error, 649U);
}

TEST(Sessions, VerdictForASessionThatIsGoneTakesNoAddress) {
  SessionsWorld world;
  world.ask(1, "alice");
  world.end(1);
  world.authenticator.answer(0, true);
  EXPECT_TRUE(world.posted.empty());
  EXPECT_EQ(world.pool.used(), 0U);
}

TEST(Sessions, VerdictOnAnEarlierAttemptLetsNobodyIn) {
  SessionsWorld world;
  const IpAddress own = *IpAddress::parse("10.200.0.5");
  world.ask(1, "mallory");
  world.ask(1, "bob");
  world.authenticator.answer(0, true, own);  // hers was right, but the link began anew meanwhile
  EXPECT_TRUE(world.posted.empty());
  EXPECT_TRUE(world.fixed.empty());
  EXPECT_EQ(world.pool.used(), 0U);
  world.authenticator.answer(1, false);
  ASSERT_EQ(world.posted.size(), 1U);
  EXPECT_FALSE(world.decided(0).verdict.accepted);
  EXPECT_EQ(world.decided(0).attempt, ppp::AttemptId(2));
}

TEST(Sessions, AcceptThatTheLinkDidNotLiveToSeeGivesTheNextUserNothing) {
  SessionsWorld world;
  world.ask(1, "mallory");
  world.authenticator.answer(0, true, IpAddress::parse("10.200.0.5"));
  world.ask(1, "bob");
  world.authenticator.answer(1, true);
  EXPECT_EQ(world.decided(1).addresses->remote.to_string(), "10.99.0.2");
  EXPECT_EQ(world.fixed.back(), (std::pair<std::string, bool>{"10.200.0.5/32", false}));
}

TEST(Sessions, WhoIsAskedForAnewStaysWhoWasLetIn) {
  SessionsWorld world;
  world.ask(1, "alice");
  world.authenticator.answer(0, true);
  SessionOpened up;
  up.session = SessionSerial(1);
  world.sessions.on_opened(up);
  world.ask(1, "bob");
  radius::DynamicRequest request;
  request.user = "bob";
  request.disconnect = true;
  EXPECT_EQ(world.sessions.on_dynamic(request), radius::ErrorCause::kSessionNotFound);
  world.authenticator.answer(1, true);
  EXPECT_FALSE(world.decided(1).verdict.accepted);
  EXPECT_EQ(world.decided(1).verdict.cause, "protocol-error");
}

TEST(Sessions, UserWithAFixedAddressTakesItOverFromItsOldSession) {
  SessionsWorld world;
  const IpAddress own = *IpAddress::parse("10.200.0.5");
  world.ask(1, "bob");
  world.authenticator.answer(0, true, own);
  world.ask(2, "bob");
  world.authenticator.answer(1, true, own);
  ASSERT_EQ(world.posted.size(), 3U);
  EXPECT_EQ(std::get<EndSession>(world.posted[1]).session, SessionSerial(1));
  EXPECT_EQ(world.decided(2).addresses->remote, own);
  world.end(1, "replaced");
  EXPECT_EQ(world.fixed.back(),
            (std::pair<std::string, bool>{"10.200.0.5/32", true}));  // the new one keeps it
  world.end(2);
  EXPECT_EQ(world.fixed.back(), (std::pair<std::string, bool>{"10.200.0.5/32", false}));
  EXPECT_EQ(world.pool.used(), 0U);
}

radius::Grant with_prefixes(std::string_view link, std::string_view delegated) {
  radius::Grant out;
  if (!link.empty()) out.ipv6_prefix = Prefix::parse(link);
  if (!delegated.empty()) out.delegated_prefix = Prefix::parse(delegated);
  return out;
}

TEST(Sessions, UsersOwnPrefixIsNeverOutTwice) {
  PoolsSettings settings;
  settings.ranges = {*parse_range("10.99.0.2-10.99.0.9")};
  settings.ipv6 = {*Prefix::parse("2001:db8:4::/63")};
  SessionsWorld world(settings);
  world.ask(1, "alice");
  world.authenticator.answer(0, true);
  ASSERT_TRUE(world.decided(0).addresses->v6);
  const Prefix pooled = *world.decided(0).addresses->v6->prefix;
  world.ask(2, "bob");
  world.authenticator.answer(1, true, std::nullopt, with_prefixes(pooled.to_string(), ""));
  EXPECT_EQ(world.decided(1).verdict.cause, "address-in-use");
  EXPECT_EQ(world.pool.used(), 1U);  // his address went back
  world.ask(2, "bob");               // the whole network around it, delegated
  world.authenticator.answer(2, true, std::nullopt, with_prefixes("", "2001:db8::/32"));
  EXPECT_EQ(world.decided(2).verdict.cause, "address-in-use");
  world.end(2);
  EXPECT_EQ(world.pool.prefixes_used(), 1U);
  world.ask(3, "carol");
  world.authenticator.answer(3, true, std::nullopt, with_prefixes("2001:db8:4:1::/64", ""));
  EXPECT_TRUE(world.decided(3).verdict.accepted);
  world.ask(4, "dave");
  world.authenticator.answer(4, true);
  EXPECT_FALSE(world.decided(4).addresses->v6);  // both of the pool are out
  world.end(3);
  EXPECT_EQ(world.pool.prefixes_used(), 1U);
}

TEST(Sessions, UserWhoRedialsKeepsHisPrefixAndHisRoutes) {
  SessionsWorld world;
  const auto grant = [] {
    auto out = with_prefixes("", "2001:db8:77::/56");
    out.routes = {*Prefix::parse("192.168.7.0/24"), *Prefix::parse("0.0.0.0/0")};
    return out;
  };
  world.ask(1, "bob");
  world.authenticator.answer(0, true, std::nullopt, grant());
  EXPECT_EQ(world.decided(0).policy.routes.size(), 1U);  // nobody gets everything
  world.ask(2, "bob");
  world.authenticator.answer(1, true, std::nullopt, grant());
  EXPECT_EQ(std::get<EndSession>(world.posted.at(1)).session, SessionSerial(1));
  world.end(1, "replaced");
  EXPECT_EQ(world.fixed.back().second, true);
  world.end(2);
  std::map<std::string, int> standing;
  for (const auto& [prefix, in_use] : world.fixed) standing[prefix] += in_use ? 1 : -1;
  EXPECT_EQ(standing, (std::map<std::string, int>{{"192.168.7.0/24", 0}, {"2001:db8:77::/56", 0}}));
}

TEST(Sessions, ServerMayNameTheUserAnew) {
  SessionsWorld world;
  radius::Grant grant;
  grant.user = "alice@example.net";
  world.ask(1, "anonymous");
  world.authenticator.answer(0, true, std::nullopt, std::move(grant));
  EXPECT_EQ(world.decided(0).addresses->remote.to_string(), "10.98.0.2");  // her realm's
  SessionOpened up;
  up.session = SessionSerial(1);
  up.user = "anonymous";
  world.sessions.on_opened(up);
  EXPECT_EQ(world.ups.at(0).user, "alice@example.net");
  const auto record = world.records.at(0).attributes();
  const std::string_view named = "alice@example.net";
  EXPECT_NE(std::search(record.begin(), record.end(), named.begin(), named.end()), record.end());
}

TEST(Sessions, RouteOfTwoSessionsStaysUntilBothHaveEnded) {
  SessionsWorld world;
  for (std::uint64_t i = 1; i <= 2; ++i) {
    radius::Grant grant;
    grant.routes = {*Prefix::parse("192.168.7.0/24")};
    world.ask(i, "bob");
    world.authenticator.answer(i - 1, true, std::nullopt, std::move(grant));
  }
  world.end(1);
  EXPECT_EQ(world.fixed, (std::vector<std::pair<std::string, bool>>{{"192.168.7.0/24", true}}));
  world.end(2);
  EXPECT_EQ(world.fixed.back(), (std::pair<std::string, bool>{"192.168.7.0/24", false}));
}

TEST(Sessions, SessionUpIsToldToItsEdge) {
  SessionsWorld world;
  SessionOpened opened;
  opened.tunnel = world.tunnel.key;
  opened.id = SessionId(9);
  opened.user = "alice";
  opened.method = ppp::AuthMethod::kMsChapV2;
  opened.addresses.remote = *IpAddress::parse("10.99.0.2");
  world.sessions.on_opened(opened);
  ASSERT_EQ(world.ups.size(), 1U);
  EXPECT_EQ(world.ups[0].relay, RelayId(2));
  EXPECT_EQ(world.ups[0].auth_method, "mschapv2");
  EXPECT_EQ(world.ups[0].started_at, 1700000000U);
}

TEST(Sessions, GrantBecomesAddressesAndPolicy) {
  SessionsWorld world;
  radius::Grant grant;
  grant.pool = "staff";
  grant.rate_up = 1000;
  grant.idle_timeout = std::chrono::seconds(60);
  grant.dns = {*IpAddress::parse("10.0.0.53")};
  grant.routes = {*Prefix::parse("192.168.7.0/24")};
  grant.ipv6_prefix = Prefix::parse("2001:db8:1::/64");
  world.ask(1, "alice");
  world.authenticator.answer(0, true, std::nullopt, grant);
  const AuthDecided& decided = world.decided(0);
  EXPECT_EQ(decided.addresses->remote.to_string(), "10.98.0.2");
  EXPECT_EQ(decided.addresses->dns, grant.dns);
  EXPECT_EQ(decided.addresses->v6->prefix, grant.ipv6_prefix);
  EXPECT_EQ(decided.policy.rate_up, 1000U);
  EXPECT_EQ(decided.policy.idle_timeout, std::chrono::seconds(60));
  EXPECT_EQ(world.fixed,
            (std::vector<std::pair<std::string, bool>>{{"2001:db8:1::/64", true}, {"192.168.7.0/24", true}}));
  world.end(1);
  EXPECT_EQ(world.fixed.size(), 4U);
  EXPECT_EQ(world.authenticator.forgotten, std::vector{SessionSerial(1)});
}

TEST(Sessions, RealmChoosesThePoolAndAnUnknownPoolIsARefusal) {
  SessionsWorld world;
  world.ask(1, "bob@Example.NET");
  world.authenticator.answer(0, true);
  EXPECT_EQ(world.decided(0).addresses->remote.to_string(), "10.98.0.2");
  radius::Grant grant;
  grant.pool = "nowhere";
  world.ask(2, "carol");
  world.authenticator.answer(1, true, std::nullopt, grant);
  EXPECT_EQ(world.decided(1).verdict.cause, "no-pool");
}

TEST(Sessions, AddressInSomebodyElsesHandsIsARefusal) {
  SessionsWorld world;
  world.ask(1, "alice");
  world.authenticator.answer(0, true);
  world.ask(2, "bob");
  world.authenticator.answer(1, true, world.decided(0).addresses->remote);
  EXPECT_EQ(world.decided(1).verdict.cause, "address-in-use");
  EXPECT_EQ(world.pool.used(), 1U);
}

TEST(Sessions, ChallengePassesWithoutADecision) {
  SessionsWorld world;
  world.ask(1, "alice");
  AuthDecision decision;
  decision.verdict.more = true;
  decision.verdict.eap = {1, 2, 3};
  world.authenticator.waiting.at(0)(std::move(decision));
  EXPECT_EQ(world.decided(0).verdict.eap, (ByteVector{1, 2, 3}));
  EXPECT_FALSE(world.decided(0).addresses);
  EXPECT_EQ(world.pool.used(), 0U);
}

TEST(Sessions, AccountingFollowsASessionThatWasUpAndNoOther) {
  SessionsWorld world;
  world.ask(1, "alice");
  world.authenticator.answer(0, true);
  world.ask(2, "bob");
  world.authenticator.answer(1, false);
  world.sessions.on_opened(opened(1));
  world.end(2, "authentication-failed");
  EXPECT_EQ(world.records.size(), 1U);
  world.end(1);
  EXPECT_EQ(world.records.size(), 2U);
}

TEST(Sessions, DisconnectEndsWhomItNamesAlone) {
  SessionsWorld world;
  for (std::uint64_t i = 1; i <= 2; ++i) {
    world.ask(i, i == 1 ? "alice" : "bob");
    world.authenticator.answer(i - 1, true);
    world.sessions.on_opened(opened(i));
  }
  EXPECT_EQ(world.sessions.on_dynamic(request_for("carol", true)), radius::ErrorCause::kSessionNotFound);
  auto both = request_for("bob", true);
  both.session_id = "run-0000000000000001";  // alice's
  EXPECT_EQ(world.sessions.on_dynamic(both), radius::ErrorCause::kSessionNotFound);
  EXPECT_EQ(world.posted.size(), 2U);
  EXPECT_EQ(world.sessions.on_dynamic(request_for("bob", true)), radius::ErrorCause::kNone);
  EXPECT_EQ(std::get<EndSession>(world.posted.at(2)).session, SessionSerial(2));
  EXPECT_EQ(std::get<EndSession>(world.posted.at(2)).cause, "admin-reset");
}

TEST(Sessions, ChangeTouchesOnlyWhatItNames) {
  SessionsWorld world;
  radius::Grant grant;
  grant.rate_up = 1000;
  grant.rate_down = 2000;
  world.ask(1, "alice");
  world.authenticator.answer(0, true, std::nullopt, grant);
  world.sessions.on_opened(opened(1));
  auto request = request_for("alice", false);
  request.change.rate_down = 9000;
  EXPECT_EQ(world.sessions.on_dynamic(request), radius::ErrorCause::kNone);
  const auto& change = std::get<ChangePolicy>(world.posted.at(1));
  EXPECT_EQ(change.policy.rate_up, 1000U);
  EXPECT_EQ(change.policy.rate_down, 9000U);
}

TEST(Sessions, PacketsForAllThatIsASessionsAreLedToItFromTheVerdictToTheEnd) {
  SessionsWorld world;
  world.ask(5, "alice");
  radius::Grant grant;
  grant.routes = {*Prefix::parse("10.77.0.0/24")};
  grant.delegated_prefix = Prefix::parse("2001:db8:7::/56");
  world.authenticator.answer(0, true, IpAddress::parse("192.0.2.7"), grant);
  using testing::UnorderedElementsAre;
  EXPECT_THAT(world.steered,
              UnorderedElementsAre("10.77.0.0/24 to 5", "192.0.2.7/32 to 5", "2001:db8:7::/56 to 5"));
  world.steered.clear();
  world.end(5);
  EXPECT_THAT(world.steered,
              UnorderedElementsAre("10.77.0.0/24 from 5", "192.0.2.7/32 from 5", "2001:db8:7::/56 from 5"));
}

TEST(Sessions, ReplacedSessionThatProvesItselfAgainTakesNothingBack) {
  SessionsWorld world;
  const IpAddress own = *IpAddress::parse("10.200.0.5");
  for (std::uint64_t i = 1; i <= 2; ++i) {
    world.ask(i, "bob");
    world.authenticator.answer(i - 1, true, own);
  }
  world.ask(1, "bob");  // it has not heard of its end yet
  world.authenticator.answer(2, true, own);
  EXPECT_EQ(world.decided(3).verdict.cause, "replaced");
  EXPECT_EQ(world.posted.size(), 4U) << "the newer session is left in peace";
  EXPECT_EQ(world.fixed.back(), (std::pair<std::string, bool>{"10.200.0.5/32", true}));
}

TEST(Sessions, OutageOfTheJudgesIsNoRefusalOfWhoIsIn) {
  SessionsWorld world;
  world.ask(1, "alice");
  world.authenticator.answer(0, true);
  world.sessions.on_opened(opened(1));
  world.ask(1, "alice");
  auto nobody = refused("radius-timeout", "no server answers", "The authentication server does not answer");
  nobody.verdict.unavailable = true;
  world.authenticator.waiting.at(1)(std::move(nobody));
  EXPECT_TRUE(world.decided(1).verdict.unavailable);
  EXPECT_EQ(world.pool.used(), 1U);
}

TEST(Sessions, FilterThatIsNotThereIsARefusalAndOneThatIsHoldsAndMayBeChanged) {
  SessionsWorld world;
  radius::Grant grant;
  grant.filter_id = "nowhere";
  world.ask(1, "alice");
  world.authenticator.answer(0, true, std::nullopt, grant);
  EXPECT_EQ(world.decided(0).verdict.cause, "no-filter");
  EXPECT_EQ(world.pool.used(), 0U);
  grant.filter_id = "web";
  world.ask(1, "alice");
  world.authenticator.answer(1, true, std::nullopt, grant);
  EXPECT_EQ(world.decided(1).policy.filter, "web");
  world.sessions.on_opened(opened(1));
  auto request = request_for("alice", false);
  request.change.filter_id = "nowhere";
  EXPECT_EQ(world.sessions.on_dynamic(request), radius::ErrorCause::kInvalidValue);
  request.change.filter_id = "all";
  EXPECT_EQ(world.sessions.on_dynamic(request), radius::ErrorCause::kNone);
  EXPECT_EQ(std::get<ChangePolicy>(world.posted.at(2)).policy.filter, "all");
}

TEST(Sessions, NoMoreAreLetInThanTheOperatorWants) {
  SessionsWorld world(pool_settings(), 2);  // of four addresses in all
  for (std::uint64_t i = 1; i <= 3; ++i) {
    world.ask(i, i == 3 ? "carol@example.net" : "user" + std::to_string(i));
    world.authenticator.answer(i - 1, true);
  }
  EXPECT_TRUE(world.decided(1).verdict.accepted);
  EXPECT_EQ(world.decided(2).verdict.cause, "max-sessions");
  world.ask(1, "user1");  // who is in may prove himself again
  world.authenticator.answer(3, true);
  EXPECT_TRUE(world.decided(3).verdict.accepted);
  world.end(1);
  world.ask(3, "carol@example.net");
  world.authenticator.answer(4, true);
  EXPECT_TRUE(world.decided(4).verdict.accepted);
}

TEST(Sessions, PoolOfIpv6PrefixesIsChosenByName) {
  PoolsSettings settings = pool_settings();
  settings.named.push_back({"six", {}, {}, {*Prefix::parse("2001:db8:6::/64")}, {}});
  SessionsWorld world(settings);
  radius::Grant grant;
  grant.ipv6_pool = "six";
  world.ask(1, "alice");
  world.authenticator.answer(0, true, std::nullopt, grant);
  EXPECT_EQ(world.decided(0).addresses->v6->prefix->to_string(), "2001:db8:6::/64");
  world.ask(2, "bob");
  world.authenticator.answer(1, true, std::nullopt, grant);
  EXPECT_EQ(world.decided(1).verdict.cause, "no-address");
  EXPECT_EQ(world.pool.used(), 1U);
  grant.ipv6_pool.clear();
  grant.delegated_pool = "six";
  world.ask(2, "bob");
  world.authenticator.answer(2, true, std::nullopt, grant);
  EXPECT_EQ(world.decided(2).verdict.cause, "no-pool");
}

TEST(Sessions, ClassOfACoaOrADisconnectGoesIntoAccounting) {
  SessionsWorld world;
  radius::Grant grant;
  grant.classes = {{'o', 'l', 'd'}};
  for (std::uint64_t i = 1; i <= 2; ++i) {
    world.ask(i, i == 1 ? "alice" : "bob");
    world.authenticator.answer(i - 1, true, std::nullopt, grant);
    world.sessions.on_opened(opened(i));
  }
  for (const bool disconnect : {false, true}) {
    auto request = request_for(disconnect ? "bob" : "alice", disconnect);
    request.change.classes = {{'n', 'e', 'w'}};
    EXPECT_EQ(world.sessions.on_dynamic(request), radius::ErrorCause::kNone);
  }
  world.end(1);
  world.end(2, "admin-reset");
  for (const std::size_t stop : {2, 3})
    EXPECT_EQ(test::Record(world.records.at(stop)).text(radius::attr::kClass), "new");
}

TEST(Sessions, RoutesOfARenegotiatedLinkStayWhatTheyWere) {
  SessionsWorld world;
  radius::Grant grant;
  grant.routes = {*Prefix::parse("192.168.7.0/24")};
  world.ask(1, "bob");
  world.authenticator.answer(0, true, std::nullopt, grant);
  grant.routes = {*Prefix::parse("192.168.8.0/24")};
  grant.rate_up = 1000;
  world.ask(1, "bob");
  world.authenticator.answer(1, true, std::nullopt, grant);
  EXPECT_EQ(world.decided(1).policy.routes, world.decided(0).policy.routes);
  EXPECT_EQ(world.decided(1).policy.rate_up, 1000U);
  EXPECT_EQ(world.fixed.size(), 1U);
}

}  // namespace
}  // namespace sluice::agent
