#include <gtest/gtest.h>

#include "world.hpp"

namespace sluice::edge::test {
namespace {

constexpr std::uint16_t kAesCbc = 12, kAesGcm16 = 20, kHmacSha1 = 2;

/// What one end seals with must be what the other opens with.
void expect_paired(const FakePlane& server, const FakePlane& client) {
  for (const bool inbound : {true, false}) {
    const SaSpec* ours = server.find(inbound);
    const SaSpec* theirs = client.find(!inbound);
    ASSERT_NE(ours, nullptr);
    ASSERT_NE(theirs, nullptr);
    EXPECT_EQ(ours->spi, theirs->spi);
    EXPECT_TRUE(equal(ours->encryption_key.bytes(), theirs->encryption_key.bytes()));
    EXPECT_TRUE(equal(ours->integrity_key.bytes(), theirs->integrity_key.bytes()));
  }
}

TEST(Handshake, Ikev1BehindNatGivesEncapsulatedSas) {
  World world;
  Client& client = world.add_client({}, Endpoint::parse("198.51.100.9:40000"));
  world.start();
  ASSERT_TRUE(world.connect(client)) << client.outcome.value_or("no answer");

  expect_paired(world.plane, client.plane);
  const SaSpec* in = world.plane.find(true);
  EXPECT_EQ(in->encryption, kAesCbc);
  EXPECT_EQ(in->integrity, kHmacSha1);
  EXPECT_EQ(in->encryption_key.size(), 32u);
  EXPECT_EQ(in->integrity_key.size(), 20u);
  EXPECT_TRUE(in->udp_encapsulated);
  EXPECT_TRUE(in->transport_mode);
  EXPECT_FALSE(in->rekeyed);
  EXPECT_EQ(in->ike_version, 1);
  EXPECT_EQ(in->protocol, 17);
  EXPECT_EQ(in->local_port, 1701);
  EXPECT_EQ(in->peer_identity, "192.168.7.2");
  EXPECT_EQ(in->source, *Endpoint::parse("198.51.100.9:40001"));
  EXPECT_EQ(in->destination, *Endpoint::parse("203.0.113.1:4500"));
  EXPECT_EQ(in->lifetime.hard_seconds, 0u);

  ASSERT_EQ(world.events.up.size(), 1u);
  const IkePeer& peer = world.events.up[0];
  EXPECT_EQ(peer.ike_sa, in->ike_sa);
  EXPECT_EQ(peer.version, 1);
  EXPECT_EQ(peer.identity, "192.168.7.2");
  EXPECT_EQ(peer.remote, *Endpoint::parse("198.51.100.9:40001"));
  EXPECT_EQ(peer.proposal, "AES_CBC-256/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_2048");
  EXPECT_TRUE(peer.nat);
  ASSERT_EQ(world.events.children_up.size(), 1u);
  EXPECT_EQ(world.events.children_up[0].inbound, in->spi);
  EXPECT_EQ(world.events.children_up[0].ike_sa, peer.ike_sa);
  EXPECT_TRUE(world.events.failures.empty());
}

TEST(Handshake, WithoutNatGivesRawEsp) {
  World world;
  Client& client = world.add_client({.address = "198.51.100.20"}, std::nullopt);
  world.start();
  ASSERT_TRUE(world.connect(client)) << client.outcome.value_or("no answer");
  expect_paired(world.plane, client.plane);
  EXPECT_FALSE(world.plane.find(true)->udp_encapsulated);
  EXPECT_EQ(world.plane.find(false)->destination, (Endpoint{*IpAddress::parse("198.51.100.20"), 0}));
  EXPECT_FALSE(world.events.up.at(0).nat);
}

TEST(Handshake, Ikev2WithGcm) {
  World world;
  Client& client = world.add_client(
      {.version = 2, .ike_proposal = "aes256gcm16-prfsha256-ecp256", .esp_proposal = "aes128gcm16"},
      Endpoint::parse("198.51.100.9:40000"));
  world.start();
  ASSERT_TRUE(world.connect(client)) << client.outcome.value_or("no answer");
  expect_paired(world.plane, client.plane);
  EXPECT_EQ(world.plane.find(true)->encryption, kAesGcm16);
  EXPECT_EQ(world.plane.find(true)->encryption_key.size(), 20u);  // with the salt
  EXPECT_EQ(world.plane.find(true)->integrity_key.size(), 0u);
  EXPECT_EQ(world.plane.find(true)->ike_version, 2);
}

// Homes everywhere use the same private addresses, and carriers put many of them behind one public one.
TEST(Handshake, ClientsWithOnePrivateAndOnePublicAddressStayApart) {
  World world;
  Client& one = world.add_client({}, Endpoint::parse("198.51.100.9:40000"));
  Client& two = world.add_client({}, Endpoint::parse("198.51.100.9:50000"));
  world.start();
  ASSERT_TRUE(world.connect(one)) << one.outcome.value_or("no answer");
  ASSERT_TRUE(world.connect(two)) << two.outcome.value_or("no answer");
  ASSERT_EQ(world.events.up.size(), 2u);
  EXPECT_EQ(world.events.up[0].identity, world.events.up[1].identity);
  EXPECT_NE(world.events.up[0].ike_sa, world.events.up[1].ike_sa);
  EXPECT_EQ(world.plane.count(true), 2u);
  EXPECT_NE(world.plane.sas.front().reqid, world.plane.sas.back().reqid);
  EXPECT_TRUE(world.events.down.empty());
}

TEST(Handshake, EachWindowsProposalIsTaken) {
  World world;
  Client& a =
      world.add_client({.address = "198.51.100.21", .ike_proposal = "aes256-sha1-ecp384"}, std::nullopt);
  Client& b = world.add_client(
      {.address = "198.51.100.22", .ike_proposal = "aes128-sha1-ecp256", .esp_proposal = "aes128-sha1"},
      std::nullopt);
  world.start();
  EXPECT_TRUE(world.connect(a)) << a.outcome.value_or("no answer");
  EXPECT_TRUE(world.connect(b)) << b.outcome.value_or("no answer");
}

}  // namespace
}  // namespace sluice::edge::test
