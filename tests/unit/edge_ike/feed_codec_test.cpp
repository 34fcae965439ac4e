#include "edge/ike/feed_codec.hpp"

#include <gtest/gtest.h>

namespace sluice::edge::feed {
namespace {

const Endpoint kClient = *Endpoint::parse("198.51.100.9:40001"),
               kServer = *Endpoint::parse("203.0.113.1:4500"), kSix = *Endpoint::parse("[2001:db8::7]:4500");

SaSpec example_spec() {
  SaSpec spec;
  spec.spi = Spi(0xc1234567);
  spec.ike_sa = IkeSaId(9);
  spec.peer_identity = "192.168.7.2";
  spec.source = kClient;
  spec.destination = kServer;
  spec.inbound = spec.udp_encapsulated = spec.rekeyed = true;
  spec.replay_window = 32;
  spec.encryption = 12;
  spec.integrity = 2;
  spec.encryption_key = Secret(std::string_view("0123456789abcdef0123456789abcdef"));
  spec.integrity_key = Secret(std::string_view("0123456789abcdef0123"));
  spec.ike_version = 1;
  spec.reqid = 4;
  spec.lifetime = {1, 2, 3, 4, 5, 6};
  spec.local_port = 1701;
  spec.protocol = 17;
  spec.last_sequence = 0x1234567890;
  spec.reserved = 0x1234600000;
  spec.restored = true;
  spec.note = "0011aabb";
  return spec;
}

const ByteVector kDatagram{0xde, 0xad, 0xbe, 0xef, 0x01};

/// One frame of every type.
std::vector<Frame> examples() {
  std::vector<Frame> out;
  const SaRef ref{kClient, kServer, Spi(0xc1234567), SF_PROTOCOL_ESP, true};
  out.push_back({0, Hello{0x1122334455667788, 42}});
  Welcome welcome;
  welcome.boot = 77;
  out.push_back({0, welcome});
  out.push_back({1, GetSpi{kClient, kServer, 9, SF_PROTOCOL_ESP, "someone@example.org"}});
  out.push_back({2, AddSa{example_spec(), SF_PROTOCOL_ESP, 1}});
  out.push_back({3, UpdateSa{ref, kSix, kServer, true, false}});
  out.push_back({4, QuerySa{ref}});
  out.push_back({5, DelSa{ref}});
  out.push_back({6, Flush{}});
  out.push_back({7, Reply{10, 20, 30, SF_NOT_FOUND, Spi(5), "0011aabb"}});
  out.push_back({0, IkeIn{kClient, kServer, true, kDatagram}});
  out.push_back({0, IkeOut{kServer, kClient, false, kDatagram}});
  out.push_back({0, Expire{kServer, Spi(5), SF_PROTOCOL_ESP, true}});
  out.push_back({0, Mapping{Spi(5), kServer, kClient, kSix}});
  out.push_back({0, Alert{kServer, kClient, 9, SF_CAUSE_PEER_AUTH, 24, 1, true, "192.168.7.2"}});
  out.push_back({0, Adopted{3, 4}});
  out.push_back({0, Reserve{kClient, Spi(6), 1u << 21}});
  out.push_back({0, Reserved{kClient, Spi(6), 1u << 21, true}});
  out.push_back({0, Seen{{{Spi(0xc1234567), 77}, {Spi(0xc1234568), UINT64_MAX}}}});
  out.push_back({0, Restored{8, 1}});
  return out;
}

ByteVector bytes_of(const Frame& frame) {
  const Secret packet = serialize(frame);
  return {packet.bytes().begin(), packet.bytes().end()};
}

TEST(FeedCodec, EveryFrameComesBackAsItWas) {
  EXPECT_EQ(examples().size(), std::variant_size_v<Body>);
  for (const Frame& frame : examples()) {
    const ByteVector packet = bytes_of(frame);
    const auto parsed = parse(packet);
    ASSERT_TRUE(parsed) << describe(parsed.error());
    EXPECT_EQ(parsed->id, frame.id);
    EXPECT_EQ(parsed->body.index(), frame.body.index());
    EXPECT_EQ(bytes_of(*parsed), packet);
  }
}

TEST(FeedCodec, SaKeepsEveryField) {
  const ByteVector packet = bytes_of({2, AddSa{example_spec(), SF_PROTOCOL_ESP, 1}});
  const auto parsed = parse(packet);
  ASSERT_TRUE(parsed);
  const SaSpec& spec = std::get<AddSa>(parsed->body).spec;
  const SaSpec wanted = example_spec();
  EXPECT_EQ(spec.spi, wanted.spi);
  EXPECT_EQ(spec.ike_sa, wanted.ike_sa);
  EXPECT_EQ(spec.peer_identity, wanted.peer_identity);
  EXPECT_EQ(spec.source, wanted.source);
  EXPECT_EQ(spec.destination, wanted.destination);
  EXPECT_TRUE(spec.inbound && spec.udp_encapsulated && spec.rekeyed && spec.transport_mode);
  EXPECT_FALSE(spec.extended_sequence);
  EXPECT_EQ(spec.encryption_key.text(), wanted.encryption_key.text());
  EXPECT_EQ(spec.integrity_key.text(), wanted.integrity_key.text());
  EXPECT_EQ(spec.lifetime.soft_bytes, 1u);
  EXPECT_EQ(spec.lifetime.hard_seconds, 6u);
  EXPECT_EQ(spec.local_port, 1701);
  EXPECT_EQ(spec.remote_port, 0);
  EXPECT_EQ(spec.last_sequence, wanted.last_sequence);
  EXPECT_EQ(spec.reserved, wanted.reserved);
  EXPECT_TRUE(spec.restored);
  EXPECT_EQ(spec.note, wanted.note);
}

// The plugin writes the structures of the C header; so does this test, without the serializer.
TEST(FeedCodec, ReadsWhatTheCHeaderSays) {
  struct {
    sf_header header{SF_VERSION, SF_IKE_OUT, 0};
    sf_ike ike{};
    std::uint8_t data[3] = {1, 2, 3};
  } raw;
  raw.ike.src = {4, 0, 4500, {203, 0, 113, 1}};
  raw.ike.dst = {4, 0, 40001, {198, 51, 100, 9}};
  raw.ike.natt = 1;
  const std::size_t size = sizeof(sf_header) + sizeof(sf_ike) + 3;
  const auto parsed = parse(Bytes(reinterpret_cast<const std::uint8_t*>(&raw), size));
  ASSERT_TRUE(parsed);
  const auto& ike = std::get<IkeOut>(parsed->body);
  EXPECT_EQ(ike.source, kServer);
  EXPECT_EQ(ike.destination, kClient);
  EXPECT_TRUE(ike.marker);
  EXPECT_EQ(ike.datagram.size(), 3u);
}

TEST(FeedCodec, EveryTruncationIsRefusedOrAShorterDatagram) {
  for (const Frame& frame : examples()) {
    const ByteVector packet = bytes_of(frame);
    const bool open_ended =
        std::holds_alternative<IkeIn>(frame.body) || std::holds_alternative<IkeOut>(frame.body);
    for (std::size_t size = 0; size < packet.size(); ++size) {
      const auto parsed = parse(Bytes(packet).first(size));
      const bool whole_rows =
          std::holds_alternative<Seen>(frame.body) && size == sizeof(sf_header) + sizeof(sf_seen);
      if (whole_rows || (size >= packet.size() - kDatagram.size() + 1 && open_ended)) {
        EXPECT_TRUE(parsed);
      } else {
        EXPECT_FALSE(parsed) << "type " << frame.body.index() << " size " << size;
      }
    }
  }
}

TEST(FeedCodec, EverySingleBitFlipIsRefusedOrSerializesAgain) {
  for (const Frame& frame : examples()) {
    ByteVector packet = bytes_of(frame);
    for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
      packet[bit / 8] = static_cast<std::uint8_t>(packet[bit / 8] ^ (1u << (bit % 8)));
      if (const auto parsed = parse(packet)) {
        const ByteVector again = bytes_of(*parsed);
        const auto reparsed = parse(again);
        ASSERT_TRUE(reparsed);
        EXPECT_EQ(bytes_of(*reparsed), again);
      }
      packet[bit / 8] = static_cast<std::uint8_t>(packet[bit / 8] ^ (1u << (bit % 8)));
    }
  }
}

Fault fault_of(ByteVector packet) {
  const auto parsed = parse(packet);
  return parsed ? Fault::kCount : parsed.error();
}

TEST(FeedCodec, NamesTheFault) {
  ByteVector add = bytes_of({2, AddSa{example_spec(), SF_PROTOCOL_ESP, 1}});
  EXPECT_EQ(fault_of({}), Fault::kTooShort);
  auto packet = add;
  packet[0] = 9;
  EXPECT_EQ(fault_of(packet), Fault::kVersion);
  packet = add;
  packet[2] = 99;
  EXPECT_EQ(fault_of(packet), Fault::kType);
  packet = add;
  packet.push_back(0);
  EXPECT_EQ(fault_of(packet), Fault::kLength);
  packet = add;
  packet[sizeof(sf_header) + offsetof(sf_sa, src)] = 5;
  EXPECT_EQ(fault_of(packet), Fault::kAddress);
  packet = add;
  packet[sizeof(sf_header) + offsetof(sf_sa, encr_key_size)] = SF_MAX_KEY + 1;
  EXPECT_EQ(fault_of(packet), Fault::kKeySize);
  packet = add;
  packet[sizeof(sf_header) + offsetof(sf_sa, mode)] = 4;
  EXPECT_EQ(fault_of(packet), Fault::kValue);
  packet = add;
  for (std::size_t i = 0; i < SF_MAX_ID; ++i) packet[sizeof(sf_header) + offsetof(sf_sa, peer_id) + i] = 'x';
  EXPECT_EQ(fault_of(packet), Fault::kText);
}

TEST(FeedCodec, LongIdentitiesAreCutNotSpilled) {
  SaSpec spec = example_spec();
  spec.peer_identity.assign(4000, 'x');
  const ByteVector packet = bytes_of({2, AddSa{std::move(spec), SF_PROTOCOL_ESP, 1}});
  const auto parsed = parse(packet);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<AddSa>(parsed->body).spec.peer_identity.size(), SF_MAX_ID - 1u);
}

}  // namespace
}  // namespace sluice::edge::feed
