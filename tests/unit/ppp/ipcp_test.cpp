#include "ppp/ipcp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

using test::ip;
using test::Lone;

/// A server whose peer has authenticated; the test negotiates IPCP.
struct Server : Lone {
  explicit Server(Addresses given = test::addresses()) {
    open_lcp();
    ByteVector body(50, 0);
    body[0] = 49;
    feed(kChapProtocol, Code{2}, sent_on_open.back()[5], body);
    session.poll_event();
    AuthVerdict verdict;
    verdict.accepted = true;
    session.auth_result(session.pending_attempt(), verdict, now);
    EXPECT_TRUE(std::holds_alternative<AddressNeeded>(*session.poll_event()));
    session.set_addresses(given, now);
    for (auto& frame : sent()) {
      if (load_be16(frame.data() + 2) == kIpcp) request = frame;
    }
  }
  ByteVector ask(Bytes options) {
    feed(kIpcp, Code::kConfigureRequest, 5, options);
    const auto out = sent();
    return out.empty() ? ByteVector{} : out.back();
  }
  ByteVector request;
};

Bytes options_of(const ByteVector& frame) {
  return Bytes(frame).subspan(8);
}

TEST(Ipcp, ServerNamesItsOwnAddress) {
  Server server;
  ASSERT_FALSE(server.request.empty());
  EXPECT_TRUE(equal(options_of(server.request), ByteVector{3, 6, 10, 99, 0, 1}));
}

TEST(Ipcp, WindowsRequestIsLedToItsAddresses) {
  Server server;
  const ByteVector zeros{3, 6, 0, 0,   0, 0, 129, 6, 0, 0,   0, 0, 130, 6, 0,
                         0, 0, 0, 131, 6, 0, 0,   0, 0, 132, 6, 0, 0,   0, 0};
  const auto reject = server.ask(zeros);  // no second NBNS is configured
  EXPECT_EQ(reject[4], static_cast<int>(Code::kConfigureReject));
  EXPECT_TRUE(equal(options_of(reject), ByteVector{132, 6, 0, 0, 0, 0}));
  const auto nak = server.ask(Bytes(zeros).first(24));
  EXPECT_EQ(nak[4], static_cast<int>(Code::kConfigureNak));
  const ByteVector wanted{3, 6, 10, 99, 0, 7, 129, 6, 9, 9, 9, 9, 130, 6, 10, 0, 0, 53, 131, 6, 1, 1, 1, 1};
  EXPECT_TRUE(equal(options_of(nak), wanted));
  EXPECT_EQ(server.ask(wanted)[4], static_cast<int>(Code::kConfigureAck));
}

TEST(Ipcp, CompressionAndOldAddressesAreRejected) {
  Server server;
  const auto reply = server.ask(ByteVector{2, 6, 0, 0x2d, 15, 1, 1, 10, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(reply[4], static_cast<int>(Code::kConfigureReject));
  EXPECT_EQ(options_of(reply).size(), 16U);
}

TEST(Ipcp, PeerWithoutAnAddressIsToldOne) {  // RFC 1332 §3.3
  Server server;
  const auto reply = server.ask({});
  EXPECT_EQ(reply[4], static_cast<int>(Code::kConfigureNak));
  EXPECT_TRUE(equal(options_of(reply), ByteVector{3, 6, 10, 99, 0, 7}));
}

TEST(Ipcp, AddressOfThePeersOwnChoiceIsNotTaken) {
  Server server;
  const auto reply = server.ask(ByteVector{3, 6, 10, 99, 0, 8});
  EXPECT_EQ(reply[4], static_cast<int>(Code::kConfigureNak));
}

TEST(Ipcp, ServerArguesAboutItsAddressOnlySoLong) {
  Server server;
  ByteVector request = server.request;
  for (int i = 0; i < 5; ++i) {
    server.feed(kIpcp, Code::kConfigureNak, request[5], ByteVector{3, 6, 1, 2, 3, 4});
    request = server.sent().at(0);
  }
  EXPECT_TRUE(options_of(request).empty());
}

TEST(Ipcp, RequestThatCameBeforeTheAddressesIsAnsweredWithThem) {
  Lone lone;
  lone.open_lcp();
  ByteVector body(50, 0);
  body[0] = 49;
  lone.feed(kChapProtocol, Code{2}, lone.sent_on_open.back()[5], body);
  AuthVerdict verdict;
  verdict.accepted = true;
  lone.session.auth_result(lone.session.pending_attempt(), verdict, lone.now);
  lone.sent();
  lone.feed(kIpcp, Code::kConfigureRequest, 5, ByteVector{3, 6, 0, 0, 0, 0});
  EXPECT_TRUE(lone.sent().empty());
  lone.session.set_addresses(test::addresses(), lone.now);
  const auto sent = lone.sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1][4], static_cast<int>(Code::kConfigureNak));
}

TEST(Ipcp, ProtocolRejectOfIpcpEndsTheLink) {
  Server server;
  server.feed(kLcp, Code::kProtocolReject, 1, ByteVector{0x80, 0x21});
  server.wait(std::chrono::seconds(20));
  std::string cause;
  while (const auto event = server.session.poll_event()) {
    if (const auto* down = std::get_if<Down>(&*event)) cause = down->cause;
  }
  EXPECT_EQ(cause, "no-network-protocol");
}

}  // namespace
}  // namespace sluice::ppp
