#include <gtest/gtest.h>

#include <set>

#include "base/text.hpp"
#include "esp/engine.hpp"
#include "proto/channel/data_frame.hpp"
#include "proto/channel/data_keys.hpp"
#include "proto/channel/spi_source.hpp"
#include "tests/unit/proto/seeded_random.hpp"

namespace sluice::channel {
namespace {

TEST(DataFrame, GivesRelayAndPacketInPlace) {
  ByteVector payload{0, 0, 1, 2, 0xc8, 0x02, 0, 12, 0, 1, 0, 0};
  const auto frame = parse_data_frame(kNextHeaderRelay, payload);
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame.value().relay, RelayId(0x102));
  EXPECT_EQ(frame.value().l2tp.data(), payload.data() + kRelayHeader);
  EXPECT_EQ(frame.value().l2tp.size(), payload.size() - kRelayHeader);
  put_relay_header(payload.data(), RelayId(0xa0b0c0d0));
  EXPECT_EQ(parse_data_frame(kNextHeaderRelay, payload).value().relay, RelayId(0xa0b0c0d0));
}

TEST(DataFrame, RefusesByReason) {
  ByteVector payload(kRelayHeader + kMinL2tp, 1);
  EXPECT_EQ(parse_data_frame(4, payload).error(), DataFrameError::kNextHeader);
  for (std::size_t cut = 0; cut < payload.size(); ++cut) {
    EXPECT_EQ(parse_data_frame(kNextHeaderRelay, MutableBytes(payload).first(cut)).error(),
              DataFrameError::kTooShort);
  }
  put_relay_header(payload.data(), RelayId());
  EXPECT_EQ(parse_data_frame(kNextHeaderRelay, payload).error(), DataFrameError::kBadHello);
  const auto dummy = parse_data_frame(kNextHeaderKeepalive, {}).value();
  EXPECT_TRUE(!dummy.relay && !dummy.is_hello);
}

TEST(DataFrame, GivesAHelloBehindRelayZero) {
  ByteVector payload(100);
  write_hello({.heard = true, .probe = 7, .probe_seen = 0x01020304},
              MutableBytes(payload).subspan(kRelayHeader));
  const auto frame = parse_data_frame(kNextHeaderRelay, payload);
  ASSERT_TRUE(frame.ok() && frame.value().is_hello && !frame.value().relay);
  EXPECT_EQ(frame.value().hello, (PathHello{true, 7, 0x01020304}));
  for (std::size_t cut = 0; cut < kRelayHeader + kHelloBytes; ++cut) {
    EXPECT_FALSE(parse_data_frame(kNextHeaderRelay, MutableBytes(payload).first(cut)).ok());
  }
  payload[kRelayHeader] = 2;
  EXPECT_EQ(parse_data_frame(kNextHeaderRelay, payload).error(), DataFrameError::kBadHello);
}

TEST(SpiSource, LowBitsNameTheWorkerAndNoneIsGivenTwice) {
  test::SeededRandom random(3);
  for (const std::uint32_t workers : {1U, 2U, 3U, 4U, 7U, 64U}) {
    RandomSpiSource source(workers, random);
    std::set<Spi> seen;
    for (std::uint32_t i = 0; i < 500; ++i) {
      const Spi spi = source.allocate(i % workers);
      EXPECT_EQ(worker_of(spi, workers), i % workers);
      EXPECT_GT(spi.value(), 255U);
      EXPECT_TRUE(seen.insert(spi).second);
    }
    for (const Spi spi : seen) source.release(spi);
    EXPECT_EQ(source.taken(), 0U);
  }
  EXPECT_EQ(worker_of(Spi(3), 3), 0U) << "bits that name no worker mean worker 0";
}

TEST(DataKeys, ContextTellsAllPathsApart) {
  std::set<std::string> contexts;
  for (std::uint32_t epoch = 1; epoch < 4; ++epoch) {
    for (std::uint32_t edge = 0; edge < 3; ++edge) {
      for (std::uint32_t agent = 0; agent < 3; ++agent) {
        for (const auto direction : {Direction::kToEdge, Direction::kToAgent}) {
          const auto context = exporter_context(epoch, {edge, agent, Spi(256), Spi(256)}, direction);
          contexts.insert(std::string(as_text(context)));
        }
      }
    }
  }
  EXPECT_EQ(contexts.size(), 3U * 3 * 3 * 2);
  EXPECT_EQ(to_hex(exporter_context(1, {2, 3, Spi(), Spi()}, Direction::kToAgent)),
            "00000001000000020000000301");
}

TEST(DataKeys, AShortExportGivesNoKeys) {
  const DataPaths paths{1, {{0, 0, Spi(256), Spi(257)}}};
  EXPECT_FALSE(derive_path_keys(paths, [](auto, auto, auto) { return Secret(); }));
}

TEST(DataKeys, TheSasOfBothSidesFit) {
  const DataPaths paths{1, {{0, 0, Spi(0x1234), Spi(0x5678)}}};
  const auto exporter = [](std::string_view label, Bytes context, std::size_t length) {
    EXPECT_EQ(label, kExporterLabel);
    Secret key(length);
    std::fill(key.mutable_bytes().begin(), key.mutable_bytes().end(), context.back());
    return key;
  };
  const auto keys = derive_path_keys(paths, exporter);
  ASSERT_TRUE(keys && keys->size() == 1);
  EXPECT_FALSE(equal(keys->front().to_edge.bytes(), keys->front().to_agent.bytes()));

  test::SeededRandom random(4);
  auto engine = esp::make_engine("botan", random);
  ASSERT_TRUE(engine.ok());
  auto out = engine.value()->make_outbound(data_sa(Spi(0x1234), keys->front().to_edge));
  auto in = engine.value()->make_inbound(data_sa(Spi(0x1234), keys->front().to_edge));
  ASSERT_TRUE(out.ok() && in.ok());
  ByteVector room(256, 0);
  ByteVector payload{0, 0, 0, 9, 0xc8, 0x02, 0, 12, 0, 1, 0, 0};
  std::copy(payload.begin(), payload.end(), room.begin() + 64);
  esp::SealJob seal;
  seal.set(*out.value(), esp::PacketBuffer::within(room, 64, payload.size()), kNextHeaderRelay);
  engine.value()->seal({&seal, 1});
  ASSERT_TRUE(seal.ok());
  EXPECT_EQ(load_be32(seal.packet.data()), 0x1234U);
  esp::OpenJob open;
  open.set(*in.value(), seal.packet);
  engine.value()->open({&open, 1});
  ASSERT_TRUE(open.ok());
  const auto frame = parse_data_frame(open.next_header, open.packet.mutable_bytes());
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame.value().relay, RelayId(9));
}

}  // namespace
}  // namespace sluice::channel
