#include "backend-agent/tun/checksum.hpp"

#include <bit>

namespace sluice::agent {
namespace {

/// One's complement addition: the carry comes back in.
std::uint64_t add(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}
template <class Word>
Word load(const std::uint8_t* at) {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

std::uint64_t add_to_sum(std::uint64_t sum, Bytes bytes) {
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  // Four sums side by side, so that one addition need not wait for the carry of the one before.
  std::uint64_t lanes[4] = {sum, 0, 0, 0};
  for (; left >= 32; at += 32, left -= 32) {
    for (std::size_t i = 0; i < 4; ++i) lanes[i] = add(lanes[i], load<std::uint64_t>(at + 8 * i));
  }
  sum = add(add(lanes[0], lanes[1]), add(lanes[2], lanes[3]));
  for (; left >= 8; at += 8, left -= 8) sum = add(sum, load<std::uint64_t>(at));
  for (; left >= 2; at += 2, left -= 2) sum = add(sum, load<std::uint16_t>(at));
  if (left == 1) {
    const std::uint8_t padded[2] = {*at, 0};
    sum = add(sum, load<std::uint16_t>(padded));
  }
  return sum;
}

std::uint64_t add_to_sum(std::uint64_t sum, std::uint16_t value) {
  std::uint8_t wire[2];
  store_be16(wire, value);
  return add(sum, load<std::uint16_t>(wire));
}

std::uint16_t fold_sum(std::uint64_t sum) {
  for (int i = 0; i < 4; ++i) sum = (sum & 0xffff) + (sum >> 16);
  std::uint8_t wire[2];
  const auto folded = static_cast<std::uint16_t>(sum);
  std::memcpy(wire, &folded, sizeof folded);
  return load_be16(wire);
}

std::uint64_t pseudo_sum(Bytes ip, std::uint8_t protocol, std::size_t transport_size) {
  const bool v6 = ip[0] >> 4 == 6;
  const Bytes addresses = v6 ? ip.subspan(8, 32) : ip.subspan(12, 8);
  std::uint64_t sum = add_to_sum(0, addresses);
  sum = add_to_sum(sum, std::uint16_t{protocol});
  return add_to_sum(sum, static_cast<std::uint16_t>(transport_size));
}

}  // namespace sluice::agent
