// list-events, trace, why, kick and the event journal-entry over a real socket, by the vici client.
#include "edge/admin/journal_commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/admin/operations_server.hpp"
#include "tests/unit/edge_admin/fake_state.hpp"
#include "tests/unit/vici/io_bench.hpp"
#include "vici/client.hpp"

namespace sluice::edge {
namespace {

using enum JournalKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using vici::Message;

class JournalSocket : public vici::IoBench {
 protected:
  void SetUp() override {
    ASSERT_FALSE(server.start().has_value());
    ASSERT_FALSE(run(client.connect()).has_value());
  }
  std::vector<Message> rows(const std::string& command, const std::string& event, Message arguments = {}) {
    std::vector<Message> out;
    auto answer =
        run(client.stream(command, event, std::move(arguments), [&](const Message& m) { out.push_back(m); }));
    EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().text);
    if (answer.ok()) last = std::move(*answer);
    return out;
  }
  JournalEntryPtr say(JournalKind kind, const std::string& correlation,
                      std::vector<JournalEntry::Detail> details = {}, const std::string& cause = "",
                      const std::string& text = "", unsigned error = 0) {
    JournalEntry entry;
    entry.time_ms = now += 100;
    entry.kind = kind;
    entry.correlation = correlation;
    entry.cause = cause;
    entry.text = text;
    entry.error = error;
    entry.details = std::move(details);
    auto added = journal.add(std::move(entry));
    commands.raise(*added);
    return added;
  }
  void live() {
    journal.ike_packet("a1", "198.51.100.7:500", now);
    say(kIkeUp, "a1", {{"client", "198.51.100.7:4500"}, {"identity", kHostileIdentity}, {"version", "1"}});
    say(kPlaced, "a1-5", {{"agent", "agent1"}, {"why", "its score is the lowest"}});
    say(kSessionUp, "a1-5", {{"user", "alice"}, {"address", "10.0.0.2"}, {"auth", "mschapv2"}});
    journal.child_rekeyed("a1");
  }
  static Message with(std::string_view name, std::string_view value) { return Message().add(name, value); }

  FakeState state;
  Journal journal;
  std::int64_t now = 1'700'000'000'000;
  std::vector<KickRequest> kicks;
  OperationsServer server{io.get_executor(), {.path = socket_path, .owner = {}, .group = {}}, state};
  JournalCommands commands{server.server(),
                           {.state = state, .journal = journal, .kick = [this](const auto& request) {
                              kicks.push_back(request);
                              return request.relays.size();
                            }}};
  vici::Client client{io.get_executor(), socket_path};
  Message last;
};

TEST_F(JournalSocket, TraceTellsALifeAsItWent) {
  live();
  const auto entries = rows("trace", "trace-entry", with("who", "alice"));
  ASSERT_THAT(entries, SizeIs(4));
  EXPECT_EQ(entries[0].to_text(), R"(time = 1700000000
time-ms = 1700000000000
kind = ike-packet
correlation = a1
client = 198.51.100.7:500
)");
  EXPECT_EQ(entries[2].to_text(), R"(sequence = 2
time = 1700000000
time-ms = 1700000000200
kind = placed
correlation = a1
tunnel = a1-5
agent = agent1
details {
  why = its score is the lowest
}
)");
  EXPECT_EQ(entries[1].get("identity"), kHostileIdentity);
  EXPECT_EQ(entries[3].section("details")->get("auth"), "mschapv2");
  EXPECT_EQ(last.number("matched"), 1U);
  const auto* life = last.section("lives")->section("1");
  ASSERT_NE(life, nullptr);
  EXPECT_EQ(life->get("correlation"), "a1");
  EXPECT_EQ(life->number("child-rekeys"), 1U);
  EXPECT_EQ(life->number("ended-ms"), 0U);
  EXPECT_THAT(*life->list("users"), ElementsAre("alice"));
}

TEST_F(JournalSocket, TraceShowsTheNewestLifeOfSeveralUnlessAsked) {
  live();
  say(kIkeUp, "b2", {{"client", "198.51.100.7:40000"}});
  EXPECT_THAT(rows("trace", "trace-entry", with("client", "198.51.100.7")), SizeIs(1));
  EXPECT_EQ(last.number("matched"), 2U);
  EXPECT_THAT(rows("trace", "trace-entry", with("client", "198.51.100.7").add("count", 9)), SizeIs(5));
  EXPECT_NE(last.section("lives")->section("2"), nullptr);
  EXPECT_THAT(rows("trace", "trace-entry", with("who", "nobody")), IsEmpty());
  EXPECT_EQ(last.number("matched"), 0U);
}

TEST_F(JournalSocket, WhySaysItInWordsWithTheNumberAndWhatToDo) {
  live();
  say(kSessionDown, "a1-5", {{"user", "alice"}}, "wrong-password", "Authentication failed");
  say(kIkeFailed, "f00", {{"client", "203.0.113.9:500"}}, "wrong_psk", "wrong key (Windows error 789)", 789);
  auto found = rows("why", "why-entry", with("who", "alice"));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].number("error"), 691U);
  EXPECT_EQ(found[0].get("text"), "wrong password (Authentication failed)");
  EXPECT_THAT(std::string(found[0].get("advice")), HasSubstr("type it again"));
  EXPECT_EQ(found[0].get("client"), "198.51.100.7:4500");
  found = rows("why", "why-entry", with("who", "203.0.113.9"));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].number("error"), 789U);
  EXPECT_THAT(std::string(found[0].get("advice")), HasSubstr("pre-shared key"));
}

TEST_F(JournalSocket, AnAddressIsFoundHoweverItIsWritten) {
  say(kIkeUp, "a1", {{"client", "[2001:db8::7]:4500"}});
  EXPECT_THAT(rows("trace", "trace-entry", with("who", "2001:0db8:0:0::0007")), SizeIs(1));
  EXPECT_THAT(rows("list-events", "list-event", with("client", "2001:DB8:0::7")), SizeIs(1));
}

TEST_F(JournalSocket, EventsComeInOrderAndByFilter) {
  live();
  say(kAgentDown, "", {{"agent", "agent1"}}, "", "silence");
  const auto all = rows("list-events", "list-event");
  ASSERT_THAT(all, SizeIs(4));
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].number("sequence"), i + 1);
  EXPECT_EQ(last.number("last"), 4U);
  EXPECT_EQ(last.number("missed"), 0U);
  EXPECT_EQ(all[0].get("user"), "alice") << "known by now";
  EXPECT_THAT(rows("list-events", "list-event", with("kind", "ike-up,agent-down")), SizeIs(2));
  EXPECT_THAT(rows("list-events", "list-event", with("after", "3")), SizeIs(1));
  EXPECT_THAT(rows("list-events", "list-event", with("count", "2")), SizeIs(2));
  EXPECT_THAT(rows("list-events", "list-event", with("user", "alice")), SizeIs(3));
}

TEST_F(JournalSocket, EntriesAreRaisedAsTheyHappen) {
  std::vector<Message> heard;
  vici::Client listener(io.get_executor(), socket_path);
  listener.on_event([&](const std::string& name, const Message& message) {
    EXPECT_EQ(name, "journal-entry");
    heard.push_back(message);
  });
  ASSERT_FALSE(run(listener.connect()).has_value());
  say(kNotice, "", {}, "", "nobody hears it");
  ASSERT_FALSE(run(listener.subscribe({"journal-entry"})).has_value());
  live();
  run_until([&] { return heard.size() == 3; });
  EXPECT_EQ(heard[0].number("sequence"), 2U);
  EXPECT_EQ(heard[1].get("kind"), "placed");
  EXPECT_EQ(heard[2].get("client"), "198.51.100.7:4500");
  const auto kept = rows("list-events", "list-event", with("after", "1"));
  ASSERT_THAT(kept, SizeIs(3));
  EXPECT_EQ(kept[2], heard[2]) << "the same, told or asked for";
}

TEST_F(JournalSocket, AFollowerHearsWhatFitsFromThePastOn) {
  live();
  std::vector<Message> heard;
  std::optional<Result<Message, vici::Error>> over;
  vici::Client follower(io.get_executor(), socket_path);
  ASSERT_FALSE(run(follower.connect()).has_value());
  start<Result<Message, vici::Error>>(
      follower.stream("follow-events", "follow-event", with("user", "alice").add("count", 2),
                      [&](const Message& row) { heard.push_back(row); }),
      [&](auto end) { over.emplace(std::move(end)); });
  run_until([&] { return heard.size() == 2; });
  EXPECT_EQ(heard[1].get("kind"), "session-up");
  say(kIkeUp, "b2", {{"client", "192.0.2.1:500"}});
  say(kSessionDown, "a1-5", {{"user", "alice"}}, "user-request");
  run_until([&] { return heard.size() == 3; });
  EXPECT_EQ(heard[2].get("kind"), "session-down");
  EXPECT_EQ(heard[2].number("sequence"), 5U);
  EXPECT_FALSE(over.has_value());
  follower.close();
  run_until([&] { return over.has_value(); });
}

TEST_F(JournalSocket, AFollowerIsToldWhatItMissed) {
  journal = Journal({.events = 3});
  for (int i = 0; i < 10; ++i) say(kNotice, "");
  std::vector<Message> heard;
  std::optional<Result<Message, vici::Error>> over;
  vici::Client follower(io.get_executor(), socket_path);
  ASSERT_FALSE(run(follower.connect()).has_value());
  start<Result<Message, vici::Error>>(follower.stream("follow-events", "follow-event", with("after", "4"),
                                                      [&](const Message& row) { heard.push_back(row); }),
                                      [&](auto end) { over.emplace(std::move(end)); });
  run_until([&] { return heard.size() == 4; });
  EXPECT_EQ(heard[0].to_text(), "missed = 3\n");
  EXPECT_EQ(heard[1].number("sequence"), 8U);
  follower.close();
  run_until([&] { return over.has_value(); });
}

TEST_F(JournalSocket, AFollowerThatDoesNotReadMissesSomeAndIsToldHowMany) {
  auto socket = raw();
  socket.non_blocking(true);
  send(socket, packet(vici::PacketType::kEventRegister, "follow-event"));
  send(socket, packet(vici::PacketType::kCommandRequest, "follow-events"));
  vici::PacketStream stream;
  ByteVector buffer(65536);
  std::uint64_t first = 0, seen = 0, missed = 0;
  const auto read_some = [&] {
    boost::system::error_code none;
    const auto size = socket.read_some(boost::asio::buffer(buffer), none);
    if (!none) stream.feed(Bytes(buffer).first(size));
    while (const auto next = stream.next()) {
      const auto& message = next->value().message;
      if (first == 0) first = message.number("sequence").value_or(0);
      seen += message.value("sequence").has_value() ? 1 : 0;
      missed += message.number("missed").value_or(0);
    }
  };
  run_until([&] {
    say(kNotice, "");
    read_some();
    return seen > 0;
  });
  const std::string long_text(500, 'x');
  for (int i = 0; i < 20'000; ++i) say(kNotice, "", {}, "", long_text);
  // What it is told comes with the next entry that it can take.
  run_until([&] {
    read_some();
    if (missed == 0) say(kNotice, "");
    return missed > 0;
  });
  run_until([&] {
    read_some();
    return seen + missed == journal.last_sequence() - first + 1;
  });
  EXPECT_LT(seen, journal.last_sequence());
}

TEST_F(JournalSocket, RefusesWhatMakesNoSense) {
  const std::vector<std::tuple<std::string, std::string, Message, std::string>> bad{
      {"trace", "trace-entry", {}, "whose?"},
      {"why", "why-entry", {}, "whose?"},
      {"trace", "trace-entry", with("whom", "x"), "unknown argument 'whom'"},
      {"trace", "trace-entry", with("who", "x").add("count", "0"), "from 1 to 100"},
      {"why", "why-entry", with("who", "x").add("count", "-1"), "from 1 to 1000"},
      {"list-events", "list-event", with("kind", "ike\x1b"), "no kind 'ike\\x1b'; known: ike-packet"},
      {"list-events", "list-event", with("after", "yesterday"), "sequence number"},
      {"list-events", "list-event", with("count", "100001"), "from 1 to 100000"},
      {"kick", "kick-session", {}, "give a filter, or all = yes"},
      {"kick", "kick-session", with("rate", "5"), "give a filter, or all = yes"},
      {"kick", "kick-session", with("all", "yes").add("user", "x"), "'all' takes no filter"},
      {"kick", "kick-session", with("user", "alice").add("rate", "1001"), "from 1 to 1000"},
      {"kick", "kick-session", with("usr", "alice"), "unknown argument 'usr'"},
      {"kick", "kick-session", with("user", "alice").add("user", "bob"), "'user' is there twice"},
      {"kick", "kick-session", with("dry-run", "no").add("user", "alice").add("dry-run", "yes"),
       "'dry-run' is there twice"},
      {"kick", "kick-session", with("user", "alice").add("dry-run", "on"), "'dry-run' must be yes or no"},
      {"kick", "kick-session", with("user", ""), "'user' is empty"}};
  for (const auto& [command, event, arguments, text] : bad) {
    EXPECT_THAT(rows(command, event, arguments), IsEmpty()) << command;
    EXPECT_EQ(last.flag("success"), false) << command;
    EXPECT_THAT(std::string(last.get("errmsg")), HasSubstr(text)) << command;
  }
  EXPECT_THAT(kicks, IsEmpty());
}

TEST_F(JournalSocket, KickEndsWhatTheFilterMeans) {
  state.session_rows[1].user = "bob@Example.NET";
  state.session_rows[1].relay = RelayId(6);
  EXPECT_THAT(rows("kick", "kick-session", with("user", "alice").add("reason", "tidy\x1bup").add("rate", 3)),
              SizeIs(1));
  EXPECT_EQ(last.number("count"), 1U);
  ASSERT_THAT(kicks, SizeIs(1));
  EXPECT_THAT(kicks[0].relays, ElementsAre(RelayId(5)));
  EXPECT_EQ(kicks[0].rate, 3U);
  EXPECT_EQ(kicks[0].reason, "tidy\\x1bup");
  EXPECT_FALSE(kicks[0].dry_run);
  EXPECT_THAT(rows("kick", "kick-session", with("realm", "example.net")), SizeIs(1));
  EXPECT_THAT(kicks[1].relays, ElementsAre(RelayId(6)));
  EXPECT_EQ(kicks[1].reason, "ended by the operator");
  EXPECT_THAT(rows("kick", "kick-session", with("all", "yes").add("dry-run", "yes")), SizeIs(2));
  EXPECT_TRUE(kicks[2].dry_run);
  EXPECT_THAT(kicks[2].relays, SizeIs(2));
  EXPECT_THAT(rows("kick", "kick-session", with("agent", "agent9")), IsEmpty());
  EXPECT_EQ(last.number("count"), 0U);
  EXPECT_THAT(rows("kick", "kick-session", with("realm", "net")), IsEmpty());
  EXPECT_THAT(rows("kick", "kick-session", with("correlation", "c")), SizeIs(2))
      << "of the client, all its tunnels";
}

TEST_F(JournalSocket, TwoSessionsOfOneTunnelAreOneTunnel) {
  state.session_rows[1].relay = state.session_rows[0].relay;
  EXPECT_THAT(rows("kick", "kick-session", with("all", "yes")), SizeIs(2));
  EXPECT_EQ(last.number("count"), 1U);
}

}  // namespace
}  // namespace sluice::edge
