// events, trace, why and kick, from the command line to the edge and back.
#include <gmock/gmock.h>

#include "edge/admin/journal_commands.hpp"
#include "edge/ctl/journal.hpp"
#include "tests/unit/edge_admin/sluicectl_bench.hpp"

namespace sluice::ctl {
namespace {

using edge::Journal;
using edge::JournalEntry;
using enum edge::JournalKind;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class JournalCtl : public Sluicectl {
 protected:
  void say(edge::JournalKind kind, const std::string& correlation,
           std::vector<JournalEntry::Detail> details = {}, const std::string& cause = "",
           const std::string& text = "", unsigned number = 0) {
    JournalEntry entry;
    entry.time_ms = now += 250;
    entry.kind = kind;
    entry.correlation = correlation;
    entry.cause = cause;
    entry.text = text;
    entry.error = number;
    entry.details = std::move(details);
    commands.raise(*journal.add(std::move(entry)));
  }
  void live() {
    on_server_thread([this] {
      journal.ike_packet("a1", "198.51.100.7:500", now);
      say(kIkeUp, "a1",
          {{"client", "198.51.100.7:4500"},
           {"identity", edge::kHostileIdentity},
           {"version", "1"},
           {"nat", "yes"},
           {"proposal", "AES_CBC-256/HMAC_SHA1_96/MODP_2048"}});
      say(kPlaced, "a1-5", {{"agent", "agent1"}}, "", "its score is the lowest");
      say(kSessionUp, "a1-5",
          {{"user", "alice"}, {"address", "10.0.0.2"}, {"auth", "mschapv2"}, {"agent", "agent1"}});
      say(kSessionDown, "a1-5", {{"user", "alice"}}, "wrong-password", "Authentication failed");
      say(kIkeFailed, "f00", {{"client", "203.0.113.9:500"}}, "wrong_psk", "wrong key (Windows error 789)",
          789);
      journal.child_rekeyed("a1");
    });
  }

  Journal journal;
  std::int64_t now = 1'700'000'000'000;
  std::vector<edge::KickRequest> kicks;
  edge::JournalCommands commands{server.server(),
                                 {.state = state, .journal = journal, .kick = [this](const auto& request) {
                                    kicks.push_back(request);
                                    return request.relays.size();
                                  }}};
};

TEST_F(JournalCtl, TraceIsATimelineForPeople) {
  live();
  EXPECT_EQ(ctl({"trace", "alice"}), kOk);
  EXPECT_EQ(out.str(), R"(a1  alice  198.51.100.7:4500  from 2023-11-14 22:13:20.000 UTC, lives
      +0.000  ike-packet     first IKE packet from 198.51.100.7:500
      +0.250  ike-up         IKEv1 up from 198.51.100.7:4500 behind NAT, identity evil\x1b[2J\x0a\x22\x5c\xff id, AES_CBC-256/HMAC_SHA1_96/MODP_2048
      +0.500  placed         tunnel placed at agent1: its score is the lowest
      +0.750  session-up     PPP up: alice, 10.0.0.2, mschapv2, on agent1
      +1.000  session-down   session ended (alice): wrong password (Authentication failed) (Windows error 691)
              rekeyed: 0 times IKE, 1 times ESP
)");
  EXPECT_EQ(ctl({"trace", "198.51.100.7", "--json"}), kOk);
  const auto value = parsed();
  EXPECT_EQ(value["schema"], "sluice.trace/1");
  ASSERT_THAT(value["lives"], SizeIs(1));
  EXPECT_EQ(value["lives"][0]["child_rekeys"], 1);
  EXPECT_EQ(value["lives"][0]["users"][0], "alice");
  ASSERT_THAT(value["lives"][0]["entries"], SizeIs(5));
  EXPECT_EQ(value["lives"][0]["entries"][4]["error"], 691);
  EXPECT_EQ(value["lives"][0]["entries"][1]["details"]["version"], "1");
  EXPECT_EQ(ctl({"trace", "nobody"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("nothing is remembered of 'nobody'"));
  EXPECT_EQ(ctl({"trace"}), kUsage);
}

TEST_F(JournalCtl, TraceSaysThatThereAreMoreLives) {
  live();
  on_server_thread([this] { say(kIkeUp, "b2", {{"client", "198.51.100.7:4501"}}); });
  EXPECT_EQ(ctl({"trace", "198.51.100.7"}), kOk);
  EXPECT_THAT(error.str(), HasSubstr("2 lives fit"));
  EXPECT_THAT(out.str(), AllOf(HasSubstr("b2"), Not(HasSubstr("alice"))));
  EXPECT_EQ(ctl({"trace", "198.51.100.7", "--last", "2"}), kOk);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("b2"), HasSubstr("alice")));
}

TEST_F(JournalCtl, ALongLifeShowsWhereSomeIsLeftOut) {
  on_server_thread([this] {
    for (int i = 0; i < 100; ++i) say(kMoved, "a1", {{"client", "192.0.2.1:" + std::to_string(i)}});
  });
  EXPECT_EQ(ctl({"trace", "a1"}), kOk);
  EXPECT_THAT(out.str(), HasSubstr("moved to 192.0.2.1:15\n              … 36 more …\n"));
}

TEST_F(JournalCtl, WhySaysWhatTheUserSawAndWhatToDo) {
  live();
  EXPECT_EQ(ctl({"why", "alice"}), kOk);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("wrong password (Authentication failed) (Windows error 691)"),
                               HasSubstr("    do: let the user type it again")));
  EXPECT_EQ(ctl({"why", "203.0.113.9"}), kOk);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("wrong key (Windows error 789)\n"),
                               HasSubstr("do: compare the pre-shared key")));
  EXPECT_EQ(ctl({"why", "203.0.113.9", "--json"}), kOk);
  EXPECT_EQ(parsed()["schema"], "sluice.why/1");
  EXPECT_EQ(parsed()["failures"][0]["error"], 789);
  EXPECT_EQ(ctl({"why", "nobody"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("nothing is remembered"));
  on_server_thread([this] { say(kIkeUp, "b2", {{"client", "192.0.2.1:500"}}); });
  EXPECT_EQ(ctl({"why", "192.0.2.1"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("nothing has failed or ended"));
}

TEST_F(JournalCtl, EventsAreLinesInOrder) {
  EXPECT_EQ(ctl({"events"}), kOk);
  EXPECT_EQ(out.str(), "no events\n");
  live();
  EXPECT_EQ(ctl({"events"}), kOk);
  EXPECT_THAT(out.str(),
              HasSubstr("2023-11-14 22:13:20.500  placed         a1-5             alice     tunnel placed"));
  EXPECT_EQ(ctl({"events", "--kind", "ike-up,ike-failed", "--json=lines"}), kOk);
  const auto text = out.str();
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  EXPECT_EQ(json::parse(text.substr(0, text.find('\n')))["sequence"], 1);
  EXPECT_EQ(ctl({"events", "--last", "1", "--json"}), kOk);
  EXPECT_THAT(parsed()["events"], SizeIs(1));
  EXPECT_EQ(ctl({"events", "--kind", "bang"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("no kind 'bang'"));
  EXPECT_EQ(ctl({"events", "--follow", "--json"}), kUsage);
}

TEST_F(JournalCtl, EachFilterOfEventsLetsItsOwnPassAndNothingElse) {
  live();
  const std::vector<std::pair<std::string, std::string>> filters{{"--user", "alice"},
                                                                 {"--identity", edge::kHostileIdentity},
                                                                 {"--client", "203.0.113.9"},
                                                                 {"--agent", "agent1"},
                                                                 {"--correlation", "f00"}};
  for (const auto& [option, value] : filters) {
    ASSERT_EQ(ctl({"events", option, value, "--json"}), kOk) << option << error.str();
    EXPECT_THAT(parsed()["events"], Not(IsEmpty())) << option;
    ASSERT_EQ(ctl({"events", option, "192.0.2.77", "--json"}), kOk) << option << error.str();
    EXPECT_THAT(parsed()["events"], IsEmpty()) << option;
  }
}

TEST_F(JournalCtl, FollowingGoesOnUntilTheDaemonEnds) {
  live();
  std::thread ends([this] {
    // Once the command listens; what it asks for then comes before the end or not at all.
    const auto patience = std::chrono::steady_clock::now() + kPatience;
    for (bool follows = false; !follows && std::chrono::steady_clock::now() < patience;) {
      on_server_thread([&] { follows = server.server().has_subscribers("follow-event"); });
      std::this_thread::yield();
    }
    on_server_thread([this] { server.stop(); });
  });
  EXPECT_EQ(ctl({"events", "--follow", "--json=lines"}), kUnreachable);
  ends.join();
}

TEST_F(JournalCtl, KickAsksUnlessItIsTold) {
  EXPECT_EQ(ctl({"kick", "--where", "user=alice"}), kUsage);
  EXPECT_THAT(error.str(), HasSubstr("--yes"));
  EXPECT_THAT(kicks, IsEmpty());
  EXPECT_EQ(ctl({"kick", "--where", "user=alice", "--yes", "--rate", "3", "--reason", "tidying up"}), kOk);
  EXPECT_EQ(out.str(), "1 tunnel will be ended, 3 a second\n");
  ASSERT_THAT(kicks, SizeIs(2));
  EXPECT_TRUE(kicks[0].dry_run);
  EXPECT_FALSE(kicks[1].dry_run);
  EXPECT_EQ(kicks[1].reason, "tidying up");
  for (const auto& [answer, code] : {std::pair{"y\n", kOk}, {"n\n", kFailed}, {"", kFailed}}) {
    std::istringstream in(answer);
    out.str("");
    EXPECT_EQ(ctl::run({"kick", "--where", "user=alice"}, {out, error, {}, socket_path, &in}), code)
        << answer;
  }
  EXPECT_THAT(kicks, SizeIs(6)) << "a question each, and one yes";
}

TEST_F(JournalCtl, KickShowsWhomItMeans) {
  EXPECT_EQ(ctl({"kick", "--all", "--dry-run"}), kOk);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("alice"), HasSubstr("would be ended, 10 a second")));
  EXPECT_EQ(ctl({"kick", "--all", "--dry-run", "--json"}), kOk);
  EXPECT_EQ(parsed()["schema"], "sluice.kick/1");
  EXPECT_EQ(parsed()["kick"]["dry_run"], true);
  EXPECT_EQ(parsed()["kick"]["rate"], 10);
  EXPECT_THAT(parsed()["kick"]["sessions"], SizeIs(2));
  for (const auto& kick : kicks) EXPECT_TRUE(kick.dry_run);
  EXPECT_EQ(ctl({"kick", "--where", "user=nobody", "--yes"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("nobody fits"));
  EXPECT_EQ(ctl({"kick"}), kUsage);
  EXPECT_EQ(ctl({"kick", "--all", "--where", "user=alice"}), kUsage);
  EXPECT_EQ(ctl({"kick", "--where", "alice", "--yes"}), kUsage);
  EXPECT_EQ(ctl({"kick", "--where", "usr=alice", "--yes"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("unknown argument 'usr'"));
}

}  // namespace
}  // namespace sluice::ctl
