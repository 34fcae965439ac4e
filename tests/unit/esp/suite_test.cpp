#include "esp/suite.hpp"

#include "support.hpp"

namespace sluice::esp {
namespace {

TEST(Suite, IsFoundByItsTransformIdsAndKeySizes) {
  for (const auto& s : suites()) {
    const auto found = find_suite(s.encryption_id, s.integrity_id, s.keying_size(), s.integrity_key_size);
    ASSERT_TRUE(found.ok()) << s.name << ": " << found.error();
    EXPECT_EQ(*found, &s) << s.name;
  }
}

TEST(Suite, TakesKeysAsCharonHandsThemOver) {
  EXPECT_EQ((*find_suite(20, 0, 20, 0))->id, SuiteId::kAesGcm128);  // 16 bytes and 4 of salt
  EXPECT_EQ((*find_suite(20, 1024, 36, 0))->id, SuiteId::kAesGcm256);
  EXPECT_EQ((*find_suite(28, 0, 36, 0))->id, SuiteId::kChaCha20Poly1305);
  EXPECT_EQ((*find_suite(12, 2, 16, 20))->id, SuiteId::kAes128CbcSha1);
  EXPECT_EQ((*find_suite(12, 12, 32, 32))->id, SuiteId::kAes256CbcSha256);
  EXPECT_EQ((*find_suite(3, 2, 24, 20))->id, SuiteId::kTripleDesCbcSha1);
}

TEST(Suite, OnlyTripleDesIsWeak) {
  for (const auto& s : suites()) EXPECT_EQ(s.weak, s.id == SuiteId::kTripleDesCbcSha1) << s.name;
}

TEST(Suite, ErrorsSayWhatIsNotSupported) {
  EXPECT_NE(find_suite(11, 2, 0, 20).error().find("NULL"), std::string::npos);
  EXPECT_NE(find_suite(99, 2, 16, 20).error().find("encryption transform 99"), std::string::npos);
  EXPECT_NE(find_suite(12, 1, 16, 16).error().find("integrity transform 1"),
            std::string::npos);  // HMAC-MD5-96
  EXPECT_NE(find_suite(12, 0, 16, 0).error().find("integrity transform 0"),
            std::string::npos);                                                       // no integrity
  EXPECT_NE(find_suite(20, 0, 16, 0).error().find("16/0 bytes"), std::string::npos);  // salt missing
  EXPECT_NE(find_suite(20, 0, 28, 0).error().find("28/0 bytes"), std::string::npos);  // AES-192-GCM
}

TEST(Suite, LargestPayloadFillsTheMtuAndOneByteMoreDoesNotFit) {
  for (const auto& s : suites()) {
    for (const bool ipv6 : {false, true}) {
      for (const bool udp : {false, true}) {
        for (const std::uint32_t mtu : {576U, 1280U, 1492U, 1500U, 9000U}) {
          const std::size_t outer = (ipv6 ? 40 : 20) + (udp ? 8 : 0);
          const std::size_t most = max_payload(s, {mtu, ipv6, udp});
          EXPECT_LE(outer + sealed_size(s, most), mtu) << s.name;
          EXPECT_GT(outer + sealed_size(s, most + 1), mtu) << s.name;
        }
      }
    }
  }
}

TEST(Suite, LargestPayloadOfKnownCases) {
  // IPv4, UDP: 1500 - 20 - 8 - 8 (ESP) - 16 (IV) - 12 (ICV) = 1436, in blocks 1424, less pad length and next
  // header.
  EXPECT_EQ(max_payload(suite(SuiteId::kAes256CbcSha1), {1500, false, true}), 1422U);
  EXPECT_EQ(max_payload(suite(SuiteId::kAesGcm128), {1500, false, true}), 1438U);
  EXPECT_EQ(max_payload(suite(SuiteId::kAesGcm128), {60, false, true}), 0U);
}

TEST(PacketBuffer, MovesItsEdgesOnlyWithinTheBuffer) {
  ByteVector storage(20);
  auto p = PacketBuffer::within(storage, 8, 4);
  EXPECT_EQ(p.headroom(), 8U);
  EXPECT_EQ(p.tailroom(), 8U);
  EXPECT_FALSE(p.prepend(9));
  EXPECT_FALSE(p.append(9));
  EXPECT_FALSE(p.drop_front(5));
  EXPECT_FALSE(p.drop_back(5));
  EXPECT_TRUE(p.prepend(8) && p.append(8));
  EXPECT_EQ(p.data(), storage.data());
  EXPECT_EQ(p.length, 20U);
  EXPECT_TRUE(p.drop_front(19) && p.drop_back(1));
  EXPECT_EQ(p.length, 0U);
}

TEST(EspHeader, NeedsEightBytes) {
  const std::uint8_t raw[] = {1, 2, 3, 4, 0, 0, 1, 0};
  const auto header = parse_esp_header(raw);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->spi, Spi(0x01020304));
  EXPECT_EQ(header->sequence, 256U);
  EXPECT_FALSE(parse_esp_header(Bytes(raw).first(7)));
}

}  // namespace
}  // namespace sluice::esp
