// A live session with everything it has goes from one agent to another as one message: link, addresses,
// routes, limits, accounting.
#include <gtest/gtest.h>

#include "tests/unit/agent/accounting_record.hpp"
#include "tests/unit/agent/dialler.hpp"
#include "tests/unit/agent/sessions_world.hpp"

namespace sluice::agent {
namespace {

using namespace std::chrono_literals;
namespace attr = radius::attr;
using test::opened;
using test::Record;
using test::SessionsWorld;

/// An agent without threads and sockets: what control and worker tell each other arrives at once.
struct Machine {
  explicit Machine(RandomSource& random)
      : lns(settings(), random, [this](Event event) { events.push_back(std::move(event)); }) {}
  LnsSettings settings() {
    LnsSettings out;
    out.ppp_config = [](std::uint16_t) {
      auto config = ppp::test::server_config();
      config.rechallenge_interval = 10min;
      return std::make_shared<const ppp::PppConfig>(std::move(config));
    };
    return out;
  }
  void judge() {
    for (; judged < control.authenticator.waiting.size(); ++judged) {
      ppp::Credential credential;
      credential.password = Secret("secret");
      AuthDecision decision;
      decision.verdict = ppp::verify(control.authenticator.attempts[judged].request, credential);
      decision.grant = grant;
      decision.by_radius = true;
      control.authenticator.waiting[judged](std::move(decision));
    }
  }
  void tell(Event event) {
    if (auto* asked = std::get_if<AuthAsked>(&event)) control.sessions.on_auth(std::move(*asked));
    if (const auto* up = std::get_if<SessionOpened>(&event)) control.sessions.on_opened(*up);
    if (const auto* told = std::get_if<CountersTold>(&event)) control.sessions.on_counters(*told);
    if (const auto* gone = std::get_if<SessionGone>(&event)) control.sessions.on_gone(*gone);
  }
  void carry_out(const Command& command) {
    if (const auto* decided = std::get_if<AuthDecided>(&command)) lns.decide(*decided, control.now);
    if (const auto* ask = std::get_if<AskCounters>(&command)) lns.tell_counters(*ask);
    if (const auto* end = std::get_if<EndSession>(&command)) lns.end_session(*end, control.now);
  }
  /// Everything that control and worker have for each other, and the packets between client and worker.
  void settle(test::Dialler& client, Instant client_now) {
    for (bool more = true; more;) {
      more = false;
      for (auto& packet : client.drain(client_now)) {
        more = true;
        const auto ip = lns.from_edge(client.key, packet, control.now);
        if (!ip.empty()) inside.emplace_back(ip.begin(), ip.end());
      }
      for (auto& event : std::exchange(events, {})) tell(std::move(event));
      judge();
      for (const auto& command : std::exchange(control.posted, {})) {
        more = true;
        carry_out(command);
      }
      while (auto out = lns.poll_transmit()) {
        more = true;
        client.take(out->l2tp, client_now);
      }
      more |= !events.empty();
    }
  }
  /// Both sides' timers for so long, a second at a time.
  void run(test::Dialler& client, Instant& client_now, std::chrono::seconds duration) {
    for (auto left = duration; left > 0s; left -= 1s) {
      client_now += 1s;
      control.now += 1s;
      client.on_timeout(client_now);
      lns.on_timeout(control.now);
      control.accounting.on_timeout(control.now);
      settle(client, client_now);
    }
  }
  SessionsWorld control;
  std::vector<Event> events;
  radius::Grant grant;
  std::size_t judged = 0;
  Lns lns;
  std::vector<ByteVector> inside;
};

const IpAddress kInside = *IpAddress::parse("192.0.2.1");

/// A user with everything that may be given, who has sent packets for half an hour.
struct LiveSession {
  LiveSession() : first(std::make_unique<Machine>(random)), client(first->control.tunnel.key, random) {
    grant.user = "alice@example.net";
    grant.routes = {*Prefix::parse("192.168.7.0/24")};
    grant.delegated_prefix = Prefix::parse("2001:db8:7::/56");
    grant.rate_up = 1'000'000;
    grant.session_timeout = 3600s;
    grant.interim_interval = 600s;
    grant.classes = {{'g', 'o', 'l', 'd'}};
    first->grant = grant;
    auto config = ppp::test::client_config();
    config.want_ipv6 = true;
    client.config = std::make_shared<const ppp::PppConfig>(std::move(config));
    TunnelSpec spec = first->control.tunnel;
    spec.assigned = TunnelId(1000);
    first->lns.open_tunnel(spec, first->control.now);
    client.l2tp.connect(now);
    first->run(client, now, 1800s);
    send(*first);
  }
  void send(Machine& machine) {
    auto packet = client.ip(test::ipv4(client.up->addresses.local, kInside, 100));
    machine.lns.from_edge(client.key, packet, machine.control.now);
  }
  /// As the agent that is left writes it down.
  ByteVector written() {
    auto value = *first->lns.snapshot(client.key, first->control.now);
    value.sessions.at(0).accounting = first->control.sessions.facts(SessionSerial(1));
    return encode(value);
  }
  ppp::test::SeededRandom random{3};
  Instant now{2h};
  radius::Grant grant;
  std::unique_ptr<Machine> first;
  test::Dialler client;
};

/// Takes the message over; the session's serial, if it is there.
std::optional<SessionSerial> arrive(Machine& machine, const TunnelKey& key, Bytes message) {
  const auto value = decode_tunnel(message);
  const auto serials = machine.lns.restore(key, 0, *value, machine.control.now);
  EXPECT_TRUE(serials.ok());
  TunnelSpec spec = machine.control.tunnel;
  spec.key = key;
  return machine.control.sessions.adopt(serials->at(0), spec, value->sessions.at(0))
             ? std::optional(serials->at(0))
             : std::nullopt;
}

TEST(SessionValue, ALiveSessionGoesOnAtAnotherAgentAndSoDoesItsAccounting) {
  LiveSession session;
  ASSERT_TRUE(session.client.up);
  const IpAddress mine = session.client.up->addresses.local;
  const auto& before = session.first->control.records;
  ASSERT_GE(before.size(), 3U);  // start and two or three interim records
  const std::string id = Record(before[0]).text(attr::kAcctSessionId);
  const ByteVector message = session.written();
  session.first.reset();

  Machine second(session.random);
  second.control.now = Instant{70h};  // another clock
  second.grant = session.grant;
  session.client.key = {ChannelId(7), RelayId(1)};
  ASSERT_TRUE(arrive(second, session.client.key, message));
  EXPECT_TRUE(second.control.records.empty()) << "no second start";
  EXPECT_EQ(second.control.pool.used(), 1U);
  std::map<std::string, bool> routes(second.control.fixed.begin(), second.control.fixed.end());
  EXPECT_EQ(routes, (std::map<std::string, bool>{{"192.168.7.0/24", true}, {"2001:db8:7::/56", true}}));
  session.send(second);
  second.run(session.client, session.now, 1700s);
  EXPECT_FALSE(session.client.down);
  ASSERT_GE(second.control.records.size(), 2U);
  const Record interim(second.control.records[0]);
  EXPECT_EQ(interim.number(attr::kAcctStatusType), 3U);
  EXPECT_EQ(interim.text(attr::kAcctSessionId), id);
  EXPECT_EQ(interim.number(attr::kAcctInputPackets), 2U);
  EXPECT_GT(interim.number(attr::kAcctSessionTime), 1800U);
  EXPECT_FALSE(second.control.authenticator.attempts.empty()) << "it is challenged again in its time";
  EXPECT_EQ(second.control.authenticator.attempts[0].caller.session_id, id);

  second.run(session.client, session.now, 110s);  // the hour of Session-Timeout is over
  ASSERT_TRUE(session.client.down);
  const Record stop(second.control.records.back());
  EXPECT_EQ(stop.number(attr::kAcctStatusType), 2U);
  EXPECT_EQ(stop.text(attr::kAcctSessionId), id);
  EXPECT_EQ(stop.text(attr::kUserName), "alice@example.net");
  EXPECT_EQ(stop.text(attr::kClass), "gold");
  EXPECT_NEAR(stop.number(attr::kAcctSessionTime), 3600, 2);
  EXPECT_EQ(stop.number(attr::kAcctInputOctets), 200U);
  EXPECT_EQ(second.control.pool.used(), 0U);
  EXPECT_EQ(mine.to_string(), "10.98.0.2");
}

TEST(SessionValue, WhoseAddressIsOutHereIsEndedAndTakesNothing) {
  LiveSession session;
  const ByteVector message = session.written();
  Machine second(session.random);
  second.control.ask(99, "bob@example.net");
  second.control.authenticator.answer(0, true);  // the same pool's first address
  second.control.authenticator.waiting.clear();
  second.control.posted.clear();
  const TunnelKey key{ChannelId(7), RelayId(1)};
  EXPECT_FALSE(arrive(second, key, message));
  ASSERT_EQ(second.control.posted.size(), 1U);
  EXPECT_EQ(std::get<EndSession>(second.control.posted[0]).cause, "address-in-use");
  EXPECT_TRUE(second.control.fixed.empty());
  EXPECT_EQ(second.control.pool.used(), 1U);
}

}  // namespace
}  // namespace sluice::agent
