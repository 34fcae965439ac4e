#include "ppp/mss_clamp.hpp"

#include <gtest/gtest.h>

namespace sluice::ppp {
namespace {

constexpr std::uint16_t kMtu = 1400;

/// The naive model: the whole checksum over pseudo header and segment.
std::uint16_t tcp_sum(Bytes ip, std::size_t tcp_at) {
  std::uint32_t sum = 6;
  const std::size_t length = ip.size() - tcp_at;
  sum += static_cast<std::uint32_t>(length);
  const Bytes pseudo = ip[0] >> 4 == 4 ? ip.subspan(12, 8) : ip.subspan(8, 32);
  for (const Bytes part : {pseudo, ip.subspan(tcp_at)}) {
    for (std::size_t i = 0; i < part.size(); ++i) sum += i % 2 == 0 ? part[i] * 256U : part[i];
  }
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);  // 0xffff when the checksum is right
}

/// A SYN with `options` (a multiple of four octets).
ByteVector syn(bool v6, Bytes options, std::uint8_t flags = 0x02, Bytes extension = {},
               std::uint8_t next = 6) {
  const std::size_t ip_size = v6 ? 40 + extension.size() : 20;
  ByteVector out(ip_size + 20 + options.size());
  out[0] = v6 ? 0x60 : 0x45;
  if (v6) {
    store_be16(out.data() + 4, static_cast<std::uint16_t>(out.size() - 40));
    out[6] = next;
    for (std::size_t i = 8; i < 40; ++i) out[i] = static_cast<std::uint8_t>(i * 7);
    std::copy(extension.begin(), extension.end(), out.begin() + 40);
  } else {
    store_be16(out.data() + 2, static_cast<std::uint16_t>(out.size()));
    out[9] = 6;
    for (std::size_t i = 12; i < 20; ++i) out[i] = static_cast<std::uint8_t>(i * 7);
  }
  std::uint8_t* tcp = out.data() + ip_size;
  store_be16(tcp, 40000);
  store_be16(tcp + 2, 80);
  store_be32(tcp + 4, 0x12345678);
  tcp[12] = static_cast<std::uint8_t>((5 + options.size() / 4) << 4);
  tcp[13] = flags;
  std::copy(options.begin(), options.end(), tcp + 20);
  const std::uint16_t sum = tcp_sum(out, ip_size);
  store_be16(tcp + 16, static_cast<std::uint16_t>(~sum));
  EXPECT_EQ(tcp_sum(out, ip_size), 0xffff);
  return out;
}
std::uint16_t mss(std::size_t value) {
  return static_cast<std::uint16_t>(value);
}

const ByteVector kMss1460{2, 4, 0x05, 0xb4};
const ByteVector kOddMss{1, 2, 4, 0x05, 0xb4, 1, 1, 0};

TEST(MssClamp, LowersToTheLinkAndMendsTheChecksum) {
  for (const bool v6 : {false, true}) {
    for (const auto& options : {kMss1460, kOddMss}) {
      ByteVector packet = syn(v6, options);
      const std::size_t tcp = v6 ? 40 : 20;
      ASSERT_TRUE(clamp_mss(packet, kMtu));
      const std::size_t at = tcp + 20 + (options.size() == 8 ? 3 : 2);
      EXPECT_EQ(load_be16(packet.data() + at), mss(v6 ? 1340 : 1360));
      EXPECT_EQ(tcp_sum(packet, tcp), 0xffff);
    }
  }
}

TEST(MssClamp, EveryMssKeepsTheChecksumRight) {
  for (unsigned value = 0; value < 0x10000; value += 13) {
    ByteVector options = value % 2 == 0 ? kMss1460 : kOddMss;
    store_be16(options.data() + (options.size() == 8 ? 3 : 2), static_cast<std::uint16_t>(value));
    ByteVector packet = syn(false, options);
    EXPECT_EQ(clamp_mss(packet, kMtu), value > 1360);
    ASSERT_EQ(tcp_sum(packet, 20), 0xffff) << value;
  }
}

TEST(MssClamp, LeavesSmallerMssAndOtherSegmentsAlone) {
  ByteVector small = syn(false, ByteVector{2, 4, 0x05, 0x00});
  EXPECT_FALSE(clamp_mss(small, kMtu));
  ByteVector ack = syn(false, kMss1460, 0x10);
  EXPECT_FALSE(clamp_mss(ack, kMtu));
  ByteVector fragment = syn(false, kMss1460);
  fragment[7] = 1;
  EXPECT_FALSE(clamp_mss(fragment, kMtu));
  ByteVector udp = syn(false, kMss1460);
  udp[9] = 17;
  EXPECT_FALSE(clamp_mss(udp, kMtu));
}

TEST(MssClamp, SynAckCountsToo) {
  ByteVector packet = syn(false, kMss1460, 0x12);
  EXPECT_TRUE(clamp_mss(packet, kMtu));
}

TEST(MssClamp, FindsTcpBehindIpv6Extensions) {
  const ByteVector hop_by_hop{6, 0, 1, 4, 0, 0, 0, 0};
  ByteVector packet = syn(true, kMss1460, 0x02, hop_by_hop, 0);
  EXPECT_TRUE(clamp_mss(packet, kMtu));
  EXPECT_EQ(tcp_sum(packet, 48), 0xffff);
  const ByteVector later_fragment{6, 0, 0, 8, 0, 0, 0, 1};
  ByteVector fragment = syn(true, kMss1460, 0x02, later_fragment, 44);
  EXPECT_FALSE(clamp_mss(fragment, kMtu));
}

TEST(MssClamp, SurvivesEveryTruncationAndBitFlip) {
  for (const bool v6 : {false, true}) {
    const ByteVector good = syn(v6, kOddMss);
    for (std::size_t cut = 0; cut < good.size(); ++cut) {
      ByteVector part(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut));
      const ByteVector before = part;
      EXPECT_EQ(clamp_mss(part, kMtu), part != before);
    }
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      ByteVector flipped = good;
      flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
      const ByteVector before = flipped;
      const bool changed = clamp_mss(flipped, kMtu);
      EXPECT_EQ(changed, flipped != before) << bit;
    }
  }
}

}  // namespace
}  // namespace sluice::ppp
