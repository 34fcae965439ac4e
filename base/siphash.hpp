#pragma once
// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012): a hash that nobody without the
// key can steer, for tables whose keys strangers choose.

#include <array>
#include <bit>
#include <cstdint>

#include "base/bytes.hpp"

namespace sluice {

using SipKey = std::array<std::uint8_t, 16>;

namespace siphash_detail {

inline std::uint64_t load_le64(const std::uint8_t* p, std::size_t count = 8) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < count; ++i) word |= std::uint64_t{p[i]} << (8 * i);
  return word;
}

struct State {
  std::uint64_t v0, v1, v2, v3;
  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  }
  void take(std::uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
};

}  // namespace siphash_detail

inline std::uint64_t siphash(const SipKey& key, Bytes data) {
  using siphash_detail::load_le64;
  const std::uint64_t k0 = load_le64(key.data()), k1 = load_le64(key.data() + 8);
  siphash_detail::State s{k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL,
                          k1 ^ 0x7465646279746573ULL};
  std::size_t at = 0;
  for (; at + 8 <= data.size(); at += 8) s.take(load_le64(data.data() + at));
  s.take(load_le64(data.data() + at, data.size() - at) | (std::uint64_t{data.size() & 0xff} << 56));
  s.v2 ^= 0xff;
  s.rounds(4);
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace sluice
