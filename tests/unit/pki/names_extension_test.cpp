#include "proto/pki/names_extension.hpp"

#include <botan/data_src.h>
#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "proto/pki/chain.hpp"
#include "proto/pki/issue.hpp"

namespace sluice::pki {
namespace {

std::vector<std::uint8_t> bytes(std::string_view hex) {
  const auto parsed = from_hex(hex);
  return {parsed->begin(), parsed->end()};
}

// RFC 5280 §4.2.1.6: dNSName is [2], iPAddress is [7].
const std::vector<std::uint8_t> kNames =
    bytes("30 1e  82 02 61 31  87 04 c0 00 02 01  87 10 20010db8000000000000000000000007  82 00");

TEST(NamesExtension, AddressesOfBothFamiliesAreRead) {
  EXPECT_EQ(addresses_in(kNames),
            (std::vector{*IpAddress::parse("192.0.2.1"), *IpAddress::parse("2001:db8::7")}));
}

TEST(NamesExtension, AddressesOfOddLengthAreRefused) {
  EXPECT_THROW(addresses_in(bytes("30 05 87 03 c0 00 02")), std::exception);
  EXPECT_THROW(addresses_in(bytes("30 02 87 00")), std::exception);
}

TEST(NamesExtension, TruncationsAndFlippedBitsAreSurvived) {
  for (std::size_t size = 0; size < kNames.size(); ++size)
    EXPECT_THROW(addresses_in({kNames.begin(), kNames.begin() + static_cast<std::ptrdiff_t>(size)}),
                 std::exception);
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < kNames.size() * 8; ++bit) {
    auto odd = kNames;
    odd[bit / 8] = static_cast<std::uint8_t>(odd[bit / 8] ^ (1U << (bit % 8)));
    try {
      EXPECT_LE(addresses_in(odd).size(), 3U);
    } catch (const std::exception&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0U);
}

TEST(NamesExtension, WhatIsIssuedIsReadAgain) {
  const auto ca = make_ca("ca", {});
  ASSERT_TRUE(ca.ok());
  const Subject subject{
      "edge1", Role::kEdge, {*IpAddress::parse("203.0.113.1"), *IpAddress::parse("2001:db8::1")}};
  const auto pair = issue_certificate(*ca, subject, {});
  ASSERT_TRUE(pair.ok()) << pair.error();
  const auto read = parse_certificates(pair->certificate);
  ASSERT_EQ(read.size(), 1U);
  const auto name = read_peer_name(read.front());
  ASSERT_TRUE(name.ok()) << name.error();
  EXPECT_EQ(name->name, "edge1");
  EXPECT_EQ(name->addresses, subject.addresses);
  EXPECT_TRUE(name->may_be_at(*IpAddress::parse("2001:db8::1")));
  EXPECT_FALSE(name->may_be_at(*IpAddress::parse("203.0.113.2")));
  EXPECT_EQ(read.front().subject_info("DNS"), std::vector<std::string>{"edge1"}) << "as others read it";
}

}  // namespace
}  // namespace sluice::pki
