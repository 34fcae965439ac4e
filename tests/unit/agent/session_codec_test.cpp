// A tunnel's value goes to one message and back.
#include <gtest/gtest.h>

#include "backend-agent/lns/session_value.hpp"
#include "l2tp/lac.hpp"
#include "l2tp/lns.hpp"
#include "tests/unit/ppp/link.hpp"

namespace sluice::agent {
namespace {

using namespace std::chrono_literals;

/// Every optional part is there and no number is that of an empty message.
TunnelValue full_value() {
  ppp::test::SeededRandom random{7};
  const Instant now{1h};
  l2tp::LacTunnel lac({.local_tunnel = TunnelId(77)}, random);
  l2tp::LnsTunnel lns({.local_tunnel = TunnelId(100)}, random);
  lac.connect(now);
  const auto exchange = [&] {
    for (int i = 0; i < 4; ++i) {
      while (auto packet = lac.poll_transmit()) lns.on_datagram(*packet, now);
      while (auto packet = lns.poll_transmit()) lac.on_datagram(*packet, now);
    }
  };
  exchange();
  lac.open_session(now);
  exchange();
  lac.open_session(now);
  exchange();
  while (auto event = lns.poll_event()) {
    if (const auto* up = std::get_if<l2tp::SessionUp>(&*event))
      if (lns.sessions() == 2) lns.close_session(up->local, l2tp::CallResult::kAdministrative, "x", now);
  }
  lns.poll_transmit();

  TunnelValue out;
  out.client = *IpAddress::parse("2001:db8::9");
  out.client_port = 4500;
  out.peer_identity = std::string("C=DE\0\xff", 6);
  out.correlation_id = "c1";
  out.ppp_mtu = 1400;
  out.probe = out.down = out.by_client = true;
  out.down_text = "why";
  out.empty_ago = 3s;
  out.l2tp = lns.snapshot(now + 1s);
  out.l2tp.linger = -2s;
  out.l2tp.opened_ago = 4s;
  out.l2tp.control.held.push_back({1, 2, 3});
  SessionValue& session = out.sessions.emplace_back();
  session.id = SessionId(5);
  session.ppp.addresses = ppp::test::addresses_with_ipv6();
  session.ppp.ipcp.addresses = *session.ppp.addresses;
  session.ppp.lcp.echo = 7s;
  session.ppp.lcp.peer_auth = ppp::AuthMethod::kEap;
  session.ppp.lcp.cp.terminated_by_peer = "";
  session.ppp.proven_user = "alice";
  session.ppp.auth.deadline = -1ns;
  session.ppp.ipv6cp.local_id = ~0ULL;
  session.ppp.link.next_answer = 1ms;
  session.was_up = true;
  session.assigned = *session.ppp.addresses;
  session.owned = {*Prefix::parse("10.99.0.10/32"), *Prefix::parse("2001:db8:1::/56")};
  session.policy = {.rate_up = 1'000'000, .rate_down = 0, .session_timeout = 3600s, .idle_timeout = 60s};
  session.policy.routes = {*Prefix::parse("0.0.0.0/0")};
  session.policy.filter = "web";
  session.began_ago = 100s;
  session.last_packet_ago = 1s;
  session.packets_in = ~0ULL;
  session.bytes_out = 1ULL << 33U;
  session.accounting = AccountingFacts{"alice@example.net", "a-1", {{0, 1}, {}}, 1'790'000'000, 300s, true};
  return out;
}

TEST(SessionCodec, AValueComesBackAsItWas) {
  const TunnelValue value = full_value();
  ASSERT_FALSE(value.l2tp.control.queue.empty());
  ASSERT_FALSE(value.l2tp.resting.empty());
  const auto back = decode_tunnel(encode(value));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, value);
  const auto empty = decode_tunnel(encode(TunnelValue{}));
  ASSERT_TRUE(empty);
  EXPECT_EQ(*empty, TunnelValue{});
}

TEST(SessionCodec, AL2tpTunnelGoesOnFromTheMessage) {
  TunnelValue value = full_value();
  value.l2tp.linger.reset();
  value.l2tp.opened_ago.reset();
  value.l2tp.control.held.clear();
  const auto back = decode_tunnel(encode(value));
  ASSERT_TRUE(back);
  ppp::test::SeededRandom random{8};
  l2tp::LnsTunnel tunnel({.local_tunnel = TunnelId(100)}, random);
  ASSERT_TRUE(tunnel.restore(back->l2tp, Instant{5h}));
  EXPECT_EQ(tunnel.control().next_ns(), value.l2tp.control.next_ns);
  EXPECT_EQ(tunnel.sessions_up(), value.l2tp.sessions.size());
}

TEST(SessionCodec, WhatIsCutOffOrBentIsRefusedOrIsAnotherValueThatComesBackToo) {
  const ByteVector good = encode(full_value());
  const auto holds = [](Bytes bytes) {
    const auto value = decode_tunnel(bytes);
    return !value || decode_tunnel(encode(*value)) == value;
  };
  for (std::size_t size = 0; size < good.size(); ++size) ASSERT_TRUE(holds(Bytes(good).first(size))) << size;
  ByteVector bent = good;
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    bent[bit / 8] ^= mask;
    ASSERT_TRUE(holds(bent)) << bit;
    bent[bit / 8] ^= mask;
  }
}

TEST(SessionCodec, NumbersOutOfTheirRangeAreRefused) {
  EXPECT_FALSE(decode_tunnel({}));
  TunnelValue value = full_value();
  value.empty_ago = std::chrono::hours(24 * 366 * 11);
  EXPECT_FALSE(decode_tunnel(encode(value)));
  value = full_value();
  value.sessions[0].owned[0].length = 33;
  EXPECT_FALSE(decode_tunnel(encode(value)));
  value = full_value();
  value.l2tp.role = static_cast<l2tp::Role>(2);
  EXPECT_FALSE(decode_tunnel(encode(value)));
  value = full_value();
  value.sessions[0].ppp.auth.method = static_cast<ppp::AuthMethod>(5);
  EXPECT_FALSE(decode_tunnel(encode(value)));
}

}  // namespace
}  // namespace sluice::agent
