#include "backend-agent/radius/core/dynamic.hpp"

#include "tests/unit/radius/support.hpp"

namespace sluice::radius {
namespace {

constexpr std::string_view kSecret = "dynamic secret";
constexpr std::int64_t kTime = 1'800'000'000;

struct World {
  explicit World(std::size_t remembered = 100) : server(settings(remembered)) {}
  static DynamicSettings settings(std::size_t remembered) {
    DynamicSettings out;
    out.max_remembered = remembered;
    out.sources.push_back({*IpAddress::parse("10.0.0.9"), Secret(kSecret)});
    out.nas_identifier = "agent1";
    return out;
  }
  static Draft disconnect() {
    Draft draft(Code::kDisconnectRequest);
    draft.add(attr::kAcctSessionId, "abc").add(attr::kEventTimestamp, static_cast<std::uint32_t>(kTime));
    return draft;
  }
  std::optional<DynamicRequest> give(const Draft& draft, std::string_view secret = kSecret) {
    Authenticator authenticator{};
    last = sign_request(draft, 5, authenticator, as_bytes(secret)).value();
    last_authenticator = authenticator;
    return server.on_datagram(from, last, now, kTime);
  }
  std::uint64_t dropped(DynamicDrop reason) const { return server.drops().read(reason); }

  Endpoint from = *Endpoint::parse("10.0.0.9:4000");
  Instant now{std::chrono::hours(1)};
  DynamicServer server;
  ByteVector last;
  Authenticator last_authenticator{};
};

TEST(RadiusDynamic, GenuineRequestIsReadAndAnswered) {
  World world;
  const auto request =
      world.give(World::disconnect().add(attr::kProxyState, "p1").add(attr::kUserName, "alice"));
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->disconnect);
  EXPECT_EQ(request->session_id, "abc");
  EXPECT_EQ(request->user, "alice");
  EXPECT_EQ(request->wrong, ErrorCause::kNone);
  world.server.answer(*request, ErrorCause::kNone, world.now);
  const auto out = world.server.poll_transmit();
  ASSERT_TRUE(out);
  EXPECT_EQ(out->to, world.from);
  const Packet reply = test::parsed(out->bytes);
  EXPECT_EQ(reply.code(), Code::kDisconnectAck);
  EXPECT_EQ(as_text(*reply.first(attr::kProxyState)), "p1");
  EXPECT_EQ(check_reply(reply, world.last_authenticator, as_bytes(kSecret), true), Proof::kGood);
}

TEST(RadiusDynamic, RefusalNamesItsCause) {
  World world;
  const auto request = world.give(World::disconnect());
  world.server.answer(*request, ErrorCause::kSessionNotFound, world.now);
  const auto out = world.server.poll_transmit();
  const Packet reply = test::parsed(out->bytes);
  EXPECT_EQ(reply.code(), Code::kDisconnectNak);
  EXPECT_EQ(load_be32(reply.first(attr::kErrorCause)->data()), 503U);
}

TEST(RadiusDynamic, RequestSentAgainGetsTheSameAnswerAndIsNotDoneTwice) {
  World world;
  const auto request = world.give(World::disconnect());
  world.server.answer(*request, ErrorCause::kNone, world.now);
  const auto first = world.server.poll_transmit();
  EXPECT_FALSE(world.server.on_datagram(world.from, world.last, world.now + std::chrono::seconds(2), kTime));
  EXPECT_EQ(world.server.poll_transmit()->bytes, first->bytes);
  EXPECT_EQ(world.dropped(DynamicDrop::kRepeated), 1U);
}

TEST(RadiusDynamic, RecordedRequestIsNeverDoneAgainWhileItsTimeIsGood) {
  World world;
  const auto stamp = static_cast<std::uint32_t>(kTime + 300);  // as far ahead as may be
  Draft draft(Code::kDisconnectRequest);
  draft.add(attr::kAcctSessionId, "abc").add(attr::kEventTimestamp, stamp);
  world.server.answer(*world.give(draft), ErrorCause::kNone, world.now);
  const auto first = world.server.poll_transmit();
  const Endpoint elsewhere = *Endpoint::parse("10.0.0.9:4001");
  for (const int later : {1, 31, 299, 600}) {
    EXPECT_FALSE(world.server.on_datagram(elsewhere, world.last, world.now + std::chrono::seconds(later),
                                          kTime + later))
        << later;
    const auto again = world.server.poll_transmit();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->to, elsewhere);
    EXPECT_EQ(again->bytes, first->bytes);
  }
  EXPECT_EQ(world.dropped(DynamicDrop::kRepeated), 4U);
  EXPECT_FALSE(
      world.server.on_datagram(elsewhere, world.last, world.now + std::chrono::seconds(602), kTime + 602));
  EXPECT_EQ(world.dropped(DynamicDrop::kStale), 1U);
}

TEST(RadiusDynamic, WhenNoMoreCanBeRememberedNewOnesAreRefused) {
  World world(3);
  const auto give = [&](int i) {
    return world.give(World::disconnect().add(attr::kUserName, std::to_string(i)));
  };
  ByteVector first;
  for (int i = 0; i < 3; ++i) {
    world.server.answer(*give(i), ErrorCause::kNone, world.now);
    if (i == 0) first = world.last;
  }
  EXPECT_FALSE(give(3));
  EXPECT_EQ(world.dropped(DynamicDrop::kTooMany), 1U);
  EXPECT_FALSE(world.server.on_datagram(world.from, first, world.now, kTime));
  EXPECT_EQ(world.dropped(DynamicDrop::kRepeated), 1U);
  world.now += std::chrono::seconds(602);
  EXPECT_TRUE(give(4));
}

TEST(RadiusDynamic, WhoIsNotListedOrKnowsNoSecretGetsNoAnswer) {
  World world;
  EXPECT_FALSE(world.give(World::disconnect(), "other"));
  EXPECT_EQ(world.dropped(DynamicDrop::kBadAuthenticator), 1U);
  world.from = *Endpoint::parse("10.0.0.10:4000");
  EXPECT_FALSE(world.give(World::disconnect()));
  EXPECT_EQ(world.dropped(DynamicDrop::kUnknownSource), 1U);
  EXPECT_FALSE(world.server.poll_transmit());
}

TEST(RadiusDynamic, TimeMustBeNear) {
  World world;
  EXPECT_FALSE(world.give(Draft(Code::kDisconnectRequest).add(attr::kAcctSessionId, "abc")));
  EXPECT_EQ(world.dropped(DynamicDrop::kNoTimestamp), 1U);
  for (const std::int64_t off : {-301, 301}) {
    Draft draft(Code::kDisconnectRequest);
    draft.add(attr::kAcctSessionId, "abc")
        .add(attr::kEventTimestamp, static_cast<std::uint32_t>(kTime + off));
    EXPECT_FALSE(world.give(draft));
  }
  EXPECT_EQ(world.dropped(DynamicDrop::kStale), 2U);
}

TEST(RadiusDynamic, MessageAuthenticatorIsDemanded) {
  World world;
  world.give(World::disconnect());
  // The same request without its first attribute, the authenticator made anew.
  ByteVector plain(world.last.begin(), world.last.begin() + 4);
  plain.resize(kHeaderSize);
  plain.insert(plain.end(), world.last.begin() + kHeaderSize + 18, world.last.end());
  store_be16(plain.data() + 2, static_cast<std::uint16_t>(plain.size()));
  EXPECT_FALSE(world.server.on_datagram(world.from, plain, world.now, kTime));
  EXPECT_EQ(world.dropped(DynamicDrop::kBadAuthenticator), 1U);
}

TEST(RadiusDynamic, EverySingleBitFlipIsRefused) {
  World world;
  ASSERT_TRUE(world.give(World::disconnect()));
  const ByteVector good = world.last;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    ByteVector flipped = good;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(world.server.on_datagram(world.from, flipped, world.now, kTime)) << bit;
  }
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(world.server.on_datagram(world.from, Bytes(good).first(size), world.now, kTime));
}

TEST(RadiusDynamic, SaysWhatItCannotDo) {
  const auto wrong = [](const Draft& draft) {
    World world;
    const auto request = world.give(draft);
    return request ? request->wrong : ErrorCause::kNone;
  };
  const auto coa = [] {
    Draft draft(Code::kCoaRequest);
    draft.add(attr::kEventTimestamp, static_cast<std::uint32_t>(kTime));
    return draft;
  };
  EXPECT_EQ(wrong(coa().add(attr::kAcctSessionId, "a").add(attr::kSluiceRateUp, 64U)), ErrorCause::kNone);
  EXPECT_EQ(wrong(coa().add(attr::kAcctSessionId, "a").add(attr::kFilterId, "web")), ErrorCause::kNone);
  EXPECT_EQ(wrong(coa().add(attr::kAcctSessionId, "a").add(attr::kClass, "gold")), ErrorCause::kNone);
  EXPECT_EQ(wrong(World::disconnect().add(attr::kClass, "gold")), ErrorCause::kNone);
  EXPECT_EQ(wrong(coa().add(attr::kAcctSessionId, "a")), ErrorCause::kMissingAttribute);
  EXPECT_EQ(wrong(coa().add(attr::kSluiceRateUp, 64U)), ErrorCause::kMissingAttribute);
  EXPECT_EQ(wrong(coa().add(attr::kUserName, "a").add(attr::kFramedPool, "x")),
            ErrorCause::kUnsupportedAttribute);
  EXPECT_EQ(wrong(coa().add(attr::kUserName, "a").add(attr::kSessionTimeout, "x")),
            ErrorCause::kInvalidValue);
  EXPECT_EQ(
      wrong(coa().add(attr::kUserName, "a").add(attr::kNasIdentifier, "agent2").add(attr::kSluiceRateUp, 1U)),
      ErrorCause::kNasMismatch);
  EXPECT_EQ(wrong(coa().add(attr::kUserName, "a").add(attr::kServiceType, value::kServiceAuthorizeOnly)),
            ErrorCause::kUnsupportedService);
  EXPECT_EQ(wrong(World::disconnect().add(attr::kSluiceRateUp, 1U)), ErrorCause::kUnsupportedAttribute);
}

}  // namespace
}  // namespace sluice::radius
