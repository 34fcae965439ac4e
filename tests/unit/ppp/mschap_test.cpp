#include "ppp/mschap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace sluice::ppp {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> fixed(std::string_view hex) {
  const auto bytes = from_hex(hex).value();
  EXPECT_EQ(bytes.size(), N);
  std::array<std::uint8_t, N> out{};
  std::copy_n(bytes.begin(), std::min(N, bytes.size()), out.begin());
  return out;
}

// RFC 2759 §9.2.
const std::string kUser = "User";
const std::string kPassword = "clientPass";
const auto kAuthenticator = fixed<16>("5b5d7c7d7b3f2f3e3c2c602132262628");
const auto kPeer = fixed<16>("21402324255e262a28295f2b3a337c7e");

TEST(MsChap, Rfc2759Section9) {
  const auto hash = nt_hash(kPassword).value();
  EXPECT_EQ(to_hex(hash), "44ebba8d5312b8d611474411f56989ae");
  EXPECT_EQ(to_hex(challenge_hash(kPeer, kAuthenticator, kUser)), "d02e4386bce91226");
  const auto response = nt_response(kAuthenticator, kPeer, kUser, hash);
  EXPECT_EQ(to_hex(response), "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df");
  EXPECT_EQ(authenticator_response(hash, response, kPeer, kAuthenticator, kUser),
            "S=407A5589115FD0D6209F510FE9C04566932CDA56");
}

TEST(MsChap, DomainInFrontOfTheNameDoesNotCount) {  // RFC 2759 §4
  EXPECT_EQ(challenge_hash(kPeer, kAuthenticator, "CORP\\User"),
            challenge_hash(kPeer, kAuthenticator, "User"));
  EXPECT_NE(challenge_hash(kPeer, kAuthenticator, "User2"), challenge_hash(kPeer, kAuthenticator, "User"));
}

TEST(MsChap, PasswordsBeyondAsciiAreUtf16) {
  // fc00 ac20 34d8 1edd in UTF-16LE; its MD4 was computed with OpenSSL.
  EXPECT_EQ(to_hex(nt_hash("\xc3\xbc\xe2\x82\xac\xf0\x9d\x84\x9e").value()),
            "0268c86dc10a07d3b7411ddff2c80a4a");
}

TEST(MsChap, IllFormedUtf8IsNoPassword) {
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(nt_hash(bad)) << to_hex(as_bytes(bad));
  }
}

// The layeh/radius tests: a list of one-key objects; a "case" begins a vector, its result ends it.
TEST(MsChap, LayehVectors) {
  std::ifstream in(SLUICE_VECTORS "/ppp/layeh-mschapv2.json");
  const auto json = nlohmann::json::parse(in);
  std::map<std::string, std::string> row;
  int checked = 0;
  for (const auto& item : json) {
    const std::string key = item.begin().key();
    row[key] = item.begin().value().get<std::string>();
    if (key == "want") {
      const auto response =
          nt_response(fixed<16>(row["authenticatorChallenge"]), fixed<16>(row["peerChallenge"]),
                      row["username_ascii"], nt_hash(row["password_ascii"]).value());
      EXPECT_EQ(to_hex(response), row["want"]);
      ++checked;
    } else if (key == "string") {
      EXPECT_EQ(authenticator_response(nt_hash(row["password_ascii"]).value(), fixed<24>(row["ntResponse"]),
                                       fixed<16>(row["peerChallenge"]),
                                       fixed<16>(row["authenticatorChallenge"]), row["username_ascii"]),
                row["string"]);
      ++checked;
    }
  }
  EXPECT_EQ(checked, 3);
}

}  // namespace
}  // namespace sluice::ppp
