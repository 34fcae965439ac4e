#include "edge/ike/feed_server.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace sluice::edge::feed {
namespace {

using namespace std::chrono_literals;

struct Recorder final : FeedHandler {
  void feed_connected(const Hello& hello) override { boots.push_back(hello.boot); }
  void feed_lost() override { ++lost; }
  void feed_request(Body& request, Reply& reply) override {
    requests.push_back(request.index());
    reply.spi = Spi(0xc0ffee);
  }
  void feed_message(const Body& message) override { messages.push_back(message.index()); }
  std::vector<std::uint64_t> boots;
  unsigned lost = 0;
  std::vector<std::size_t> requests, messages;
};

struct FeedServerTest : testing::Test {
  FeedServerTest() {
    std::string name = "/tmp/sluice-feed-XXXXXX";
    dir = ::mkdtemp(name.data());
    server.emplace(io, FeedServer::Options{.socket = dir / "s", .uids = {}}, recorder);
    server->start();
  }
  ~FeedServerTest() override {
    server.reset();
    std::filesystem::remove_all(dir);
  }

  app::UniqueFd connect() const {
    app::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (dir / "s").native();
    std::copy(path.begin(), path.end(), address.sun_path);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  static void put(const app::UniqueFd& fd, Bytes packet) {
    EXPECT_EQ(::send(fd.get(), packet.data(), packet.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(packet.size()));
  }
  static void put(const app::UniqueFd& fd, const Frame& frame) { put(fd, serialize(frame).bytes()); }
  /// The next packet; empty when the server closed.
  ByteVector get(const app::UniqueFd& fd) {
    ByteVector out(SF_MAX_FRAME);
    ssize_t size = -1;
    EXPECT_TRUE(wait([&] { return (size = ::recv(fd.get(), out.data(), out.size(), MSG_DONTWAIT)) >= 0; }));
    out.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return out;
  }
  bool wait(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      io.restart();
      io.run_one_for(5ms);
    }
    return true;
  }
  std::uint64_t count(FeedCounter counter) const { return server->counters().read(counter); }

  std::filesystem::path dir;
  boost::asio::io_context io;
  Recorder recorder;
  std::optional<FeedServer> server;
};

const SaRef kRef{*Endpoint::parse("198.51.100.9:4500"), *Endpoint::parse("203.0.113.1:4500"), Spi(5), 50,
                 true};

TEST_F(FeedServerTest, AnswersHelloAndRequests) {
  const auto fd = connect();
  put(fd, {0, Hello{77, 1}});
  const auto welcome_packet = get(fd);
  const auto welcome = parse(welcome_packet);
  ASSERT_TRUE(welcome);
  ASSERT_TRUE(std::holds_alternative<Welcome>(welcome->body));
  EXPECT_NE(std::get<Welcome>(welcome->body).boot, 0u);
  EXPECT_EQ(recorder.boots, (std::vector<std::uint64_t>{77}));
  put(fd, {9, DelSa{kRef}});
  const auto reply_packet = get(fd);
  const auto reply = parse(reply_packet);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->id, 9u);
  EXPECT_EQ(std::get<Reply>(reply->body).spi, Spi(0xc0ffee));
}

TEST_F(FeedServerTest, NothingIsDoneBeforeHello) {
  const auto fd = connect();
  put(fd, {9, DelSa{kRef}});
  put(fd, {0, Adopted{1, 2}});
  ASSERT_TRUE(wait([&] { return count(FeedCounter::kUnexpectedFrame) == 2; }));
  EXPECT_TRUE(recorder.requests.empty());
  EXPECT_TRUE(recorder.messages.empty());
}

TEST_F(FeedServerTest, FramesOfTheEdgesOwnAreNotTaken) {
  const auto fd = connect();
  put(fd, {0, Hello{77, 1}});
  put(fd, {0, Expire{kRef.destination, Spi(5), 50, true}});
  ASSERT_TRUE(wait([&] { return count(FeedCounter::kUnexpectedFrame) == 1; }));
  EXPECT_TRUE(server->connected());
}

TEST_F(FeedServerTest, WhatIsNoFrameEndsTheConnection) {
  for (const ByteVector& packet : {ByteVector{1}, ByteVector(300, 0xff), ByteVector(SF_MAX_FRAME + 1, 1)}) {
    const auto fd = connect();
    put(fd, {0, Hello{77, 1}});
    get(fd);
    put(fd, packet);
    EXPECT_TRUE(get(fd).empty());
  }
  EXPECT_EQ(count(FeedCounter::kBadFrame), 3u);
  EXPECT_EQ(recorder.lost, 3u);
  EXPECT_FALSE(server->connected());
}

TEST_F(FeedServerTest, TheNewestPluginCounts) {
  const auto first = connect();
  put(first, {0, Hello{1, 1}});
  get(first);
  const auto second = connect();
  put(second, {0, Hello{2, 1}});
  get(second);
  EXPECT_TRUE(get(first).empty());
  EXPECT_EQ(recorder.boots, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(recorder.lost, 1u);
}

TEST_F(FeedServerTest, SlowPluginLosesFramesNotTheEdgeItsTime) {
  const auto fd = connect();
  put(fd, {0, Hello{77, 1}});
  get(fd);
  const ByteVector datagram(60000, 1);
  IkeIn frame;
  frame.source = kRef.source;
  frame.destination = kRef.destination;
  frame.datagram = datagram;
  unsigned sent = 0;
  while (server->send({0, frame}) && sent < 10000) ++sent;
  EXPECT_GT(sent, 0u);
  EXPECT_LT(sent, 10000u);
  EXPECT_EQ(count(FeedCounter::kDroppedFull), 1u);
}

TEST_F(FeedServerTest, WithoutPluginFramesAreCounted) {
  EXPECT_FALSE(server->send({0, Expire{kRef.destination, Spi(5), 50, true}}));
  EXPECT_EQ(count(FeedCounter::kDroppedNoPlugin), 1u);
}

TEST_F(FeedServerTest, OtherAccountsAreRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  std::filesystem::permissions(dir, std::filesystem::perms(0755));
  std::filesystem::permissions(dir / "s", std::filesystem::perms(0777));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    const auto fd = connect();
    std::uint8_t byte = 0;
    ::_exit(::recv(fd.get(), &byte, 1, 0) == 0 ? 0 : 1);  // closed on us
  }
  EXPECT_TRUE(wait([&] { return count(FeedCounter::kRefusedPeer) == 1; }));
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(recorder.boots.empty());
}

TEST_F(FeedServerTest, TheSocketIsNobodyElses) {
  const auto mode = std::filesystem::status(dir / "s").permissions();
  EXPECT_EQ(mode & std::filesystem::perms(0777), std::filesystem::perms(0600));
  server->stop();
  EXPECT_FALSE(std::filesystem::exists(dir / "s"));
}

}  // namespace
}  // namespace sluice::edge::feed
