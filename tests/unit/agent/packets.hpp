#pragma once
// TCP and UDP packets with right checksums, for tests of the TUN device. The checksum is the plain loop of
// RFC 1071.

#include <cstdint>
#include <functional>

#include "base/bytes.hpp"

namespace sluice::agent::test {

inline std::uint16_t fold(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}
inline std::uint32_t sum16(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
  return sum;
}
/// Of the pseudo header, not complemented.
inline std::uint16_t pseudo_checksum(Bytes ip, std::size_t transport, std::uint8_t protocol) {
  const Bytes addresses = ip[0] >> 4 == 6 ? ip.subspan(8, 32) : ip.subspan(12, 8);
  return fold(sum16(addresses) + protocol + static_cast<std::uint32_t>(ip.size() - transport));
}

struct PacketParts {
  bool v6 = false;
  std::uint8_t tos = 0, ttl = 64;
  std::uint16_t id = 7;
  bool dont_fragment = false;
  std::uint16_t from = 4000, to = 5000;
  std::size_t payload = 1000;

  std::size_t network() const { return v6 ? 40 : 20; }
  ByteVector start(std::uint8_t protocol, std::size_t header) const {
    ByteVector out(network() + header + payload);
    for (std::size_t i = 0; i < payload; ++i)
      out[network() + header + i] = static_cast<std::uint8_t>(i * 7 + id);
    if (v6) {
      out[0] = 0x60;
      out[1] = static_cast<std::uint8_t>(tos << 4);
      store_be16(out.data() + 4, static_cast<std::uint16_t>(out.size() - 40));
      out[6] = protocol;
      out[7] = ttl;
      out[8] = out[24] = 0xfd;
      out[23] = 1;
      out[39] = 2;
    } else {
      out[0] = 0x45;
      out[1] = tos;
      store_be16(out.data() + 2, static_cast<std::uint16_t>(out.size()));
      store_be16(out.data() + 4, id);
      store_be16(out.data() + 6, dont_fragment ? 0x4000 : 0);
      out[8] = ttl;
      out[9] = protocol;
      store_be32(out.data() + 12, 0x0a630002);
      store_be32(out.data() + 16, 0xc0000201);
      store_be16(out.data() + 10, static_cast<std::uint16_t>(~fold(sum16(Bytes(out).first(20)))));
    }
    store_be16(out.data() + network(), from);
    store_be16(out.data() + network() + 2, to);
    return out;
  }
  void finish(ByteVector& out, std::uint8_t protocol, std::size_t checksum_at) const {
    const std::uint32_t sum =
        pseudo_checksum(out, network(), protocol) + sum16(Bytes(out).subspan(network()));
    const auto checksum = static_cast<std::uint16_t>(~fold(sum));
    store_be16(out.data() + network() + checksum_at, checksum == 0 ? 0xffff : checksum);
  }
};

struct Tcp : PacketParts {
  std::uint32_t sequence = 0xfffff000, acknowledgement = 1;
  std::uint16_t window = 500;
  std::uint8_t flags = 0x10;

  ByteVector packet() const {
    auto out = start(6, 32);
    std::uint8_t* tcp = out.data() + network();
    store_be32(tcp + 4, sequence);
    store_be32(tcp + 8, acknowledgement);
    tcp[12] = 8 << 4;
    tcp[13] = flags;
    store_be16(tcp + 14, window);
    store_be32(tcp + 20, 0x0101080a);  // two fillers and a timestamp
    finish(out, 6, 16);
    return out;
  }
};

struct Udp : PacketParts {
  ByteVector packet() const {
    auto out = start(17, 8);
    store_be16(out.data() + network() + 4, static_cast<std::uint16_t>(8 + payload));
    finish(out, 17, 6);
    return out;
  }
};

}  // namespace sluice::agent::test
