#include "base/http/http_listener.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <thread>

#include "tests/unit/metrics/served.hpp"

namespace sluice::http {
namespace {

using metrics::ask;
using metrics::connect_to;
using metrics::get;
using metrics::hear;
using metrics::kAnyPort;
using metrics::Loop;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::optional<HttpAnswer> echo_path(std::string_view path) {
  if (path == "/none") return std::nullopt;
  return HttpAnswer{200, std::string(path)};
}

class HttpListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    listener.emplace(
        loop.run([this] { return std::move(HttpListener::open(loop.io, kAnyPort, echo_path)).value(); }));
    port = loop.run([this] { return listener->local().port; });
  }
  void TearDown() override {
    loop.run([this] { listener.reset(); });
  }
  std::string says(const std::string& text) {
    auto socket = connect_to(client, port);
    return ask(socket, text);
  }
  std::uint64_t count(HttpCount what) { return listener->counts().read(what); }

  Loop loop;
  boost::asio::io_context client;
  std::optional<HttpListener> listener;
  std::uint16_t port = 0;
};

TEST_F(HttpListenerTest, AnswersGetAndCloses) {
  const auto answer = says(get("/metrics"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n/metrics"));
  EXPECT_EQ(1U, count(HttpCount::kAnswered));
}

TEST_F(HttpListenerTest, LeavesTheQueryAway) {
  EXPECT_THAT(says(get("/metrics?name[]=x")), EndsWith("\r\n\r\n/metrics"));
}

TEST_F(HttpListenerTest, AnswersHttp10) {
  EXPECT_THAT(says("GET /x HTTP/1.0\r\n\r\n"), HasSubstr(" 200 OK\r\n"));
}

TEST_F(HttpListenerTest, TellsWhatIsNotThere) {
  EXPECT_THAT(says(get("/none")), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_EQ(1U, count(HttpCount::kNotFound));
}

TEST_F(HttpListenerTest, TakesNoOtherMethod) {
  for (const auto* method : {"POST", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
    const auto answer = says(std::string(method) + " /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET\r\n")) << method;
  }
  EXPECT_EQ(5U, count(HttpCount::kNotAllowed));
}

TEST_F(HttpListenerTest, RefusesWhatIsNotHttp) {
  EXPECT_THAT(says("\x16\x03\x01 hello\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(says("GET\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(says("GET / HTTP/9.9\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(3U, count(HttpCount::kBadRequest));
}

TEST_F(HttpListenerTest, RefusesAHeaderThatIsTooLarge) {
  says("GET / HTTP/1.1\r\nX: " + std::string(2 * kMaxHeader, 'x') + "\r\n\r\n");
  EXPECT_EQ(1U, count(HttpCount::kBadRequest));
}

TEST_F(HttpListenerTest, SurvivesEveryCutOfARequest) {
  const auto whole = get("/metrics");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    auto socket = connect_to(client, port);
    boost::asio::write(socket, boost::asio::buffer(whole.substr(0, size)));
    socket.shutdown(boost::asio::socket_base::shutdown_send);
    hear(socket);
  }
  EXPECT_THAT(says(whole), EndsWith("/metrics"));
  EXPECT_EQ(1U, count(HttpCount::kAnswered));
}

TEST_F(HttpListenerTest, SurvivesEveryFlippedBitOfARequest) {
  const auto whole = get("/m");
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    auto socket = connect_to(client, port);
    boost::asio::write(socket, boost::asio::buffer(flipped));
    socket.shutdown(boost::asio::socket_base::shutdown_send);
    hear(socket);
  }
  EXPECT_THAT(says(whole), EndsWith("/m"));
}

TEST_F(HttpListenerTest, TakesNoMoreConnectionsThanItMay) {
  std::vector<boost::asio::ip::tcp::socket> idle;
  for (std::size_t i = 0; i < kMaxConnections; ++i) idle.push_back(connect_to(client, port));
  EXPECT_EQ("", says(get("/x")));
  EXPECT_EQ(1U, count(HttpCount::kTooMany));
  idle.pop_back();
  // The listener sees the end of one before the beginning of the next, or not: it sees it soon.
  std::string answer;
  for (int tries = 0; tries < 1000 && answer.empty(); ++tries) answer = says(get("/x"));
  EXPECT_THAT(answer, HasSubstr(" 200 OK"));
}

TEST_F(HttpListenerTest, ClosesWhoIsTooSlow) {
  auto socket = connect_to(client, port);
  const auto begun = std::chrono::steady_clock::now();
  boost::asio::write(socket, boost::asio::buffer(std::string("GET / HT")));
  EXPECT_EQ("", hear(socket));
  const auto took = std::chrono::steady_clock::now() - begun;
  EXPECT_GE(took, kPatience - std::chrono::milliseconds(100));
  EXPECT_LE(took, kPatience + std::chrono::seconds(5));
  // The socket is closed first, and what counts it runs after.
  while (loop.run([this] { return listener->connections(); }) != 0) std::this_thread::yield();
  EXPECT_EQ(1U, count(HttpCount::kTimeout));
}

TEST_F(HttpListenerTest, StopsWithConnectionsOpen) {
  auto socket = connect_to(client, port);
  loop.run([this] { listener->stop(); });
  EXPECT_EQ("", hear(socket));
  EXPECT_THROW(connect_to(client, port), boost::system::system_error);
}

TEST_F(HttpListenerTest, NamesAnAddressThatIsTaken) {
  const auto again = loop.run([this] {
    return HttpListener::open(loop.io, Endpoint{*IpAddress::parse("127.0.0.1"), port}, echo_path);
  });
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error(), HasSubstr("127.0.0.1:" + std::to_string(port)));
}

TEST(UnixHttpListener, AnswersAndRemovesItsFile) {
  const auto folder = std::filesystem::temp_directory_path() / ("http_test." + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "metrics.sock";
  Loop loop;
  auto listener = loop.run([&] { return HttpListener::open(loop.io, path, echo_path); });
  ASSERT_TRUE(listener) << listener.error();
  EXPECT_EQ(std::filesystem::perms(0660), std::filesystem::status(path).permissions());
  boost::asio::io_context client;
  boost::asio::local::stream_protocol::socket socket(client);
  socket.connect({path});
  EXPECT_THAT(ask(socket, get("/readyz")), EndsWith("/readyz"));
  loop.run([&] { listener->stop(); });
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
}

TEST(ListenAt, ReadsAddressesAndPathsAndNothingElse) {
  EXPECT_TRUE(std::holds_alternative<std::monostate>(parse_listen_at("").value()));
  EXPECT_EQ("127.0.0.1:9464", to_string(parse_listen_at("127.0.0.1:9464").value()));
  EXPECT_EQ("[::1]:9464", to_string(parse_listen_at("[::1]:9464").value()));
  EXPECT_EQ("/run/x.sock", to_string(parse_listen_at("/run/x.sock").value()));
  for (const auto* bad :
       {"9464", "127.0.0.1", "127.0.0.1:0", "localhost:9464", "run/x.sock", "127.0.0.1:99999"})
    EXPECT_FALSE(parse_listen_at(bad)) << bad;
}

TEST(ListenAt, KnowsWhatOthersReach) {
  EXPECT_TRUE(is_local(*parse_listen_at("127.0.0.1:1")));
  EXPECT_TRUE(is_local(*parse_listen_at("[::1]:1")));
  EXPECT_TRUE(is_local(*parse_listen_at("/run/x")));
  EXPECT_FALSE(is_local(*parse_listen_at("0.0.0.0:1")));
  EXPECT_FALSE(is_local(*parse_listen_at("10.0.0.1:1")));
  EXPECT_FALSE(is_local(*parse_listen_at("[2001:db8::1]:1")));
}

}  // namespace
}  // namespace sluice::http
