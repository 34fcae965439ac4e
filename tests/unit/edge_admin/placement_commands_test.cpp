// explain, drain and ready, from the command line to the edge and back.
#include <gmock/gmock.h>

#include "edge/admin/placement_commands.hpp"
#include "edge/ctl/placement.hpp"
#include "tests/unit/edge_admin/sluicectl_bench.hpp"

namespace sluice::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PlacementCommands : public Sluicectl {
 protected:
  void SetUp() override {
    edge::add_placement_commands(
        server.server(), {.explain =
                              [this](const edge::PlacementQuestion& question) {
                                asked = question;
                                return answer;
                              },
                          .drain = [this](const edge::DrainRequest& request) -> std::optional<std::string> {
                            if (request.agent == "nobody") return "no agent of this name was ever connected";
                            requests.push_back(request);
                            drains = {{.agent = request.agent,
                                       .since = 1700000000,
                                       .deadline = request.deadline ? 1700000060 : 0,
                                       .kick_rate = request.kick_rate,
                                       .began_with = 3,
                                       .tunnels = 3,
                                       .sessions = 2,
                                       .state = "waiting"}};
                            return std::nullopt;
                          },
                          .undrain = [this](const std::string& agent) -> std::optional<std::string> {
                            if (drains.empty() || drains[0].agent != agent) return "it is not being drained";
                            drains.clear();
                            return std::nullopt;
                          },
                          .drains =
                              [this] {
                                auto rows = drains;
                                // Each look finds one less.
                                if (!drains.empty() && drains[0].tunnels > 0) --drains[0].tunnels;
                                return rows;
                              }});
    edge::PlacementAgentView good;
    good.name = "agent1";
    good.chosen = good.eligible = true;
    good.score = 1.5;
    good.tunnels = 7;
    good.free_addresses = 12;
    edge::PlacementAgentView bad;
    bad.name = "agent2";
    bad.why = "draining";
    answer.agents = {good, bad};
    answer.chosen = "agent1";
    answer.policy = "least-loaded";
    answer.text = "agent1: its score is the lowest";
    Sluicectl::SetUp();
  }

  // Of the server's thread; read once it has answered.
  edge::PlacementView answer;
  edge::PlacementQuestion asked;
  std::vector<edge::DrainRequest> requests;
  std::vector<edge::DrainView> drains;
};

TEST_F(PlacementCommands, ExplainShowsEachAgentAndWhoIsChosen) {
  EXPECT_EQ(ctl({"explain", "placement", "bob@example.net", "--listener", "old", "--client", "192.0.2.7",
                 "--host", "pc"}),
            kOk);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("agent1"), HasSubstr("chosen"), HasSubstr("1.500"),
                               HasSubstr("draining"), HasSubstr("its score is the lowest")));
  EXPECT_EQ(asked.identity, "bob@example.net");
  EXPECT_EQ(asked.listener, "old");
  EXPECT_EQ(asked.host, "pc");
  EXPECT_EQ(asked.address, IpAddress::parse("192.0.2.7"));
  EXPECT_EQ(ctl({"explain", "placement", "bob", "--json"}), kOk);
  const auto value = parsed();
  EXPECT_EQ(value["schema"], "sluice.placement/1");
  EXPECT_EQ(value["placement"]["chosen"], "agent1");
  EXPECT_EQ(value["placement"]["agents"][0]["eligible"], true);
  EXPECT_EQ(value["placement"]["agents"][0]["score_milli"], 1500);
  EXPECT_EQ(value["placement"]["agents"][1]["why"], "draining");
  EXPECT_FALSE(value["placement"]["agents"][1].contains("free_addresses"));
}

TEST_F(PlacementCommands, ExplainFailsWhenNobodyCanTakeTheClient) {
  answer.chosen.clear();
  EXPECT_EQ(ctl({"explain", "placement", "bob"}), kFailed);
  EXPECT_EQ(ctl({"explain", "placement", "bob", "--client", "here"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("no IP address"));
  EXPECT_EQ(ctl({"explain", "placement"}), kUsage);
}

TEST_F(PlacementCommands, DrainSaysWhatIsLeft) {
  EXPECT_EQ(ctl({"drain", "agent", "agent1", "--deadline", "5m", "--kick-rate", "3"}), kOk);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].agent, "agent1");
  EXPECT_EQ(requests[0].deadline, std::chrono::seconds(300));
  EXPECT_EQ(requests[0].kick_rate, 3U);
  EXPECT_THAT(out.str(), HasSubstr("3 of 3 tunnels left, 2 sessions"));
  EXPECT_EQ(ctl({"drains"}), kOk);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("agent1"), HasSubstr("waiting")));
  EXPECT_EQ(ctl({"drains", "--agent", "agent2"}), kOk);
  EXPECT_EQ(out.str(), "no drains\n");
}

TEST_F(PlacementCommands, DrainWithWaitShowsProgressUntilNothingIsLeft) {
  EXPECT_EQ(ctl({"drain", "edge", "--wait"}), kOk);
  EXPECT_EQ(requests[0].agent, "");
  EXPECT_FALSE(requests[0].deadline);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("this edge: 3 of 3"), HasSubstr("this edge: 1 of 3"),
                               HasSubstr("this edge is empty")));
}

TEST_F(PlacementCommands, DrainIsUndone) {
  EXPECT_EQ(ctl({"drain", "agent", "agent1"}), kOk);
  EXPECT_EQ(ctl({"drain", "agent", "agent2", "--undo"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("not being drained"));
  EXPECT_EQ(ctl({"drain", "agent", "agent1", "--undo"}), kOk);
  EXPECT_THAT(out.str(), HasSubstr("in service again"));
}

TEST_F(PlacementCommands, DrainRefusesWhatMakesNoSense) {
  EXPECT_EQ(ctl({"drain", "agent", "nobody"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("was ever connected"));
  EXPECT_EQ(ctl({"drain", "agent", "agent1", "--deadline", "soon"}), kUsage);
  EXPECT_EQ(ctl({"drain", "agent", "agent1", "--kick-rate", "0"}), kUsage);
  EXPECT_EQ(ctl({"drain", "agent"}), kUsage);
  EXPECT_TRUE(requests.empty());
}

TEST_F(PlacementCommands, ReadySaysWhyNot) {
  EXPECT_EQ(ctl({"ready"}), kOk);
  EXPECT_EQ(out.str(), "ready\n");
  on_server_thread([&] { state.draining = true; });
  EXPECT_EQ(ctl({"ready"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("not ready: draining"));
  EXPECT_EQ(ctl({"ready", "--json"}), kFailed);
  EXPECT_EQ(parsed()["ready"]["draining"], true);
  EXPECT_EQ(parsed()["ready"]["reason"], "draining");
}

TEST(Durations, AreReadAsPeopleWriteThem) {
  EXPECT_EQ(seconds_of("90"), 90U);
  EXPECT_EQ(seconds_of("0s"), 0U);
  EXPECT_EQ(seconds_of("5m"), 300U);
  EXPECT_EQ(seconds_of("2h"), 7200U);
  for (const auto* text : {"", "s", "5d", "-5", "5 m", "9999h", "99999999999999999999"})
    EXPECT_FALSE(seconds_of(text)) << text;
}

}  // namespace
}  // namespace sluice::ctl
