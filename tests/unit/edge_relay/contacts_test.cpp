#include "edge/relay/contacts.hpp"

#include "tests/unit/edge_dataplane/ike_messages.hpp"
#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

struct Line {
  SeededRandom random;
  std::string known;
  Contacts contacts{random, [this](const Endpoint&) { return known; }};
  const Endpoint at500 = *Endpoint::parse("203.0.113.5:40500"),
                 at4500 = *Endpoint::parse("203.0.113.5:44500");
};

TEST(Contacts, AHandshakeKeepsItsIdWhenItGoesOnToTheOtherPort) {
  Line line;
  line.contacts.arrived(line.at500, main_mode(1), false);
  const auto id = line.contacts.id_at(line.at500);
  EXPECT_EQ(id.size(), 2 * Contacts::kIdBytes);
  line.contacts.arrived(line.at4500, main_mode(1, 9), true);
  EXPECT_EQ(line.contacts.id_at(line.at4500), id);
  EXPECT_EQ(line.contacts.id_at(line.at500), id) << "what is said of its beginning is said of it";
}

TEST(Contacts, TwoClientsBehindOneNatAreTwo) {
  Line line;
  line.contacts.arrived(line.at500, main_mode(1), false);
  line.contacts.arrived(line.at4500, main_mode(2), false);
  EXPECT_NE(line.contacts.id_at(line.at500), line.contacts.id_at(line.at4500));
}

TEST(Contacts, APeersNextHandshakeBearsThePeersId) {
  Line line;
  line.known = "feedbeef0001";
  line.contacts.arrived(line.at500, main_mode(1), true);
  EXPECT_EQ(line.contacts.id_at(line.at500), "feedbeef0001");
}

TEST(Contacts, NeverAnswersMoreThanWasAskedUntilTheAskerHasShownItself) {
  Line line;
  const auto question = main_mode(1, 0, 100);
  line.contacts.arrived(line.at500, question, false);
  EXPECT_FALSE(line.contacts.leaves(line.at500, main_mode(1, 9, 101)).allowed);
  const auto leave = line.contacts.leaves(line.at500, main_mode(1, 9, 100));
  EXPECT_TRUE(leave.allowed);
  EXPECT_EQ(leave.token, 9U);
  EXPECT_FALSE(line.contacts.leaves(line.at500, main_mode(1, 9, 100)).allowed) << "once, not again";
  line.contacts.arrived(line.at500, question, false);
  EXPECT_TRUE(line.contacts.leaves(line.at500, main_mode(1, 9, 100)).allowed) << "unless asked again";
  EXPECT_EQ(line.contacts.too_large().read(), 2U);
  line.contacts.arrived(line.at500, main_mode(1, 9, 0), true);
  EXPECT_TRUE(line.contacts.leaves(line.at500, main_mode(1, 9, 1400)).allowed);
}

TEST(Contacts, AnAnswerOfIkev2MayAskForACertificateOnTop) {
  Line line;
  const auto sa_init = [](std::uint64_t responder, std::size_t body) {
    return ike_message({.initiator = 1, .responder = responder, .version = 0x20, .exchange = 34},
                       ByteVector(body));
  };
  line.contacts.arrived(line.at500, sa_init(0, 400), false);
  EXPECT_FALSE(line.contacts.leaves(line.at500, sa_init(9, 506)).allowed);
  EXPECT_TRUE(line.contacts.leaves(line.at500, sa_init(9, 505)).allowed);
  EXPECT_FALSE(line.contacts.leaves(line.at500, sa_init(9, 505)).allowed) << "once";
}

TEST(Contacts, NeverAnswersAnotherAddressThanTheAskers) {
  Line line;
  line.contacts.arrived(line.at500, main_mode(1), false);
  EXPECT_FALSE(line.contacts.leaves(line.at4500, main_mode(1, 9, 20)).allowed);
}

TEST(Contacts, WhatOneAddressHasShownSaysNothingOfTheNext) {
  Line line;
  line.contacts.arrived(line.at500, main_mode(1), true);
  EXPECT_TRUE(line.contacts.leaves(line.at500, main_mode(1, 9, 1400)).allowed);
  const auto victim = *Endpoint::parse("198.51.100.7:500");
  line.contacts.arrived(victim, main_mode(1), false);
  EXPECT_FALSE(line.contacts.leaves(victim, main_mode(1, 9, 1400)).allowed);
}

TEST(Contacts, LeavesEstablishedSasAlone) {
  Line line;
  EXPECT_TRUE(line.contacts.leaves(line.at500, main_mode(5, 6, 1400)).allowed);
  line.contacts.arrived(line.at500, main_mode(5, 6), true);
  EXPECT_EQ(line.contacts.size(), 0U);
}

TEST(Contacts, ForgetsTheOldestBeyondItsRoom) {
  Line line;
  for (std::uint64_t i = 1; i <= Contacts::kMax + 1000; ++i) {
    const Endpoint from{IpAddress::v4(static_cast<std::uint32_t>(i)), 500};
    line.contacts.arrived(from, main_mode(i), false);
  }
  EXPECT_EQ(line.contacts.size(), Contacts::kMax);
  EXPECT_EQ(line.contacts.id_at({IpAddress::v4(1000), 500}), "");
  EXPECT_NE(line.contacts.id_at({IpAddress::v4(1001), 500}), "");
}

}  // namespace
}  // namespace sluice::edge::testing
