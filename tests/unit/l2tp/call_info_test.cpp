// What the LNS hands on of a call: the AVPs of ICRQ and ICCN (RFC 2661 §4.4.3 to §4.4.5).

#include <gtest/gtest.h>

#include "tests/unit/l2tp/support.hpp"

namespace sluice::l2tp::test {
namespace {

constexpr std::string_view kLcp = "\x01\x04\x05\x78";

SessionUp call(const MessageBuilder& icrq, const MessageBuilder& iccn) {
  SeededRandom random(1);
  const Instant now{1h};
  LnsTunnel lns({.local_tunnel = TunnelId{9}}, random);
  SessionId assigned;
  const auto say = [&](const ByteVector& packet) {
    lns.on_datagram(packet, now);
    for (const auto& answer : drain(lns)) {
      if (kind_of(answer) == "ICRP") assigned = read(answer).second.assigned_session();
    }
  };
  MessageBuilder sccrq(MessageType::kSccrq);
  say(add_sccrq(sccrq).finish({}, {}, 0, 0));
  say(MessageBuilder(MessageType::kScccn).finish(TunnelId{9}, {}, 1, 1));
  say(icrq.finish(TunnelId{9}, {}, 2, 1));
  say(iccn.finish(TunnelId{9}, assigned, 3, 2));
  Events events;
  events.drain(lns);
  const auto* up = events.last<SessionUp>();
  return up == nullptr ? SessionUp{} : *up;
}

TEST(L2tpCallInfo, HandsOnWhatTheClientToldOfProxyLcpAndAuthentication) {
  MessageBuilder icrq(MessageType::kIcrq), iccn(MessageType::kIccn);
  icrq.u16(AvpType::kAssignedSessionId, 5)
      .u32(AvpType::kCallSerialNumber, 7)
      .text(AvpType::kCallingNumber, "123");
  iccn.u32(AvpType::kTxConnectSpeed, 1000)
      .u32(AvpType::kFramingType, 1)
      .u32(AvpType::kRxConnectSpeed, 2000)
      .text(AvpType::kLastSentLcpConfreq, kLcp)
      .u16(AvpType::kProxyAuthenType, 2)
      .text(AvpType::kProxyAuthenName, "alice")
      .text(AvpType::kProxyAuthenChallenge, "challenge")
      .u16(AvpType::kProxyAuthenId, 3)
      .text(AvpType::kProxyAuthenResponse, "response");
  const auto info = call(icrq, iccn).call;
  EXPECT_EQ(info.serial_number, 7U);
  EXPECT_EQ(info.calling_number, "123");
  EXPECT_EQ(info.tx_speed, 1000U);
  EXPECT_EQ(info.rx_speed, 2000U);
  EXPECT_EQ(as_text(info.last_sent_lcp), kLcp);
  EXPECT_EQ(info.proxy_auth_type, 2);
  EXPECT_EQ(info.proxy_auth_id, 3);
  EXPECT_EQ(info.proxy_auth_name, "alice");
  EXPECT_EQ(as_text(info.proxy_auth_challenge), "challenge");
  ASSERT_TRUE(info.proxy_auth_response);
  EXPECT_EQ(info.proxy_auth_response->text(), "response");
}

TEST(L2tpCallInfo, IsEmptyWhereTheClientLeftItOut) {
  MessageBuilder icrq(MessageType::kIcrq), iccn(MessageType::kIccn);
  icrq.u16(AvpType::kAssignedSessionId, 5).u32(AvpType::kCallSerialNumber, 7);
  iccn.u32(AvpType::kTxConnectSpeed, 1000).u32(AvpType::kFramingType, 1);
  const auto info = call(icrq, iccn).call;
  EXPECT_EQ(info.serial_number, 7U);
  EXPECT_EQ(info.rx_speed, 1000U) << "the same as the other way (§4.4.6)";
  EXPECT_EQ(info.proxy_auth_type, 0);
  EXPECT_TRUE(info.proxy_auth_name.empty() && info.last_sent_lcp.empty());
  EXPECT_FALSE(info.proxy_auth_response);
}

}  // namespace
}  // namespace sluice::l2tp::test
