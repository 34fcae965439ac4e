#include "base/metrics/metrics_server.hpp"

#include <gmock/gmock.h>

#include "base/metrics/common_catalogue.hpp"
#include "tests/unit/metrics/served.hpp"

namespace sluice::metrics {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class MetricsServerTest : public testing::Test {
 protected:
  void SetUp() override {
    server = loop.run([this] {
      return std::move(MetricsServer::open({.io = loop.io,
                                            .now = [this] { return now; },
                                            .collect =
                                                [this](Page& page) {
                                                  ++collected;
                                                  page.add(common("sluice_workers"), 2);
                                                },
                                            .unready = [this] { return unready; }},
                                           kAnyPort))
          .value();
    });
    port = loop.run([this] { return server->listener().local().port; });
  }
  void TearDown() override {
    loop.run([this] { server.reset(); });
  }
  std::string asked(const std::string& path) {
    auto socket = connect_to(client, port);
    return ask(socket, get(path));
  }

  void set_unready(const std::string& why) {
    loop.run([&] { unready = why; });
  }
  int pages_made() {
    return loop.run([this] { return collected; });
  }

  // The loop's thread's.
  std::optional<std::string> unready;
  Instant now{};
  int collected = 0;
  Loop loop;
  boost::asio::io_context client;
  std::unique_ptr<MetricsServer> server;
  std::uint16_t port = 0;
};

TEST_F(MetricsServerTest, ServesThePageInPrometheusFormat) {
  const auto answer = asked("/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("\nsluice_workers 2\n"));
  EXPECT_THAT(answer, HasSubstr("\nsluice_ready 1\n"));
  EXPECT_THAT(answer, HasSubstr("\nsluice_http_requests_total{result=\"answered\"} 0\n"));
}

TEST_F(MetricsServerTest, MakesAPageNoMoreOftenThanItMay) {
  for (int i = 0; i < 10; ++i) asked("/metrics");
  EXPECT_EQ(1, pages_made());
  loop.run([this] { now += kPageLife; });
  EXPECT_THAT(asked("/metrics"), HasSubstr("{result=\"answered\"} 10\n"));
  EXPECT_EQ(2, pages_made());
}

TEST_F(MetricsServerTest, IsHealthyWhetherReadyOrNot) {
  set_unready("starting");
  EXPECT_THAT(asked("/healthz"), EndsWith("\r\n\r\nok\n"));
}

TEST_F(MetricsServerTest, SaysWhyItIsNotReady) {
  EXPECT_THAT(asked("/readyz"), EndsWith("\r\n\r\nready\n"));
  set_unready("no agent takes tunnels");
  const auto answer = asked("/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nnot ready: no agent takes tunnels\n"));
  EXPECT_THAT(asked("/metrics"), HasSubstr("\nsluice_ready 0\n"));
}

TEST_F(MetricsServerTest, KnowsNoOtherPath) {
  for (const auto* path : {"/", "/metrics/", "/debug", "//metrics", "/metrics%00"})
    EXPECT_THAT(asked(path), HasSubstr(" 404 Not Found\r\n")) << path;
}

}  // namespace
}  // namespace sluice::metrics
