#include "lab/swarm/echo.hpp"

#include <algorithm>

namespace sluice::swarm {
namespace {

constexpr std::size_t kIpHeader = 20, kIcmpHeader = 8;
constexpr std::uint8_t kIcmp = 1, kEchoRequest = 8, kEchoReply = 0, kTimeToLive = 64;
constexpr std::uint32_t kWindow = 64;

/// RFC 1071.
std::uint16_t checksum(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += load_be16(bytes.data() + i);
  if (bytes.size() % 2 != 0) sum += std::uint32_t{bytes.back()} << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace

void write_echo(MutableBytes packet, const IpAddress& from, const IpAddress& to, std::uint16_t id,
                const Echo& echo) {
  ByteWriter writer(packet);
  writer.u8(0x45);
  writer.u8(0);
  writer.u16(static_cast<std::uint16_t>(packet.size()));
  writer.u32(0);  // identification, fragments
  writer.u8(kTimeToLive);
  writer.u8(kIcmp);
  writer.u16(0);
  writer.u32(from.to_v4());
  writer.u32(to.to_v4());
  writer.u8(kEchoRequest);
  writer.u8(0);
  writer.u16(0);
  writer.u16(id);
  writer.u16(static_cast<std::uint16_t>(echo.number));
  writer.u32(echo.number);
  writer.u64(static_cast<std::uint64_t>(echo.sent.time_since_epoch().count()));
  std::fill(packet.begin() + static_cast<std::ptrdiff_t>(kSmallestEcho), packet.end(), std::uint8_t{0});
  store_be16(packet.data() + 10, checksum(packet.first(kIpHeader)));
  store_be16(packet.data() + kIpHeader + 2, checksum(packet.subspan(kIpHeader)));
}

std::optional<Echo> parse_echo_reply(Bytes packet) {
  if (packet.size() < kSmallestEcho || packet[0] != 0x45 || packet[9] != kIcmp) return std::nullopt;
  const Bytes icmp = packet.subspan(kIpHeader);
  if (icmp[0] != kEchoReply || checksum(icmp) != 0) return std::nullopt;
  ByteReader reader(icmp.subspan(kIcmpHeader));
  const std::uint32_t number = reader.u32();
  return Echo{number, Instant(Duration(static_cast<std::int64_t>(reader.u64())))};
}

bool EchoCount::answered(std::uint32_t number) {
  if (number == 0 || number > sent_) return false;
  if (number > newest_) {
    const std::uint32_t step = number - newest_;
    window_ = step >= kWindow ? 0 : window_ << step;
    newest_ = number;
  }
  const std::uint32_t back = newest_ - number;
  if (back >= kWindow || (window_ >> back & 1) != 0) return false;
  window_ |= std::uint64_t{1} << back;
  ++answered_;
  return true;
}

}  // namespace sluice::swarm
