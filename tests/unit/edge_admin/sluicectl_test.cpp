// sluicectl against the operations server, over a real socket, the server on a thread of its own.
#include <gmock/gmock.h>

#include "tests/unit/edge_admin/sluicectl_bench.hpp"

namespace sluice::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST_F(Sluicectl, ShowsSessionsFromIkeToPpp) {
  EXPECT_EQ(ctl({"sessions"}), kOk);
  EXPECT_THAT(out.str(),
              AllOf(HasSubstr("198.51.100.7:40001"), HasSubstr("alice"), HasSubstr("10.99.0.2"),
                    HasSubstr("agent1"), HasSubstr("v1 #3"), HasSubstr("11/22"), HasSubstr("33/44"),
                    HasSubstr("c0ffee01/0000beef"), HasSubstr("12 MB"), HasSubstr("[2001:db8::7]:500")));
  EXPECT_EQ(error.str(), "");
}

TEST_F(Sluicectl, EscapesWhatPeersChose) {
  EXPECT_EQ(ctl({"sessions"}), kOk);
  EXPECT_THAT(out.str(), HasSubstr(R"(evil\x1b[2J\x0a\x22\x5c\xff id)"));
  EXPECT_EQ(ctl({"peers", "--json"}), kOk);
  for (const char c : out.str()) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << int{c};
}

TEST_F(Sluicectl, GivesSessionsAsVersionedJson) {
  EXPECT_EQ(ctl({"--json", "sessions"}), kOk);
  const auto value = parsed();
  EXPECT_EQ(value["schema"], "sluice.sessions/1");
  EXPECT_FALSE(value.contains("partial"));
  ASSERT_EQ(value["sessions"].size(), 2u);
  const auto& first = value["sessions"][0];
  EXPECT_EQ(first["client_port"], 40001);
  EXPECT_EQ(first["nat"], true);
  EXPECT_EQ(first["ike"]["version"], 1);
  EXPECT_EQ(first["ike"]["peer"], 7);
  EXPECT_EQ(first["child"]["spi_out"], "0000beef");
  EXPECT_EQ(first["l2tp"]["agent_session"], 44);
  EXPECT_EQ(first["ppp"]["assigned_ip"], "10.99.0.2");
  EXPECT_EQ(first["traffic"]["bytes_out"], 9876543210);
  EXPECT_EQ(first["up_since"], 1700000000);
  EXPECT_FALSE(value["sessions"][1]["ppp"].contains("assigned_ip"));
}

TEST_F(Sluicectl, GivesPeersWithTheirSas) {
  EXPECT_EQ(ctl({"peers", "-j"}), kOk);
  const auto sas = parsed()["peers"][0]["sas"];
  ASSERT_EQ(sas.size(), 2u);
  EXPECT_EQ(sas[1]["spi_in"], "c0ffee03");
  EXPECT_EQ(sas[0]["drops"]["replayed"], 4);
  EXPECT_EQ(sas[0]["encap"], true);
  EXPECT_EQ(ctl({"peers"}), kOk);
  EXPECT_THAT(out.str(), HasSubstr("37 MB"));
  EXPECT_EQ(ctl({"peers", "--sas"}), kOk);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("c0ffee01"), HasSubstr("c0ffee03")));
}

TEST_F(Sluicectl, ShowsBackends) {
  EXPECT_EQ(ctl({"backends"}), kOk);
  EXPECT_THAT(out.str(),
              AllOf(HasSubstr("1/500"), HasSubstr("37%"), HasSubstr("830us"), HasSubstr("400ms ago")));
  EXPECT_EQ(ctl({"backends", "--json", "--name", "agent2"}), kOk);
  EXPECT_EQ(parsed()["backends"][0]["state"], "down");
  EXPECT_FALSE(parsed()["backends"][0].contains("rtt_us"));
}

TEST_F(Sluicectl, FitsTheTerminalAndSaysWhatItLeftOut) {
  for (const std::size_t width : {40u, 80u, 120u}) {
    EXPECT_EQ(ctl({"sessions"}, {width, false}), kOk);
    std::istringstream lines(out.str());
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), width) << line;
    EXPECT_THAT(error.str(), HasSubstr("--wide"));
  }
  EXPECT_EQ(ctl({"sessions", "--wide"}, {40, false}), kOk);
  EXPECT_EQ(error.str(), "");
  EXPECT_EQ(ctl({"backends"}, {200, true}), kOk);
  EXPECT_THAT(out.str(), HasSubstr("\x1b[32mup\x1b[0m"));
}

TEST_F(Sluicectl, FiltersAtTheDaemon) {
  EXPECT_EQ(ctl({"sessions", "--user", "alice", "--json"}), kOk);
  EXPECT_EQ(parsed()["sessions"].size(), 1u);
  EXPECT_EQ(ctl({"sessions", "--user", "nobody"}), kOk);
  EXPECT_EQ(out.str(), "no sessions\n");
}

TEST_F(Sluicectl, TellsVersionsOfBothSides) {
  EXPECT_EQ(ctl({"version"}), kOk);
  EXPECT_THAT(out.str(),
              AllOf(HasSubstr("sluicectl 0."), HasSubstr("sluice-edge 0.1.0 'edge1' with charon 5.9.8")));
  EXPECT_EQ(ctl({"version", "--json"}), kOk);
  EXPECT_EQ(parsed()["schema"], "sluice.version/1");
  EXPECT_EQ(parsed()["daemon"]["version"], "0.1.0");
}

TEST_F(Sluicectl, AnIncompleteAnswerIsExitCode4) {
  state.missing = "worker 1 did not answer";
  EXPECT_EQ(ctl({"sessions"}), kPartial);
  EXPECT_THAT(error.str(), HasSubstr("worker 1 did not answer"));
  EXPECT_THAT(out.str(), HasSubstr("alice"));
  EXPECT_EQ(ctl({"sessions", "--json"}), kPartial);
  EXPECT_EQ(parsed()["partial"], "worker 1 did not answer");
}

TEST_F(Sluicectl, ShowsDropsTheMostFrequentFirst) {
  EXPECT_EQ(ctl({"drops"}), kOk);
  EXPECT_EQ(out.str(),
            "STAGE  REASON         COUNT\n"
            "esp    unknown-spi  1234567\n"
            "esp    replayed           4\n");
  EXPECT_EQ(ctl({"drops", "--all"}), kOk);
  EXPECT_THAT(out.str(), HasSubstr("truncated"));
  EXPECT_EQ(ctl({"drops", "--json"}), kOk);
  EXPECT_EQ(parsed()["drops"][2]["count"], 1234567);
}

TEST_F(Sluicectl, ADaemonThatDiesInTheMiddleIsExitCode4) {
  on_server_thread([this] {
    server.server().stream_command("list-drops", "list-drop", [this](const vici::Message&) {
      vici::Server::Stream stream;
      stream.next = [this, sent = 0]() mutable -> std::optional<vici::Message> {
        if (++sent == 5000) server.stop();
        return vici::Message().add("stage", "esp").add("reason", "replayed").add("count", sent);
      };
      return stream;
    });
  });
  EXPECT_EQ(ctl({"drops", "--json"}), kPartial);
  EXPECT_GT(parsed()["drops"].size(), 0u);
  EXPECT_THAT(error.str(), HasSubstr("was lost"));
}

TEST_F(Sluicectl, ProbesABackendAndExitsByWhatCameOfIt) {
  on_server_thread([this] {
    server.on_probe([](const std::string& name, const OperationsServer::ProbeReply& reply) {
      if (name == "agent1") return reply({name, edge::L2tpState::kSpeaks, "", std::chrono::milliseconds(12)});
      if (name == "agent2")
        return reply({name, edge::L2tpState::kSilent, "SCCRQ was not answered", std::chrono::seconds(5)});
      reply({name, edge::L2tpState::kUnknown, "no agent of this name is connected", {}});
    });
  });
  EXPECT_EQ(ctl({"probe", "backend", "agent1"}), kOk) << error.str();
  EXPECT_EQ(out.str(), "agent1 speaks L2TP (12 ms from SCCRQ to the end)\n");
  EXPECT_EQ(ctl({"probe", "backend", "agent2"}), kFailed);
  EXPECT_EQ(error.str(), "sluicectl: does not speak L2TP: agent2: SCCRQ was not answered\n");
  EXPECT_EQ(ctl({"probe", "backend", "evil\x1b[2J"}), kFailed);
  EXPECT_THAT(error.str(),
              AllOf(HasSubstr("not probed: "), HasSubstr("no agent of this name"), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(ctl({"probe", "backend", "agent2", "--json"}), kFailed);
  EXPECT_EQ(parsed()["schema"], "sluice.probe/1");
  EXPECT_EQ(parsed()["probe"]["l2tp"], "silent");
  EXPECT_EQ(parsed()["probe"]["took_ms"], 5000);
  EXPECT_EQ(ctl({"probe"}), kUsage);
  EXPECT_EQ(ctl({"probe", "backend"}), kUsage);
}

TEST_F(Sluicectl, ProbesIkeAndExitsByWhatCameOfIt) {
  std::string health = "answers";
  on_server_thread([&] {
    server.on_probe_ike([&health](const OperationsServer::IkeProbeReply& reply) {
      reply({health, health == "answers" ? "IKE_SA_INIT was accepted" : "nobody is there",
             std::chrono::milliseconds(12), 1700000000});
    });
  });
  EXPECT_EQ(ctl({"probe", "ike"}), kOk) << error.str();
  EXPECT_EQ(out.str(), "IKE answers: IKE_SA_INIT was accepted (12 ms)\n");
  EXPECT_EQ(ctl({"probe", "ike", "--json"}), kOk);
  EXPECT_EQ(parsed()["schema"], "sluice.probe-ike/1");
  EXPECT_EQ(parsed()["probe"]["ike"], "answers");
  health = "silent";
  EXPECT_EQ(ctl({"probe", "ike"}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("sluicectl: IKE does not answer: "));
}

TEST_F(Sluicectl, ADaemonWithoutProbesIsExitCode1) {
  EXPECT_EQ(ctl({"probe", "backend", "agent1"}), kFailed);
  EXPECT_NE(error.str(), "");
}

TEST_F(Sluicectl, NoDaemonIsExitCode3) {
  EXPECT_EQ(ctl({"sessions", "--socket", (folder / "none.sock").string()}), kUnreachable);
  EXPECT_THAT(error.str(), AllOf(HasSubstr("none.sock"), HasSubstr("start it")));
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(ctl({"version", "--json", "--socket", (folder / "none.sock").string()}), kUnreachable);
  EXPECT_TRUE(parsed()["daemon"].is_null());
}

TEST_F(Sluicectl, AnotherDaemonsSocketIsExitCode1) {
  const std::string other_path = (folder / "other.sock").string();
  vici::Server other(io.get_executor(), {.path = other_path, .owner = {}, .group = {}});
  ASSERT_FALSE(other.start().has_value());
  EXPECT_EQ(ctl({"sessions", "--socket", other_path}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("knows no event 'list-session'"));
  on_server_thread([&] { other.stop(); });
}

TEST_F(Sluicectl, AWrongCommandLineIsExitCode2) {
  EXPECT_EQ(ctl({}), kUsage);
  EXPECT_EQ(ctl({"sesions"}), kUsage);
  EXPECT_THAT(error.str(), HasSubstr("did you mean 'sessions'?"));
  EXPECT_EQ(ctl({"sessions", "--no-such"}), kUsage);
  EXPECT_THAT(error.str(), HasSubstr("--no-such"));
  EXPECT_EQ(ctl({"sessions", "--socket", "tcp://localhost:1"}), kUsage);
  EXPECT_EQ(ctl({"sessions", "--timeout", "soon"}), kUsage);
  EXPECT_EQ(out.str(), "");
}

TEST_F(Sluicectl, HelpAndVersionAreNoErrors) {
  EXPECT_EQ(ctl({"--help"}), kOk);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("sessions"), HasSubstr("Exit codes")));
  EXPECT_EQ(ctl({"--version"}), kOk);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("sluicectl"), Not(HasSubstr("sessions"))));
  EXPECT_EQ(ctl({"sessions", "--help"}), kOk);
  EXPECT_THAT(out.str(), HasSubstr("--user"));
}

TEST_F(Sluicectl, OutputThatCannotBeWrittenIsAFailure) {
  out.setstate(std::ios::badbit);
  EXPECT_EQ(run_ctl({"sessions"}, {}, socket_path), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("could not be written"));
}

TEST_F(Sluicectl, StatsTellWhenTheCertificateEnds) {
  ASSERT_EQ(ctl({"stats"}), kOk) << error.str();
  EXPECT_THAT(out.str(), AllOf(HasSubstr("certificate.name"), HasSubstr("edge1"), HasSubstr("(in "),
                               HasSubstr("backends.up")));
  ASSERT_EQ(ctl({"stats", "--json"}), kOk);
  const auto stats = parsed();
  EXPECT_EQ(stats["schema"], "sluice.stats/1");
  EXPECT_EQ(stats["stats"]["certificate"]["expires_at"], 4102444800);
  EXPECT_TRUE(stats["stats"]["ready"].is_boolean());
  EXPECT_TRUE(stats["stats"]["backends"]["up"].is_number());
  ASSERT_EQ(ctl({"backends", "--json"}), kOk);
  EXPECT_EQ(parsed()["backends"][0]["certificate_expires"], 4102444800);
}

}  // namespace
}  // namespace sluice::ctl
