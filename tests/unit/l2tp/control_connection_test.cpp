#include "l2tp/control_connection.hpp"

#include <gtest/gtest.h>

#include "support.hpp"

namespace sluice::l2tp {
namespace {

using namespace std::chrono_literals;
using Verdict = ControlConnection::Verdict;

const Instant kStart{};

ByteVector hello() {
  return MessageBuilder(MessageType::kHello).finish({}, {}, 0, 0);
}

Header incoming(std::uint16_t ns, std::uint16_t nr) {
  static const ByteVector avps = *from_hex("8008000000000006");
  return {.control = true,
          .has_length = true,
          .has_sequence = true,
          .tunnel = {},
          .session = {},
          .ns = ns,
          .nr = nr,
          .payload = avps};
}
Header zlb(std::uint16_t ns, std::uint16_t nr) {
  Header h = incoming(ns, nr);
  h.payload = {};
  return h;
}

struct Sent {
  std::uint16_t ns, nr;
  bool zlb;
  bool operator==(const Sent&) const = default;
};
std::vector<Sent> drain(ControlConnection& c) {
  std::vector<Sent> out;
  while (auto packet = c.poll_transmit()) {
    const auto h = *parse_header(*packet);
    out.push_back({h.ns, h.nr, h.zlb()});
  }
  EXPECT_TRUE(c.consistent());
  return out;
}

TEST(SequenceNumbers, CompareAcrossTheWrap) {
  EXPECT_EQ(sequence_ahead(5, 3), 2);
  EXPECT_EQ(sequence_ahead(0, 0xffff), 1);
  EXPECT_EQ(sequence_ahead(0xfffe, 1), -3);
  EXPECT_EQ(sequence_ahead(0x8000, 0), -32768);  // half the circle away counts as old (§5.8)
}

TEST(Retransmission, WaitsDoubleToTheCapAndMakeACycle) {
  const Retransmission r;
  EXPECT_EQ(r.wait(1), 1s);
  EXPECT_EQ(r.wait(2), 2s);
  EXPECT_EQ(r.wait(3), 4s);
  EXPECT_EQ(r.wait(4), 8s);
  EXPECT_EQ(r.wait(60), 8s);
  EXPECT_EQ(r.cycle(), 31s);
}

TEST(ControlConnection, ResendsWithBackOffThenGivesUp) {
  ControlConnection c(4, {});
  c.set_now(kStart);
  c.send(hello(), {});
  ASSERT_EQ(drain(c).size(), 1u);
  std::vector<long> seconds;
  while (!c.failed()) {
    const auto at = c.next_timeout();
    ASSERT_TRUE(at);
    c.on_timeout(*at);
    if (!drain(c).empty())
      seconds.push_back(std::chrono::duration_cast<std::chrono::seconds>(*at - kStart).count());
  }
  EXPECT_EQ(seconds, (std::vector<long>{1, 3, 7, 15, 23}));
  EXPECT_FALSE(c.next_timeout());
}

TEST(ControlConnection, NothingIsResentBeforeItsTime) {
  ControlConnection c(4, {});
  c.set_now(kStart);
  c.send(hello(), {});
  drain(c);
  c.on_timeout(kStart + 999ms);
  EXPECT_TRUE(drain(c).empty());
  c.on_timeout(kStart + 1s);
  EXPECT_EQ(drain(c).size(), 1u);
}

TEST(ControlConnection, SlowStartOpensTheWindowUpToThePeers) {
  ControlConnection c(4, {});
  c.set_peer_window(3);
  for (int i = 0; i < 12; ++i) c.send(hello(), {});
  EXPECT_EQ(drain(c), (std::vector<Sent>{{0, 0, false}}));
  EXPECT_EQ(c.on_packet(zlb(0, 1), kStart), Verdict::kZlb);
  EXPECT_EQ(drain(c).size(), 2u);
  c.on_packet(zlb(0, 3), kStart);
  EXPECT_EQ(c.congestion_window(), 3);
  EXPECT_EQ(drain(c).size(), 3u);
  c.on_packet(zlb(0, 6), kStart);
  EXPECT_EQ(c.congestion_window(), 3);  // never beyond the peer's window
  EXPECT_EQ(drain(c).size(), 3u);
}

TEST(ControlConnection, ALossHalvesTheThresholdAndStartsSlowlyAgain) {
  ControlConnection c(4, {});
  c.set_peer_window(8);
  for (std::uint16_t i = 0; i < 64; ++i) c.send(hello(), {});
  std::uint16_t acknowledged = 0;
  while (c.congestion_window() < 8) {
    drain(c);
    c.on_packet(zlb(0, ++acknowledged), kStart);
  }
  drain(c);
  EXPECT_EQ(c.in_flight(), 8);
  c.on_timeout(kStart + 1s);
  EXPECT_EQ(c.congestion_window(), 1);
  EXPECT_EQ(drain(c).size(), 1u);  // the oldest only
  // Slow start to 4, then one more for each window acknowledged.
  c.on_packet(zlb(0, static_cast<std::uint16_t>(acknowledged + 3)), kStart + 1s);
  EXPECT_EQ(c.congestion_window(), 4);
  c.on_packet(zlb(0, static_cast<std::uint16_t>(acknowledged + 6)), kStart + 1s);
  EXPECT_EQ(c.congestion_window(), 4);
  c.on_packet(zlb(0, static_cast<std::uint16_t>(acknowledged + 7)), kStart + 1s);
  EXPECT_EQ(c.congestion_window(), 5);
}

TEST(ControlConnection, AMessageIsAcknowledgedAtOnceByZlb) {
  ControlConnection c(4, {});
  EXPECT_EQ(c.on_packet(incoming(0, 0), kStart), Verdict::kDeliver);
  EXPECT_EQ(drain(c), (std::vector<Sent>{{0, 1, true}}));
  EXPECT_TRUE(drain(c).empty());
}

TEST(ControlConnection, AReplyCarriesTheAcknowledgement) {
  ControlConnection c(4, {});
  c.on_packet(incoming(0, 0), kStart);
  c.send(hello(), {});
  EXPECT_EQ(drain(c), (std::vector<Sent>{{0, 1, false}}));
}

TEST(ControlConnection, ADuplicateIsAcknowledgedAgainAndNotDelivered) {
  ControlConnection c(4, {});
  c.on_packet(incoming(0, 0), kStart);
  drain(c);
  EXPECT_EQ(c.on_packet(incoming(0, 0), kStart), Verdict::kDuplicate);
  EXPECT_EQ(drain(c), (std::vector<Sent>{{0, 1, true}}));
}

TEST(ControlConnection, AZlbIsNeverAcknowledged) {
  ControlConnection c(4, {});
  EXPECT_EQ(c.on_packet(zlb(0, 0), kStart), Verdict::kZlb);
  EXPECT_EQ(c.on_packet(zlb(7, 0), kStart), Verdict::kZlb);
  EXPECT_TRUE(drain(c).empty());
}

TEST(ControlConnection, MessagesAheadAreHeldInsideTheWindowOnly) {
  ControlConnection c(4, {});
  EXPECT_EQ(c.on_packet(incoming(2, 0), kStart), Verdict::kHeld);
  EXPECT_EQ(c.on_packet(incoming(2, 0), kStart), Verdict::kHeld);
  EXPECT_EQ(c.on_packet(incoming(3, 0), kStart), Verdict::kHeld);
  EXPECT_EQ(c.on_packet(incoming(4, 0), kStart), Verdict::kOutsideWindow);
  EXPECT_EQ(c.held(), 2u);
  EXPECT_FALSE(c.take_next());
  EXPECT_EQ(c.on_packet(incoming(0, 0), kStart), Verdict::kDeliver);
  EXPECT_FALSE(c.take_next());
  EXPECT_EQ(c.on_packet(incoming(1, 0), kStart), Verdict::kDeliver);
  EXPECT_EQ(parse_header(*c.take_next())->ns, 2);
  EXPECT_EQ(parse_header(*c.take_next())->ns, 3);
  EXPECT_FALSE(c.take_next());
  EXPECT_EQ(drain(c), (std::vector<Sent>{{0, 4, true}}));
}

TEST(ControlConnection, AnNrBeyondWhatWasSentIsIgnored) {
  ControlConnection c(4, {});
  c.send(hello(), {});
  drain(c);
  EXPECT_EQ(c.on_packet(incoming(0, 2), kStart), Verdict::kBadNr);
  EXPECT_EQ(c.in_flight(), 1);
  EXPECT_EQ(c.expected(), 0);
  EXPECT_EQ(c.on_packet(incoming(0, 1), kStart), Verdict::kDeliver);
  EXPECT_TRUE(c.idle());
}

TEST(ControlConnection, AnOldNrDoesNoHarm) {
  ControlConnection c(4, {});
  c.set_first_sequence(10, 0);
  c.send(hello(), {});
  drain(c);
  EXPECT_EQ(c.on_packet(zlb(0, 3), kStart), Verdict::kZlb);
  EXPECT_EQ(c.in_flight(), 1);
}

TEST(ControlConnection, ARetransmissionCarriesTheLatestNrAndPeer) {
  ControlConnection c(4, {});
  c.set_now(kStart);
  c.send(hello(), {});
  drain(c);
  c.set_peer(TunnelId{99});
  c.on_packet(incoming(0, 0), kStart);
  drain(c);
  c.on_timeout(kStart + 1s);
  const auto packet = c.poll_transmit();
  ASSERT_TRUE(packet);
  EXPECT_EQ(parse_header(*packet)->ns, 0);
  EXPECT_EQ(parse_header(*packet)->nr, 1);
  EXPECT_EQ(parse_header(*packet)->tunnel, TunnelId{99});
}

TEST(ControlConnection, SendsReceivesAndAcknowledgesAcrossTheWrap) {
  ControlConnection a(8, {}), b(8, {});
  a.set_first_sequence(0xfff0, 0x7ff0);
  b.set_first_sequence(0x7ff0, 0xfff0);
  a.set_peer_window(8);
  b.set_peer_window(8);
  int delivered = 0;
  for (int round = 0; round < 40; ++round) {
    a.send(hello(), {});
    b.send(hello(), {});
    for (auto* from : {&a, &b}) {
      auto* to = from == &a ? &b : &a;
      while (auto packet = from->poll_transmit()) {
        if (to->on_packet(*parse_header(*packet), kStart) == Verdict::kDeliver) ++delivered;
      }
    }
    ASSERT_TRUE(a.consistent() && b.consistent());
  }
  EXPECT_EQ(delivered, 80);
  EXPECT_EQ(b.expected(), static_cast<std::uint16_t>(0xfff0 + 40));
  EXPECT_EQ(a.expected(), static_cast<std::uint16_t>(0x7ff0 + 40));
}

TEST(ControlConnection, AnUrgentMessagePassesTheWindow) {
  ControlConnection c(4, {});
  c.set_peer_window(1);
  c.send(hello(), {});
  c.send(hello(), {});
  EXPECT_EQ(drain(c).size(), 1u);
  c.send(hello(), {.urgent = true});
  EXPECT_EQ(drain(c), (std::vector<Sent>{{1, 0, false}, {2, 0, false}}));
}

TEST(ControlConnection, AHelloNobodyAcknowledgesFailsOnlyInSilence) {
  for (const bool heard : {false, true}) {
    ControlConnection c(4, {});
    c.heard(kStart);
    c.send(hello(), {.probe = true});
    drain(c);
    for (int i = 0; i < 40 && !c.failed(); ++i) {
      const auto at = *c.next_timeout();
      if (heard) c.heard(at - 1ms);
      c.on_timeout(at);
      drain(c);
    }
    EXPECT_EQ(c.failed(), !heard);
    if (heard) {
      c.send(hello(), {});  // and it does not block what follows
      EXPECT_EQ(drain(c).size(), 1u);
    }
  }
}

TEST(ControlConnection, DroppingTheQueueKeepsAcknowledging) {
  ControlConnection c(4, {});
  c.send(hello(), {});
  c.send(hello(), {});
  drain(c);
  c.drop_queue();
  EXPECT_TRUE(c.idle());
  EXPECT_FALSE(c.next_timeout());
  EXPECT_EQ(c.on_packet(incoming(0, 1), kStart), Verdict::kDeliver);
  EXPECT_EQ(drain(c), (std::vector<Sent>{{1, 1, true}}));
}

}  // namespace
}  // namespace sluice::l2tp
