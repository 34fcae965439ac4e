#include "edge/probe/ike_probe.hpp"

#include <gtest/gtest.h>

#include "edge/dataplane/ike_view.hpp"
#include "tests/unit/edge_probe/ike_answers.hpp"
#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::udp;

/// Someone on loopback whom the probe takes for the edge.
struct IkeProbing : ::testing::Test {
  IkeProbing() : socket(io, udp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    const Endpoint target{*IpAddress::parse("127.0.0.1"), socket.local_endpoint().port()};
    probe.emplace(io, IkeProbeContext{.random = random,
                                      .now = [this] { return now; },
                                      .unix_seconds = [] { return std::int64_t{1'700'000'000}; },
                                      .changed = [this](const IkeProbeReport& r) { changes.push_back(r); },
                                      .targets = {target},
                                      .interval = 30s});
  }
  /// The next request.
  ByteVector asked() {
    ByteVector buffer(2048);
    buffer.resize(socket.receive_from(asio::buffer(buffer), from));
    return buffer;
  }
  void answer(Bytes datagram) {
    socket.send_to(asio::buffer(datagram.data(), datagram.size()), from);
    io.restart();
    io.run_one();
  }

  asio::io_context io;
  SeededRandom random;
  Instant now{1h};
  udp::socket socket;
  udp::endpoint from;
  std::vector<IkeProbeReport> changes;
  std::optional<IkeProbe> probe;
};

TEST_F(IkeProbing, AnyAnswerToItsHandshakeIsHealth) {
  int done = 0;
  probe->probe([&](const IkeProbeReport& report) {
    ++done;
    EXPECT_EQ(report.health, IkeHealth::kAnswers);
    EXPECT_EQ(report.text, "IKE_SA_INIT was answered with notification 14");
  });
  const auto request = asked();
  EXPECT_TRUE(probe->is_ours({*IpAddress::parse("127.0.0.1"), from.port()}));
  answer(notify_answer(load_be64(request.data()) + 2, 14, {}));
  EXPECT_EQ(done, 0) << "not its handshake";
  answer(notify_answer(load_be64(request.data()), 14, {}));
  EXPECT_EQ(done, 1);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(probe->latest().checked_at, 1'700'000'000);
}

TEST_F(IkeProbing, RepeatsItsRequestWithTheCookieItIsGiven) {
  probe->probe();
  const auto first = asked();
  answer(notify_answer(load_be64(first.data()), 16390, as_bytes("cookiecookie")));
  const auto second = asked();
  EXPECT_EQ(load_be64(second.data()), load_be64(first.data()));
  EXPECT_NE(view_ike(second)->cookie, 0U);
  EXPECT_EQ(probe->latest().health, IkeHealth::kUnknown);
}

TEST_F(IkeProbing, SilenceIsNoticedAfterResendsAndSoIsTheReturn) {
  probe->tick();
  const auto first = asked();
  now += 600ms;
  probe->tick();
  EXPECT_TRUE(equal(asked(), first)) << "a resend is the same message";
  now += 3s;
  probe->tick();
  EXPECT_EQ(probe->latest().health, IkeHealth::kSilent);
  now += 29s;
  probe->tick();
  EXPECT_EQ(socket.available(), 0U) << "not due yet";
  now += 2s;
  probe->tick();
  answer(notify_answer(load_be64(asked().data()), 14, {}));
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[1].health, IkeHealth::kAnswers);
}

TEST_F(IkeProbing, AShorterIntervalCountsAtOnce) {
  probe->probe();
  const auto first = asked();
  answer(notify_answer(load_be64(first.data()), 14, {}));
  probe->set_interval(5s);
  now += 4s;
  probe->tick();
  EXPECT_EQ(socket.available(), 0U) << "not due yet";
  now += 1s;
  probe->tick();
  EXPECT_FALSE(equal(asked(), first));
}

TEST_F(IkeProbing, TwoWhoAskAtOnceShareOneProbe) {
  int done = 0;
  probe->probe([&](const IkeProbeReport&) { ++done; });
  probe->probe([&](const IkeProbeReport&) { ++done; });
  answer(notify_answer(load_be64(asked().data()), 14, {}));
  EXPECT_EQ(done, 2);
  EXPECT_EQ(socket.available(), 0U);
}

TEST_F(IkeProbing, AStoppedProbeCallsNobody) {
  probe->probe([](const IkeProbeReport&) { FAIL(); });
  asked();
  probe->stop();
  io.restart();
  io.run();
  now += 1h;
  probe->tick();
  EXPECT_TRUE(changes.empty());
}

}  // namespace
}  // namespace sluice::edge::testing
