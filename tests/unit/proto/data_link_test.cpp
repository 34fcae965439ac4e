// The data carrier "tls" beside the control stream, over real TLS on loopback.
#include <algorithm>
#include <set>

#include "proto/transport/data_dialer.hpp"
#include "proto/transport/frame_exchange.hpp"
#include "tests/unit/proto/channel_ends.hpp"

namespace sluice::transport {
namespace {

using namespace ends;

ByteVector record(std::size_t size, std::uint8_t fill) {
  ByteVector out(channel::kRecordHeader + size, fill);
  store_be16(out.data(), static_cast<std::uint16_t>(size));
  return out;
}

class DataLinkTest : public ChannelTest {
 protected:
  void connect_with(channel::CarrierMode edge, channel::CarrierMode agent) {
    listen(0, [edge](auto& config) {
      config.control.carrier = edge;
      config.tls_handshake_timeout = milliseconds(400);
    });
    dialer_ = dialer(agent_, "agent1", [agent](auto& config) { config.control.hello.carrier = agent; });
    dialer_->start();
    ASSERT_TRUE(until([&] { return edge_.up != nullptr && dialer_->up(); }));
  }
  void link() {
    connect_with(channel::CarrierMode::kAuto, channel::CarrierMode::kAuto);
    dialer_->want_data_link(true);
    ASSERT_TRUE(until([&] { return !edge_.links.empty() && !agent_.links.empty(); }));
    ASSERT_EQ(edge_.links.front(), "up");
    ASSERT_EQ(agent_.links.front(), "up");
  }
  /// Whoever has a certificate and dials for data.
  std::shared_ptr<DataDialer> stranger(const std::string& name, channel::StreamToken token,
                                       std::vector<std::string>& heard) {
    return DataDialer::start(
        io_.get_executor(),
        {.remote = {net::ip::address_v4::loopback(), listener_->local().port},
         .identity = pki_.identity(name, Role::kAgent),
         .edge_name = "edge1",
         .token = token},
        {.frames = [](Bytes) {},
         .changed = [&heard](bool up, const std::string& cause) { heard.push_back(up ? "up" : cause); }});
  }
};

TEST_F(DataLinkTest, FramesGoBothWaysAndControlGoesOn) {
  link();
  ByteVector up, down;
  for (int i = 0; i < 300; ++i) {
    const auto size = static_cast<std::size_t>(40 + i);
    const auto a = record(size, 1), b = record(size, 2);
    ASSERT_TRUE(dialer_->send_frames(a, 1));
    ASSERT_TRUE(edge_.up->send_frames(b, 1));
    up.insert(up.end(), a.begin(), a.end());
    down.insert(down.end(), b.begin(), b.end());
  }
  EXPECT_TRUE(edge_.up->open_tunnel(open(1)));
  ASSERT_TRUE(until([&] { return edge_.frames.size() >= up.size() && agent_.frames.size() >= down.size(); }));
  EXPECT_EQ(edge_.frames, up);
  EXPECT_EQ(agent_.frames, down);
  ASSERT_TRUE(until([&] { return !edge_.got<channel::SessionUp>().empty(); }));
}

TEST_F(DataLinkTest, GoesWhenItIsNotWantedAndComesAgain) {
  link();
  dialer_->want_data_link(false);
  ASSERT_TRUE(until([&] { return edge_.links.size() == 2; }));
  EXPECT_FALSE(dialer_->send_frames(record(50, 1), 1));
  EXPECT_FALSE(edge_.up->send_frames(record(50, 1), 1));
  dialer_->want_data_link(true);
  ASSERT_TRUE(until([&] { return edge_.links.size() == 3; }));
  EXPECT_TRUE(edge_.up->send_frames(record(50, 1), 1));
}

TEST_F(DataLinkTest, GoesWithItsChannel) {
  link();
  edge_.up->close("come again");
  ASSERT_TRUE(until([&] { return edge_.ups == 2 && dialer_->up(); }));
  EXPECT_FALSE(dialer_->send_frames(record(50, 1), 1)) << "a new channel has a link of its own";
  dialer_->stop("done");
  listener_->stop("done");
  io_.restart();
  io_.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(io_.stopped()) << "no coroutine or timer is left";
}

TEST_F(DataLinkTest, AnAgentThatReadsNothingIsSentAWindowAndNoMore) {
  link();
  // Its loop does not run meanwhile.
  const auto frame = record(1400, 3);
  std::size_t taken = 0;
  for (int i = 0; i < 5000; ++i) taken += edge_.up->send_frames(frame, 1) ? 1 : 0;
  EXPECT_EQ(taken, channel::DataStream::kWindow / frame.size());
  EXPECT_TRUE(edge_.up->open_tunnel(open(1)));
  ASSERT_TRUE(until([&] { return !edge_.got<channel::SessionUp>().empty(); }));
  ASSERT_TRUE(until([&] { return agent_.frames.size() == taken * frame.size(); }));
  EXPECT_TRUE(until([&] { return edge_.up->send_frames(frame, 1); })) << "credit came back";
}

TEST_F(DataLinkTest, AWrongTokenAndAnothersTokenAreTurnedAway) {
  link();
  std::vector<std::string> heard;
  const auto guess = stranger("agent2", channel::StreamToken{}, heard);
  ASSERT_TRUE(until([&] { return heard.size() >= 2 && !edge_.failures.empty(); }));
  guess->stop();
  EXPECT_EQ(edge_.failures.front(), "agent2|data carrier: it is for no channel of this agent");
  EXPECT_EQ(edge_.links.size(), 1U) << "the true link was not touched";
  EXPECT_TRUE(edge_.up->send_frames(record(50, 1), 1));
}

TEST_F(DataLinkTest, WhereBothAgreedOnUdpThereIsNone) {
  connect_with(channel::CarrierMode::kUdp, channel::CarrierMode::kAuto);
  EXPECT_EQ(agent_.ready.edge.carrier, channel::CarrierMode::kUdp);
  dialer_->want_data_link(true);
  io_.restart();
  io_.run_for(milliseconds(100));
  EXPECT_TRUE(agent_.links.empty());
}

TEST(FrameExchange, BatchesCrossAndAFullQueueDropsAndCounts) {
  FrameExchange exchange;
  const ByteVector packet(1000, 9);
  EXPECT_FALSE(exchange.flush()) << "nobody is woken for nothing";
  for (int i = 0; i < 10; ++i) exchange.put(7, packet);
  exchange.put(8, packet);
  EXPECT_TRUE(exchange.flush());
  const auto first = exchange.next(), second = exchange.next();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->peer, 7U);
  EXPECT_EQ(first->frames, 10U);
  EXPECT_EQ(second->peer, 8U);
  EXPECT_FALSE(exchange.next());

  for (int i = 0; i < 100'000; ++i) exchange.put(7, packet);
  exchange.flush();
  std::size_t bytes = 0, frames = 0;
  while (const auto batch = exchange.next()) {
    bytes += batch->records.size();
    frames += batch->frames;
  }
  EXPECT_EQ(frames + exchange.dropped_out(), 100'000U);
  EXPECT_LE(bytes, 64U * (64 * 1024 + 1002));

  std::size_t given = 0;
  for (int i = 0; i < 1000; ++i) given += exchange.give(first->records) ? 10 : 0;
  EXPECT_EQ(given + exchange.dropped_in(), 10'000U);
  std::size_t got = 0;
  exchange.receive([&](std::span<RxPacket> burst) {
    for (auto& rx : burst) {
      EXPECT_TRUE(equal(rx.packet.bytes(), packet));
      EXPECT_GE(rx.packet.headroom(), kHeadRoom);
      EXPECT_GE(rx.packet.tailroom(), kTailRoom);
    }
    got += burst.size();
  });
  EXPECT_EQ(got, given);
}

}  // namespace
}  // namespace sluice::transport
