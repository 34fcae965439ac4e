#include "ppp/cp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using test::Lone;

TEST(CpTable, EveryStateAnswersUnknownCodesAndTerminationOnceUp) {  // RFC 1661 §4.1, rows RUC and RTR
  for (int s = static_cast<int>(CpState::kClosed); s <= static_cast<int>(CpState::kOpened); ++s) {
    const auto state = static_cast<CpState>(s);
    EXPECT_EQ(cp_step(state, CpEvent::kUnknownCode).actions, kSendCodeReject) << to_string(state);
    EXPECT_EQ(cp_step(state, CpEvent::kUnknownCode).next, state);
    EXPECT_NE(cp_step(state, CpEvent::kTerminateRequest).actions & kSendTerminateAck, 0) << to_string(state);
  }
}

TEST(CpTable, LayerIsUpInOpenedOnly) {
  for (int s = 0; s <= static_cast<int>(CpState::kOpened); ++s) {
    for (int e = 0; e <= static_cast<int>(CpEvent::kEcho); ++e) {
      const auto from = static_cast<CpState>(s);
      const CpStep step = cp_step(from, static_cast<CpEvent>(e));
      const bool was = from == CpState::kOpened;
      const bool is = step.next == CpState::kOpened;
      EXPECT_EQ((step.actions & kActUp) != 0, is && !was) << s << " " << e;
      EXPECT_EQ((step.actions & kActDown) != 0, was && !is) << s << " " << e;
    }
  }
}

TEST(CpTable, PrintedCells) {  // a sample of each region of the table, as the RFC has it
  const auto cell = [](CpState s, CpEvent e) { return std::pair{cp_step(s, e).next, cp_step(s, e).actions}; };
  using S = CpState;
  using E = CpEvent;
  const auto is = [](S next, unsigned actions) {
    return std::pair{next, static_cast<std::uint16_t>(actions)};
  };
  EXPECT_EQ(cell(S::kStarting, E::kUp), is(S::kReqSent, kInitCount | kSendRequest));
  EXPECT_EQ(cell(S::kStopped, E::kRequestGood), is(S::kAckSent, kInitCount | kSendRequest | kSendAck));
  EXPECT_EQ(cell(S::kReqSent, E::kAck), is(S::kAckRcvd, kInitCount));
  EXPECT_EQ(cell(S::kAckRcvd, E::kRequestBad), is(S::kAckRcvd, kSendNak));
  EXPECT_EQ(cell(S::kAckRcvd, E::kTimeout), is(S::kReqSent, kSendRequest));
  EXPECT_EQ(cell(S::kAckSent, E::kNak), is(S::kAckSent, kInitCount | kSendRequest));
  EXPECT_EQ(cell(S::kOpened, E::kRequestGood), is(S::kAckSent, kActDown | kSendRequest | kSendAck));
  EXPECT_EQ(cell(S::kOpened, E::kTerminateRequest),
            is(S::kStopping, kActDown | kZeroCount | kSendTerminateAck));
  EXPECT_EQ(cell(S::kOpened, E::kRejectFatal), is(S::kStopping, kActDown | kInitCount | kSendTerminate));
  EXPECT_EQ(cell(S::kClosing, E::kTerminateAck), is(S::kClosed, kActFinished));
}

TEST(CpPacket, LengthIsCheckedOnce) {
  const ByteVector good{1, 9, 0, 6, 0xaa, 0xbb, 0xcc};
  const auto packet = parse_cp_packet(good);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->body.size(), 2U);  // 0xcc is padding (§5)
  for (std::size_t cut = 0; cut < 6; ++cut) EXPECT_FALSE(parse_cp_packet(Bytes(good).first(cut))) << cut;
  EXPECT_FALSE(parse_cp_packet(ByteVector{1, 9, 0, 3, 0xaa}));
}

TEST(CpOptions, WalkStopsAtTheFirstBadLength) {
  const ByteVector bad{1, 4, 5, 6, 7, 1, 0};
  CpOptionReader reader(bad);
  ASSERT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.ok());
  const ByteVector past{5, 6, 0, 0};
  CpOptionReader second(past);
  EXPECT_FALSE(second.next());
  EXPECT_FALSE(second.ok());
}

TEST(ControlProtocol, RequestIsSentTenTimesThenGivenUp) {  // §4.6
  Lone lone;
  std::size_t requests = 0;
  for (int i = 0; i < 20; ++i) {
    for (const auto& frame : lone.sent()) requests += frame[4] == 1 ? 1 : 0;
    lone.wait(std::chrono::seconds(3));
  }
  EXPECT_EQ(requests, 10U);
  const auto event = lone.session.poll_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<Down>(*event).cause, "lcp-timeout");
}

TEST(ControlProtocol, AckWithOtherContentsIsDropped) {  // §5.2
  Lone lone;
  const auto request = lone.sent().at(0);
  ByteVector body(request.begin() + 8, request.end());
  body.back() ^= 1;
  lone.feed(kLcp, Code::kConfigureAck, request[5], body);
  EXPECT_EQ(lone.drops.read(Drop::kMismatchedAck), 1U);
  EXPECT_EQ(lone.session.lcp().state(), CpState::kReqSent);
}

TEST(ControlProtocol, SecondAckIsADuplicateAndNoRenegotiation) {
  Lone lone;
  const auto request = lone.sent().at(0);
  const Bytes body = Bytes(request).subspan(8);
  lone.feed(kLcp, Code::kConfigureAck, request[5], body);
  lone.feed(kLcp, Code::kConfigureRequest, 1, {});
  ASSERT_TRUE(lone.session.lcp().opened());
  lone.feed(kLcp, Code::kConfigureAck, request[5], body);
  EXPECT_TRUE(lone.session.lcp().opened());
  EXPECT_EQ(lone.drops.read(Drop::kUnexpectedId), 1U);
}

TEST(ControlProtocol, UnknownCodeIsRejectedWithTheWholePacket) {  // §5.6
  Lone lone;
  lone.open_lcp();
  lone.feed(test::control_frame(kLcp, 99, 5, as_bytes("xyz")));
  const auto sent = lone.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0][4], static_cast<int>(Code::kCodeReject));
  EXPECT_TRUE(equal(Bytes(sent[0]).subspan(8), ByteVector{99, 5, 0, 7, 'x', 'y', 'z'}));
}

TEST(ControlProtocol, RejectedConfigureCodeEndsTheLink) {  // RXJ-
  Lone lone;
  lone.open_lcp();
  lone.feed(kLcp, Code::kCodeReject, 5, ByteVector{1, 1, 0, 4});
  EXPECT_FALSE(lone.session.lcp().opened());
  const auto sent = lone.sent();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0][4], static_cast<int>(Code::kTerminateRequest));
}

TEST(ControlProtocol, RejectedEchoIsNoHarm) {  // RXJ+
  Lone lone;
  lone.open_lcp();
  lone.feed(kLcp, Code::kCodeReject, 5, ByteVector{9, 1, 0, 8, 0, 0, 0, 0});
  EXPECT_TRUE(lone.session.lcp().opened());
}

TEST(ControlProtocol, OptionsThatDoNotFitDropTheWholeRequest) {
  Lone lone;
  lone.sent();
  lone.feed(kLcp, Code::kConfigureRequest, 1, ByteVector{1, 4, 5, 0x78, 5, 1});
  EXPECT_EQ(lone.drops.read(Drop::kBadOption), 1U);
  EXPECT_TRUE(lone.sent().empty());
}

}  // namespace
}  // namespace sluice::ppp
