// Data paths to agents: key epochs that overlap, UDP that breaks and comes back, and strangers' datagrams.
#include <set>

#include "proto/channel/data_keys.hpp"
#include "proto/channel/path_health.hpp"
#include "tests/unit/edge_dataplane/world.hpp"

namespace sluice::edge::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const BackendId kBackend{1};
const RelayId kRelay{5};
const TunnelId kTunnel{7};
const ByteVector kL2tp{0xc8, 2, 0, 12, 0, 7, 0, 0, 0, 0, 0, 0};  // a ZLB for the probe's tunnel

/// A pipeline with a probe's relay, and the agent's end of its path.
class Paths {
 public:
  explicit Paths(channel::CarrierMode carrier, std::uint64_t spent_packets = 0)
      : carrier_(carrier), spent_packets_(spent_packets) {
    renew();
    apply(BindProbe{kRelay, kBackend, 0, kTunnel});
  }

  /// Another epoch at both ends. Gives its number.
  std::size_t renew() {
    const auto spi = static_cast<std::uint32_t>(0x1000 + 2 * epochs.size());
    const auto seed = static_cast<std::uint8_t>(2 * epochs.size());
    const Secret to_edge(Bytes(ByteVector(channel::kDataKeyBytes, seed)));
    const Secret to_agent(Bytes(ByteVector(channel::kDataKeyBytes, static_cast<std::uint8_t>(seed + 1))));
    epochs.push_back({std::move(engine_->make_outbound(channel::data_sa(Spi(spi), to_edge))).value(),
                      std::move(engine_->make_inbound(channel::data_sa(Spi(spi + 1), to_agent))).value()});
    apply(AddPath{.backend = kBackend,
                  .agent_worker = 0,
                  .to_edge = Spi(spi),
                  .to_agent = Spi(spi + 1),
                  .to_edge_key = to_edge.clone(),
                  .to_agent_key = to_agent.clone(),
                  .agent = agent,
                  .local = {},
                  .carrier = carrier_,
                  .spent_packets = spent_packets_,
                  .stats = stats});
    return epochs.size() - 1;
  }

  ByteVector seal(std::size_t epoch, Bytes payload) {
    Datagram room(payload, {}, {});
    esp::SealJob job;
    job.set(*epochs[epoch].out, room.rx.packet, channel::kNextHeaderRelay);
    engine_->seal({&job, 1});
    return {job.packet.bytes().begin(), job.packet.bytes().end()};
  }
  ByteVector frame(std::size_t epoch) {
    ByteVector payload(channel::kRelayHeader);
    channel::put_relay_header(payload.data(), kRelay);
    payload.insert(payload.end(), kL2tp.begin(), kL2tp.end());
    return seal(epoch, payload);
  }
  ByteVector hello(std::size_t epoch, bool heard) {
    ByteVector payload(channel::kRelayHeader + channel::kHelloBytes);
    channel::write_hello({.heard = heard, .probe_seen = probe_seen},
                         MutableBytes(payload).subspan(channel::kRelayHeader));
    return seal(epoch, payload);
  }
  void receive(Bytes packet, bool stream = false, const char* from = "10.0.0.2:4601") {
    Datagram datagram(packet, endpoint(from), {});
    OutgoingBatch out;
    pipeline_.from_agents(std::span(&datagram.rx, 1), now, out, stream);
    note(out);
  }
  /// Something from the probe towards the agent.
  void send(const ByteVector& l2tp = kL2tp) { apply(SendProbe{kRelay, l2tp}); }

  /// Time goes by; with `answers` the agent says hello by UDP.
  void pass(Duration span, bool answers, bool heard = true) {
    for (const Instant end = now + span; now < end;) {
      now += milliseconds(50);
      OutgoingBatch out;
      if (const auto next = pipeline_.next_timeout(); next && *next <= now) pipeline_.on_timeout(now, out);
      note(out);
      if (answers && now >= next_hello_) {
        receive(hello(epochs.size() - 1, heard));
        next_hello_ = now + channel::kHelloInterval;
      }
    }
  }

  template <class T>
  std::vector<T> events() {
    std::vector<T> out;
    std::erase_if(events_, [&](auto& event) {
      auto* found = std::get_if<T>(&event);
      if (found != nullptr) out.push_back(std::move(*found));
      return found != nullptr;
    });
    return out;
  }

  struct Sent {
    Exit exit;
    std::size_t epoch;
    bool hello;
    Endpoint to;
  };
  struct Epoch {
    esp::OutboundSaPtr out;
    esp::InboundSaPtr in;
  };

 private:
  SeededRandom random_{9};
  std::unique_ptr<esp::Engine> engine_ = std::move(esp::make_engine("botan", random_)).value();
  channel::CarrierMode carrier_;
  std::uint64_t spent_packets_;
  Instant next_hello_{};
  std::vector<Event> events_;
  Pipeline pipeline_{std::move(esp::make_engine("botan", random_)).value(), 64,
                     [this](Event event) { events_.push_back(std::move(event)); }};

 public:
  const std::shared_ptr<PathStats> stats = std::make_shared<PathStats>();
  std::vector<Epoch> epochs;
  std::vector<Sent> sent;
  std::size_t passes = 1500;
  std::uint32_t probe_seen = 0;
  std::set<std::size_t> sizes;  // of packets that nobody may fragment
  Instant now{std::chrono::hours(1)};
  const Endpoint agent = endpoint("10.0.0.2:4601");
  const Pipeline& pipeline() const { return pipeline_; }

 private:
  void apply(Command command) {
    OutgoingBatch out;
    pipeline_.apply(std::move(command), now, out);
    note(out);
  }
  void note(OutgoingBatch& out) {
    for (const auto& outgoing : out.packets()) {
      const auto spi = load_be32(outgoing.packet.data.data());
      const std::size_t epoch = (spi - 0x1001) / 2;
      ASSERT_LT(epoch, epochs.size());
      Datagram datagram(outgoing.packet.data, {}, {});
      esp::OpenJob job;
      job.set(*epochs[epoch].in, datagram.rx.packet);
      engine_->open({&job, 1});
      ASSERT_TRUE(job.ok());
      const auto frame = channel::parse_data_frame(job.next_header, job.packet.mutable_bytes());
      ASSERT_TRUE(frame);
      // What an agent behind a way of that MTU sees.
      const auto size = outgoing.packet.data.size() + 20 + 8;
      if (outgoing.exit == Exit::kAgentWhole) sizes.insert(size);
      if (frame->is_hello && frame->hello.probe != 0 && size <= passes) probe_seen = frame->hello.probe;
      sent.push_back({outgoing.exit, epoch, frame->is_hello, outgoing.packet.remote});
    }
  }
};

TEST(EdgePaths, AnEpochsOverlapLosesNothingHoweverPacketsOvertakeEachOther) {
  Paths paths(channel::CarrierMode::kUdp);
  std::vector<ByteVector> late;
  std::size_t frames = 0;
  for (int round = 0; round < 8; ++round) {
    const auto old = paths.epochs.size() - 1;
    for (int i = 0; i < 20; ++i) late.push_back(paths.frame(old));
    const auto fresh = paths.renew();
    // The new one may be used at once, the old one's stragglers come after, backwards.
    paths.receive(paths.frame(fresh));
    for (auto at = late.rbegin(); at != late.rend(); ++at) paths.receive(*at);
    frames += 1 + late.size();
    late.clear();
    EXPECT_EQ(paths.events<ProbeArrived>().size(), 21U);
    paths.sent.clear();
    paths.send();
    EXPECT_EQ(paths.sent.back().epoch, old) << "the agent's worker may not have the new one yet";
    paths.pass(milliseconds(500), false);
    paths.send();
    EXPECT_EQ(paths.sent.back().epoch, fresh);
    paths.receive(paths.frame(old));
    EXPECT_EQ(paths.events<ProbeArrived>().size(), 1U);
    paths.pass(milliseconds(600), false);
  }
  EXPECT_EQ(paths.pipeline().drops().read(Drop::kUnknownChannelSpi), 0U);
  paths.pass(seconds(6), false);
  EXPECT_EQ(paths.events<PathRetired>().size(), 8U) << "all but the last";
  EXPECT_FALSE(paths.pipeline().next_timeout()) << "nothing is left to wait for";
  paths.receive(paths.frame(0));
  EXPECT_EQ(paths.pipeline().drops().read(Drop::kUnknownChannelSpi), 1U);
}

TEST(EdgePaths, KeysThatWorkedEnoughAreReportedOnceEitherWay) {
  Paths paths(channel::CarrierMode::kUdp, 10);
  for (int i = 0; i < 9; ++i) paths.send();
  EXPECT_TRUE(paths.events<PathSpent>().empty());
  for (int i = 0; i < 9; ++i) paths.send();
  EXPECT_EQ(paths.events<PathSpent>().size(), 1U);
  for (int i = 0; i < 30; ++i) paths.receive(paths.frame(0));
  EXPECT_EQ(paths.events<PathSpent>().size(), 1U);
  EXPECT_EQ(paths.events<ProbeArrived>().size(), 30U) << "they work on until there are new ones";
}

TEST(EdgePaths, LossIsWhatSequenceNumbersPromisedAndDidNotCome) {
  Paths paths(channel::CarrierMode::kUdp);
  const auto first = paths.frame(0), late = paths.frame(0), lost = paths.frame(0), last = paths.frame(0);
  paths.receive(first);
  paths.receive(last);
  EXPECT_EQ(paths.stats->expected.read(), 4U);
  EXPECT_EQ(paths.stats->received.read(), 2U);
  paths.receive(late);
  paths.receive(late);
  EXPECT_EQ(paths.stats->expected.read(), 4U);
  EXPECT_EQ(paths.stats->received.read(), 3U) << "late is not lost, and a replay counts once";
  const auto fresh = paths.renew();
  paths.receive(paths.frame(fresh));
  EXPECT_EQ(paths.stats->expected.read(), 5U) << "each epoch counts from its own first";
  EXPECT_EQ(paths.stats->received.read(), 4U);
}

TEST(EdgePaths, DataGoesByTlsWhileUdpDoesNotWorkAndReturns) {
  Paths paths(channel::CarrierMode::kAuto);
  paths.pass(seconds(2), true);
  paths.send();
  EXPECT_EQ(paths.sent.back().exit, Exit::kAgent);
  paths.pass(milliseconds(1200), false);
  const auto left = paths.events<PathCarrier>();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_TRUE(left[0].stream);
  paths.send();
  EXPECT_EQ(paths.sent.back().exit, Exit::kAgentStream);
  paths.sent.clear();
  paths.pass(seconds(1), false);
  ASSERT_FALSE(paths.sent.empty()) << "it goes on asking";
  for (const auto& sent : paths.sent) EXPECT_TRUE(sent.hello && sent.exit == Exit::kAgent);
  paths.pass(milliseconds(1500), true);
  EXPECT_EQ(paths.events<PathCarrier>().size(), 1U);
  paths.send();
  EXPECT_EQ(paths.sent.back().exit, Exit::kAgent);
}

TEST(EdgePaths, AnAgentThatNoLongerHearsUsIsSentToByTlsAtOnce) {
  Paths paths(channel::CarrierMode::kAuto);
  paths.pass(seconds(1), true);
  paths.receive(paths.hello(0, false));
  EXPECT_EQ(paths.events<PathCarrier>().size(), 1U);
}

TEST(EdgePaths, WhatComesByTlsSaysNothingOfUdpAndMovesNobody) {
  Paths paths(channel::CarrierMode::kAuto);
  paths.pass(seconds(1), true);
  for (int i = 0; i < 40; ++i) {
    paths.receive(paths.hello(0, true), true, "0.0.0.0:0");
    paths.receive(paths.frame(0), true, "0.0.0.0:0");
    paths.pass(milliseconds(50), false);
  }
  EXPECT_EQ(paths.events<PathCarrier>().size(), 1U);
  EXPECT_EQ(paths.events<ProbeArrived>().size(), 40U);
  EXPECT_EQ(paths.sent.back().to, paths.agent);
}

TEST(EdgePaths, ConfiguredTlsNeedsNoHellos) {
  Paths paths(channel::CarrierMode::kTls);
  EXPECT_FALSE(paths.pipeline().next_timeout());
  paths.send();
  EXPECT_EQ(paths.sent.back().exit, Exit::kAgentStream);
  EXPECT_TRUE(paths.events<PathCarrier>().empty());
}

TEST(EdgePaths, ANarrowWayIsFoundAndWhatDoesNotFitIsCounted) {
  Paths paths(channel::CarrierMode::kAuto);
  paths.pass(seconds(5), true);
  EXPECT_TRUE(paths.events<PathMtuFound>().empty()) << "as usual";
  ASSERT_EQ(paths.sizes.size(), 1U);
  EXPECT_LE(*paths.sizes.begin(), 1500U);
  EXPECT_GT(*paths.sizes.begin(), 1496U);
  paths.passes = 1400;
  paths.pass(seconds(30), true);
  const auto found = paths.events<PathMtuFound>();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].size, 1380);
  EXPECT_EQ(paths.pipeline().channel_oversize().read(), 0U);
  paths.send(ByteVector(1330, 0));
  EXPECT_EQ(paths.pipeline().channel_oversize().read(), 1U);
  EXPECT_EQ(paths.sent.back().exit, Exit::kAgent) << "it goes all the same, in fragments";
  EXPECT_TRUE(paths.events<PathCarrier>().empty());
}

TEST(EdgePaths, ADatagramThatNoKeyOpensIsNeverAnswered) {
  Paths paths(channel::CarrierMode::kAuto);
  paths.sent.clear();
  std::mt19937 random(4);
  for (int i = 0; i < 20'000; ++i) {
    ByteVector noise(random() % 200);
    for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
    if (noise.size() >= 4 && i % 2 == 0) store_be32(noise.data(), 0x1000);
    paths.receive(noise);
  }
  auto replay = paths.frame(0);
  paths.receive(replay);
  EXPECT_EQ(paths.events<ProbeArrived>().size(), 1U);
  paths.receive(replay);
  replay.back() ^= 1;
  paths.receive(replay, false, "10.9.9.9:1");
  EXPECT_TRUE(paths.sent.empty());
  EXPECT_TRUE(paths.events<ProbeArrived>().empty() && paths.events<PathCarrier>().empty());
  EXPECT_GT(paths.pipeline().channel_esp_drops().read(esp::DropReason::kBadIcv), 1000U);
  paths.send();
  EXPECT_EQ(paths.sent.back().to, paths.agent) << "nor is anybody's address taken from it";
}

}  // namespace
}  // namespace sluice::edge::testing
