#include "backend-agent/radius/core/client.hpp"

#include <set>

#include "tests/unit/radius/support.hpp"

namespace sluice::radius {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kSecrets[] = {"first secret", "second secret"};

struct World {
  explicit World(std::size_t servers = 2, bool demanded = true)
      : client(settings(servers, demanded), random) {}

  static ClientSettings settings(std::size_t servers, bool demanded) {
    ClientSettings out;
    for (std::size_t i = 0; i < servers; ++i) {
      const Endpoint at{IpAddress::v4(0x0a000001 + static_cast<std::uint32_t>(i)), 1812};
      out.servers.push_back({at, Secret(kSecrets[i]), static_cast<std::uint32_t>(i + 1)});
    }
    out.sockets = 1;
    out.demand_message_authenticator = demanded;
    return out;
  }
  Ticket ask(std::string user = "alice") {
    Draft draft(Code::kAccessRequest);
    draft.add(attr::kUserName, user);
    draft.set_password(Secret(std::string_view("pw")));
    return client.submit(std::move(draft), now);
  }
  Client::Outgoing sent() {
    auto out = client.poll_transmit();
    EXPECT_TRUE(out);
    return out ? std::move(*out) : Client::Outgoing{};
  }
  std::size_t server_of(const Client::Outgoing& out) { return out.to.address.to_v4() - 0x0a000001; }
  void answer(const Client::Outgoing& to, Code code = Code::kAccessAccept) {
    give(to, test::reply_to(to.bytes, Draft(code), kSecrets[server_of(to)]));
  }
  void give(const Client::Outgoing& to, Bytes bytes) { client.on_datagram(to.socket, to.to, bytes, now); }
  /// Until something is sent or happens, or a minute has passed.
  void wait() {
    const Instant end = now + seconds(60);
    while (now < end && client.next_timeout()) {
      now = std::max(now, *client.next_timeout());
      client.on_timeout(now);
      for (auto& event : client.take_events()) events.push_back(std::move(event));
      if (auto out = client.poll_transmit()) return transmitted.push_back(std::move(*out));
    }
  }
  template <class T>
  std::vector<T> all() {
    for (auto& event : client.take_events()) events.push_back(std::move(event));
    std::vector<T> out;
    for (auto& event : events) {
      if (auto* one = std::get_if<T>(&event)) out.push_back(*one);
    }
    return out;
  }

  test::SeededRandom random{1};
  Instant now{std::chrono::hours(1)};
  Client client;
  std::vector<ClientEvent> events;
  std::vector<Client::Outgoing> transmitted;
};

TEST(RadiusClient, RequestIsAnswered) {
  World world;
  const Ticket ticket = world.ask();
  const auto out = world.sent();
  EXPECT_EQ(world.server_of(out), 0U);
  EXPECT_EQ(check_access_request(test::parsed(out.bytes), as_bytes(kSecrets[0])), Proof::kGood);
  world.answer(out);
  const auto answers = world.all<Answered>();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].ticket, ticket);
  EXPECT_EQ(test::parsed(answers[0].packet).code(), Code::kAccessAccept);
  EXPECT_EQ(world.client.pending(), 0U);
  EXPECT_FALSE(world.client.next_timeout());
}

TEST(RadiusClient, SendsTheSameOctetsAgainWithBackOffAndJitter) {
  World world(1);
  world.ask();
  const auto first = world.sent();
  const Instant start = world.now;
  world.wait();
  ASSERT_EQ(world.transmitted.size(), 1U);
  EXPECT_EQ(world.transmitted[0].bytes, first.bytes);
  EXPECT_GE(world.now - start, milliseconds(900));
  EXPECT_LE(world.now - start, milliseconds(1100));
  const Instant second = world.now;
  world.wait();
  EXPECT_GE(world.now - second, milliseconds(1800));
  EXPECT_LE(world.now - second, milliseconds(2200));
  // The answer to any of them counts.
  world.answer(first);
  EXPECT_EQ(world.all<Answered>().size(), 1U);
}

TEST(RadiusClient, SilentServerIsDeadAndTheNextOneTakesOver) {
  World world;
  world.ask();
  const auto first = world.sent();
  world.wait();
  world.wait();
  world.wait();
  ASSERT_EQ(world.transmitted.size(), 3U);
  EXPECT_EQ(world.server_of(world.transmitted[1]), 0U);
  EXPECT_EQ(world.server_of(world.transmitted[2]), 1U);
  EXPECT_NE(world.transmitted[2].bytes, first.bytes);
  world.answer(world.transmitted[2]);
  EXPECT_EQ(world.all<Answered>().at(0).server, 1U);
  EXPECT_FALSE(world.all<ServerState>().at(0).alive);
  // Others do not wait for it any more.
  world.ask("bob");
  EXPECT_EQ(world.server_of(world.sent()), 1U);
}

TEST(RadiusClient, DeadServerIsAskedForItsStateAndComesBack) {
  World world;
  world.ask();
  world.sent();
  while (world.client.alive(0)) world.wait();
  world.answer(world.transmitted.back());
  world.wait();
  const auto probe = world.transmitted.back();
  EXPECT_EQ(test::parsed(probe.bytes).code(), Code::kStatusServer);
  EXPECT_EQ(world.server_of(probe), 0U);
  world.answer(probe);
  EXPECT_TRUE(world.client.alive(0));
  EXPECT_TRUE(world.all<ServerState>().back().alive);
  EXPECT_EQ(world.all<Answered>().size(), 1U);
  world.ask("bob");
  EXPECT_EQ(world.server_of(world.sent()), 0U);
}

TEST(RadiusClient, NobodyAnswersIsToldOnce) {
  World world;
  const Ticket ticket = world.ask();
  world.sent();
  while (world.all<NoAnswer>().empty()) world.wait();
  EXPECT_EQ(world.all<NoAnswer>().size(), 1U);
  EXPECT_EQ(world.all<NoAnswer>()[0].ticket, ticket);
  EXPECT_EQ(world.client.pending(), world.client.alive(0) ? 0U : world.client.pending());
  EXPECT_EQ(world.all<ServerState>().size(), 2U);
  // With all of them dead the best one is tried all the same.
  world.ask("bob");
  EXPECT_EQ(world.server_of(world.sent()), 0U);
}

TEST(RadiusClient, ReplyWithoutMessageAuthenticatorIsRefused) {
  World world(1);
  world.ask();
  const auto out = world.sent();
  world.give(out, test::plain_reply_to(out.bytes, Code::kAccessAccept, kSecrets[0]));
  EXPECT_TRUE(world.all<Answered>().empty());
  EXPECT_EQ(world.client.drops().read(ReplyDrop::kNoMessageAuthenticator), 1U);
  while (world.all<NoAnswer>().empty()) world.wait();
  EXPECT_EQ(world.all<NoAnswer>()[0].refused, ReplyDrop::kNoMessageAuthenticator);
  EXPECT_EQ(world.all<ServerState>()[0].refused, ReplyDrop::kNoMessageAuthenticator);
}

TEST(RadiusClient, AccountingReplyNeedsNone) {
  World world(1, false);
  world.client.submit(Draft(Code::kAccountingRequest), world.now);
  const auto out = world.sent();
  EXPECT_EQ(check_request(test::parsed(out.bytes), as_bytes(kSecrets[0]), true), Proof::kGood);
  world.give(out, test::plain_reply_to(out.bytes, Code::kAccountingResponse, kSecrets[0]));
  EXPECT_EQ(world.all<Answered>().size(), 1U);
}

TEST(RadiusClient, ForgedAndForeignRepliesAreCountedAndChangeNothing) {
  World world(1);
  world.ask();
  const auto out = world.sent();
  world.give(out, Bytes(out.bytes).first(10));
  world.give(out, test::reply_to(out.bytes, Draft(Code::kAccessAccept), "not the secret"));
  world.give(out, test::reply_to(out.bytes, Draft(Code::kAccountingResponse), kSecrets[0]));
  auto other_id = out.bytes;
  ++other_id[1];
  world.give(out, test::reply_to(other_id, Draft(Code::kAccessAccept), kSecrets[0]));
  world.client.on_datagram(0, *Endpoint::parse("10.9.9.9:1812"),
                           test::reply_to(out.bytes, Draft(Code::kAccessAccept), kSecrets[0]), world.now);
  const auto& drops = world.client.drops();
  EXPECT_EQ(drops.read(ReplyDrop::kMalformed), 1U);
  EXPECT_EQ(drops.read(ReplyDrop::kBadAuthenticator), 1U);
  EXPECT_EQ(drops.read(ReplyDrop::kUnexpected), 2U);
  EXPECT_EQ(drops.read(ReplyDrop::kUnknownServer), 1U);
  EXPECT_TRUE(world.all<Answered>().empty());
  world.answer(out);
  EXPECT_EQ(world.all<Answered>().size(), 1U);
  world.answer(out);  // a second copy of the answer
  EXPECT_EQ(drops.read(ReplyDrop::kUnexpected), 3U);
}

TEST(RadiusClient, MoreRequestsThanIdsWaitTheirTurn) {
  World world(1);
  std::vector<Client::Outgoing> out;
  for (int i = 0; i < 300; ++i) world.ask("user" + std::to_string(i));
  while (auto one = world.client.poll_transmit()) out.push_back(std::move(*one));
  EXPECT_EQ(out.size(), 256U);
  std::set<std::uint8_t> ids;
  for (const auto& one : out) ids.insert(one.bytes[1]);
  EXPECT_EQ(ids.size(), 256U);
  for (const auto& one : out) world.answer(one);
  std::size_t more = 0;
  while (auto one = world.client.poll_transmit()) {
    world.answer(*one);
    ++more;
  }
  EXPECT_EQ(more, 44U);
  EXPECT_EQ(world.all<Answered>().size(), 300U);
}

TEST(RadiusClient, WhoWaitsForAFullServerHoldsUpNobodyElse) {
  World world(2);
  for (int i = 0; i < 256; ++i) world.ask("user" + std::to_string(i));
  const auto pinned = [&](std::size_t server) {
    return world.client.submit(Draft(Code::kAccessRequest), world.now, server);
  };
  for (int i = 0; i < 256; ++i) pinned(1);
  pinned(0);                       // waits at the head
  const Ticket other = pinned(1);  // waits for the other server
  std::vector<Client::Outgoing> out;
  while (auto one = world.client.poll_transmit()) out.push_back(std::move(*one));
  ASSERT_EQ(out.size(), 512U);
  world.answer(out.back());
  const auto next = world.client.poll_transmit();
  ASSERT_TRUE(next);
  EXPECT_EQ(world.server_of(*next), 1U);
  world.client.take_events();
  world.answer(*next);
  ASSERT_EQ(world.all<Answered>().size(), 1U);
  EXPECT_EQ(world.all<Answered>()[0].ticket, other);
}

TEST(RadiusClient, OneLostRequestDoesNotCondemnAServerThatAnswersOthers) {
  World world(1);
  const Ticket lost = world.ask("lost");
  world.sent();
  while (world.all<NoAnswer>().empty()) {
    world.ask("other");
    world.answer(world.sent());
    world.wait();
  }
  EXPECT_EQ(world.all<NoAnswer>()[0].ticket, lost);
  EXPECT_TRUE(world.client.alive(0));
  EXPECT_TRUE(world.all<ServerState>().empty());
}

TEST(RadiusClient, CancelledRequestIsOver) {
  World world(1);
  world.client.cancel(world.ask(), world.now);
  EXPECT_EQ(world.client.pending(), 0U);
  EXPECT_FALSE(world.client.next_timeout());
  EXPECT_TRUE(world.all<NoAnswer>().empty());
}

TEST(RadiusClient, TooLongAndTooManyAreToldAtOnce) {
  World world(1);
  Draft large(Code::kAccessRequest);
  large.add_long(attr::kEapMessage, ByteVector(5000));
  world.client.submit(std::move(large), world.now);
  ASSERT_EQ(world.all<NoAnswer>().size(), 1U);
  EXPECT_EQ(world.all<NoAnswer>()[0].why, Unanswered::kTooLong);
  auto settings = World::settings(1, true);
  settings.max_waiting = 1;
  Client client(std::move(settings), world.random);
  client.submit(Draft(Code::kAccessRequest), world.now);
  client.submit(Draft(Code::kAccessRequest), world.now);
  const auto events = client.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<NoAnswer>(events[0]).why, Unanswered::kOverload);
}

/// Under loss each request still comes to exactly one end, and no id stays taken.
TEST(RadiusClient, EveryRequestEndsOnceOverALossyNetwork) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    World world;
    std::mt19937 dice(seed);
    std::set<Ticket> open;
    for (int i = 0; i < 400; ++i) open.insert(world.ask("u" + std::to_string(i)));
    for (int step = 0; step < 20000 && world.client.pending() > 0; ++step) {
      while (auto out = world.client.poll_transmit()) {
        if (dice() % 3 != 0) world.answer(*out);
      }
      if (world.client.next_timeout()) world.now = std::max(world.now, *world.client.next_timeout());
      world.client.on_timeout(world.now);
      for (auto& event : world.client.take_events()) {
        const auto* good = std::get_if<Answered>(&event);
        const auto* bad = std::get_if<NoAnswer>(&event);
        if (good == nullptr && bad == nullptr) continue;
        ASSERT_EQ(open.erase(good != nullptr ? good->ticket : bad->ticket), 1U) << "seed " << seed;
      }
    }
    EXPECT_TRUE(open.empty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice::radius
