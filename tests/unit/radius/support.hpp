#pragma once
// What the RADIUS tests share: repeatable randomness, packets as text, a server that answers.

#include <botan/hash.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backend-agent/radius/core/sign.hpp"
#include "base/text.hpp"
#include "tests/unit/proto/seeded_random.hpp"

namespace sluice::radius::test {

using sluice::test::SeededRandom;

inline Packet parsed(Bytes bytes) {
  auto packet = Packet::parse(bytes);
  EXPECT_TRUE(packet.ok());
  return packet ? *packet : *Packet::parse(*from_hex("0100001400000000000000000000000000000000"));
}
inline ByteVector reply_to(Bytes request, const Draft& draft, std::string_view secret) {
  return sign_reply(draft, request[1], request.subspan(4, 16), as_bytes(secret)).value();
}
/// The same without Message-Authenticator, as old servers answer.
inline ByteVector plain_reply_to(Bytes request, Code code, std::string_view secret) {
  ByteVector out(kHeaderSize);
  out[0] = static_cast<std::uint8_t>(code);
  out[1] = request[1];
  out[3] = kHeaderSize;
  std::copy_n(request.begin() + 4, 16, out.begin() + 4);
  const auto md5 = Botan::HashFunction::create_or_throw("MD5");
  md5->update(out.data(), out.size());
  md5->update(as_bytes(secret).data(), secret.size());
  md5->final(out.data() + 4);
  return out;
}

}  // namespace sluice::radius::test
