#include "edge/admin/operations_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/edge_admin/fake_state.hpp"
#include "tests/unit/vici/io_bench.hpp"
#include "vici/client.hpp"

namespace sluice::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using vici::Message;

class Operations : public vici::IoBench {
 protected:
  void SetUp() override {
    const auto error = server.start();
    ASSERT_FALSE(error.has_value()) << error->text;
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

  FakeState state;
  OperationsServer server{io.get_executor(), {.path = socket_path, .owner = {}, .group = {}}, state};
  vici::Client client{io.get_executor(), socket_path};
  Message last;
};

TEST_F(Operations, JoinsASessionFromIkeToPpp) {
  const auto all = rows("list-sessions", "list-session");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(last.to_text(), "success = yes\ncount = 2\n");
  EXPECT_EQ(all[0].to_text(), R"(correlation = c-1
stage = up
up-since = 1700000000
client-host = 198.51.100.7
client-port = 40001
edge-host = 203.0.113.1
edge-port = 4500
nat = yes
ike {
  peer = 7
  peer-id = evil\x1b[2J\x0a\x22\x5c\xff id
  uniqueid = 3
  version = 1
  proposal = AES_CBC-256/HMAC_SHA1_96/MODP_2048
}
child {
  spi-in = c0ffee01
  spi-out = 0000beef
  cipher = AES_CBC-256/HMAC_SHA1_96
}
l2tp {
  client-tunnel = 11
  agent-tunnel = 22
  client-session = 33
  agent-session = 44
  relay = 5
  worker = 1
}
ppp {
  agent = agent1
  user = alice
  auth = mschapv2
  assigned-ip = 10.99.0.2
}
traffic {
  packets-in = 100
  bytes-in = 12345678
  packets-out = 200
  bytes-out = 9876543210
}
)");
  EXPECT_EQ(all[1].get("stage"), "tunnel");
  EXPECT_EQ(all[1].section("ppp")->value("assigned-ip"), std::nullopt);
}

TEST_F(Operations, FiltersByEveryDocumentedArgument) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"user", "alice"},
                                                        {"agent", "agent1"},
                                                        {"peer", "7"},
                                                        {"client", "198.51.100.7"},
                                                        {"correlation", "c-1"}}) {
    EXPECT_EQ(rows("list-sessions", "list-session", Message().add(name, std::string_view(value))).size(), 1u)
        << name;
    EXPECT_EQ(rows("list-sessions", "list-session", Message().add(name, "other")).size(), 0u) << name;
  }
  EXPECT_EQ(rows("list-backends", "list-backend", Message().add("name", "agent2")).size(), 1u);
  EXPECT_EQ(rows("list-peers", "list-peer", Message().add("id", "7")).size(), 1u);
  EXPECT_EQ(rows("list-peers", "list-peer", Message().add("identity", kHostileIdentity)).size(), 1u);
  EXPECT_EQ(rows("list-peers", "list-peer", Message().add("remote", "192.0.2.1")).size(), 0u);
  EXPECT_EQ(rows("list-peers", "list-peer", Message().add("correlation", "c-9")).size(), 0u);
  EXPECT_EQ(rows("list-drops", "list-drop", Message().add("stage", "esp")).size(), 2u);
}

TEST_F(Operations, RefusesAMisspeltFilter) {
  EXPECT_TRUE(rows("list-sessions", "list-session", Message().add("usr", "alice")).empty());
  EXPECT_EQ(last.flag("success"), false);
  EXPECT_EQ(last.get("errmsg"),
            "unknown argument 'usr'; known: correlation, user, agent, peer, client, realm");
}

TEST_F(Operations, ShowsBackendsPeersAndDrops) {
  const auto backends = rows("list-backends", "list-backend");
  ASSERT_EQ(backends.size(), 2u);
  EXPECT_EQ(backends[0].get("state"), "up");
  EXPECT_EQ(backends[0].number("rtt-us"), 830u);
  EXPECT_EQ(backends[0].get("agent-host"), "10.0.0.11");
  EXPECT_EQ(backends[1].get("state"), "down");
  EXPECT_EQ(backends[1].value("agent-host"), std::nullopt);
  const auto peers = rows("list-peers", "list-peer");
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_EQ(peers[0].get("identity"), kHostileIdentity);
  ASSERT_EQ(peers[0].section("sas")->entries().size(), 2u);
  const auto* second = peers[0].section("sas")->section("2");
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->get("spi-in"), "c0ffee03");
  EXPECT_EQ(second->section("drops")->number("unauthentic"), 5u);
  EXPECT_EQ(rows("list-drops", "list-drop").size(), 3u);
}

TEST_F(Operations, APeerWithCountlessSasAndALongIdentityStillFits) {
  auto& peer = state.peer_rows[0];
  peer.identity = std::string(200'000, 'x');
  peer.sas.resize(5000, peer.sas[0]);
  peer.sas.back().spi_in = Spi(0x11223344);
  const auto peers = rows("list-peers", "list-peer");
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_EQ(peers[0].number("sa-count"), 5000u);
  EXPECT_EQ(peers[0].section("sas")->section("5000")->get("spi-in"), "11223344");
}

TEST_F(Operations, SaysWhenSomethingIsMissing) {
  state.missing = "worker 1 did not answer";
  rows("list-sessions", "list-session");
  EXPECT_EQ(last.get("partial"), "worker 1 did not answer");
}

TEST_F(Operations, TellsVersionAndStats) {
  const auto version = run(client.request("version"));
  ASSERT_TRUE(version.ok());
  EXPECT_EQ(version.value().get("daemon"), "sluice-edge");
  EXPECT_EQ(version.value().get("ike-provider"), "charon 5.9.8");
  EXPECT_EQ(version.value().get("sysname"), "Linux");
  const auto stats = run(client.request("stats"));
  ASSERT_TRUE(stats.ok());
  EXPECT_GT(stats.value().section("uptime")->number("running-seconds").value(), 0u);
  EXPECT_EQ(stats.value().section("backends")->get("total"), "2");
  EXPECT_EQ(stats.value().flag("ike-ready"), true);
}

TEST_F(Operations, AnswersAProbeOnceItIsOver) {
  OperationsServer::ProbeReply later;
  server.on_probe([&](const std::string& name, OperationsServer::ProbeReply reply) {
    EXPECT_EQ(name, "agent1");
    later = std::move(reply);
    boost::asio::post(io, [&later] {
      later({"agent1", L2tpState::kSpeaks, "", std::chrono::milliseconds(7)});
    });
  });
  Message arguments;
  arguments.add("name", "agent1");
  const auto answer = run(client.request("probe-backend", arguments));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->to_text(), "success = yes\nname = agent1\nl2tp = speaks\ntook-ms = 7\n");
  const auto nameless = run(client.request("probe-backend", {}));
  EXPECT_EQ(nameless->get("success"), "no");
  EXPECT_THAT(std::string(nameless->get("errmsg")), HasSubstr("'name' is missing"));
  Message misspelt;
  misspelt.add("nmae", "agent1");
  EXPECT_EQ(run(client.request("probe-backend", misspelt))->get("success"), "no");
}

TEST_F(Operations, AnswersAnIkeProbeOnceItIsOver) {
  bool answers = true;
  server.on_probe_ike([&](const OperationsServer::IkeProbeReply& reply) {
    if (answers)
      return reply({"answers", "IKE_SA_INIT was accepted", std::chrono::milliseconds(3), 1700000000});
    reply({"silent", "IKE_SA_INIT was not answered", std::chrono::milliseconds(3000), 1700000000});
  });
  EXPECT_EQ(
      run(client.request("probe-ike", {}))->to_text(),
      "success = yes\nike = answers\ntext = IKE_SA_INIT was accepted\ntook-ms = 3\nchecked = 1700000000\n");
  answers = false;
  const auto silent = run(client.request("probe-ike", {}));
  EXPECT_EQ(silent->get("success"), "no");
  EXPECT_EQ(silent->get("errmsg"), "IKE_SA_INIT was not answered");
  Message misplaced;
  misplaced.add("name", "agent1");
  EXPECT_THAT(std::string(run(client.request("probe-ike", misplaced))->get("errmsg")),
              HasSubstr("unknown argument"));
}

TEST_F(Operations, RaisesItsEvents) {
  std::vector<std::string> seen;
  client.on_event([&](const std::string& name, const Message& m) {
    seen.push_back(name + " " + std::string(m.get("up", m.get("level"))) + " " +
                   std::string(m.get("cause", m.get("correlation"))));
  });
  ASSERT_FALSE(run(client.subscribe({"session-updown", "backend-updown", "notice"})).has_value());
  server.session_up(state.session_rows[0]);
  server.session_down(state.session_rows[0], "user-request", "the client hung up");
  server.backend_up(state.backend_rows[0]);
  server.backend_down(state.backend_rows[0], "report-timeout");
  server.notice({NoticeLevel::kWarning, "ike", "c-1", "wrong pre-shared key"});
  run_until([&] { return seen.size() == 5; });
  EXPECT_THAT(seen,
              ElementsAre("session-updown yes ", "session-updown no user-request", "backend-updown yes ",
                          "backend-updown no report-timeout", "notice warning c-1"));
}

TEST_F(Operations, StreamsTensOfThousandsOfSessions) {
  state.session_rows.resize(30'000, state.session_rows[0]);
  EXPECT_EQ(rows("list-sessions", "list-session").size(), 30'000u);
  EXPECT_EQ(server.server().read(vici::ServerCounter::kSlowReaders), 0u);
}

}  // namespace
}  // namespace sluice::edge
