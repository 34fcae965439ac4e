#include "ppp/mppe.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace sluice::ppp {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> fixed(std::string_view hex) {
  const auto bytes = from_hex(hex).value();
  std::array<std::uint8_t, N> out{};
  EXPECT_EQ(bytes.size(), N);
  std::copy_n(bytes.begin(), std::min(N, bytes.size()), out.begin());
  return out;
}

TEST(Mppe, Rfc3079Section35) {
  // The password, the response and its challenges are those of RFC 2759 §9.2.
  const auto hash = nt_hash("clientPass").value();
  const auto response = fixed<24>("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df");
  const Secret master = mppe_master_key(hash, response);
  EXPECT_EQ(to_hex(master.bytes()), "fdece3717a8c838cb388e527ae3cdd31");
  EXPECT_EQ(to_hex(mppe_start_key(master, 8, true, MppeSide::kServer).bytes()), "8b7cdc149b993a1b");
  EXPECT_EQ(to_hex(mppe_start_key(master, 16, true, MppeSide::kServer).bytes()),
            "8b7cdc149b993a1ba118cb153f56dccb");
}

TEST(Mppe, WhatOneSideSendsWithTheOtherReceivesWith) {
  const Secret master = mppe_master_key(nt_hash("clientPass").value(), NtResponse{});
  for (const bool sending : {true, false}) {
    const Secret ours = mppe_start_key(master, 16, sending, MppeSide::kServer);
    EXPECT_TRUE(equal(ours.bytes(), mppe_start_key(master, 16, !sending, MppeSide::kClient).bytes()));
    EXPECT_FALSE(equal(ours.bytes(), mppe_start_key(master, 16, sending, MppeSide::kClient).bytes()));
  }
}

// The layeh/radius tests: a list of one-key objects; "want" ends a vector.
TEST(Mppe, LayehVectors) {
  std::ifstream in(SLUICE_VECTORS "/ppp/layeh-mppe.json");
  const auto json = nlohmann::json::parse(in);
  std::map<std::string, std::string> row;
  int checked = 0;
  for (const auto& item : json) {
    const std::string key = item.begin().key();
    row[key] = item.begin().value().get<std::string>();
    if (key != "want") continue;
    ++checked;
    if (row["test"] == "TestGetMasterKey") {
      EXPECT_EQ(to_hex(mppe_master_key(nt_hash("clientPass").value(), fixed<24>(row["ntResponse"])).bytes()),
                row["want"]);
    } else {
      const Secret master(Bytes(fixed<16>(row["masterKey"])));
      EXPECT_EQ(to_hex(mppe_start_key(master, row["want"].size() / 2, true, MppeSide::kServer).bytes()),
                row["want"]);
    }
  }
  EXPECT_EQ(checked, 3);
}

}  // namespace
}  // namespace sluice::ppp
