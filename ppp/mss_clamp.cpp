#include "ppp/mss_clamp.hpp"

#include <optional>

namespace sluice::ppp {
namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kSyn = 0x02;
constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40, kTcpHeader = 20;
/// Extension headers walked at most.
constexpr unsigned kMaxExtensions = 8;

/// Where the TCP header starts; nothing if there is none, or this is not the first fragment.
std::optional<std::size_t> tcp_in_ipv4(Bytes ip) {
  const std::size_t header = (ip[0] & 0x0fU) * 4U;
  if (ip.size() < kIpv4Header || header < kIpv4Header || ip[9] != kTcp) return std::nullopt;
  if ((load_be16(ip.data() + 6) & 0x1fffU) != 0) return std::nullopt;
  return header;
}

std::optional<std::size_t> tcp_in_ipv6(Bytes ip) {
  if (ip.size() < kIpv6Header) return std::nullopt;
  std::uint8_t next = ip[6];
  std::size_t at = kIpv6Header;
  for (unsigned i = 0; i < kMaxExtensions; ++i) {
    if (next == kTcp) return at;
    if (at + 8 > ip.size()) return std::nullopt;
    switch (next) {
      case 0:   // hop-by-hop options
      case 43:  // routing
      case 60:  // destination options
        next = ip[at];
        at += (ip[at + 1] + 1U) * 8U;
        break;
      case 44:  // fragment
        if ((load_be16(ip.data() + at + 2) & 0xfff8U) != 0) return std::nullopt;
        next = ip[at];
        at += 8;
        break;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

/// RFC 1624 equation 3 for one 16-bit word. A word at an odd offset counts byte-swapped.
void update_checksum(std::uint8_t* checksum, std::uint16_t before, std::uint16_t after, bool odd) {
  const auto place = [odd](std::uint16_t v) {
    return odd ? static_cast<std::uint16_t>((v << 8) | (v >> 8)) : v;
  };
  std::uint32_t sum = static_cast<std::uint16_t>(~load_be16(checksum));
  sum += static_cast<std::uint16_t>(~place(before));
  sum += place(after);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  store_be16(checksum, static_cast<std::uint16_t>(~sum));
}

/// Walks the options of RFC 9293 §3.1.
bool clamp_options(MutableBytes tcp, std::size_t header, std::uint16_t limit) {
  for (std::size_t at = kTcpHeader; at < header;) {
    const std::uint8_t kind = tcp[at];
    if (kind == 0) return false;
    if (kind == 1) {
      ++at;
      continue;
    }
    if (at + 2 > header || tcp[at + 1] < 2 || at + tcp[at + 1] > header) return false;
    if (kind == 2 && tcp[at + 1] == 4) {
      const std::uint16_t before = load_be16(tcp.data() + at + 2);
      if (before <= limit) return false;
      store_be16(tcp.data() + at + 2, limit);
      update_checksum(tcp.data() + 16, before, limit, (at & 1U) != 0);
      return true;
    }
    at += tcp[at + 1];
  }
  return false;
}

}  // namespace

bool clamp_mss(MutableBytes ip, std::uint16_t mtu) {
  if (ip.empty()) return false;
  const unsigned version = ip[0] >> 4;
  const auto at = version == 4 ? tcp_in_ipv4(ip) : version == 6 ? tcp_in_ipv6(ip) : std::nullopt;
  const std::size_t overhead = (version == 4 ? kIpv4Header : kIpv6Header) + kTcpHeader;
  if (!at || *at + kTcpHeader > ip.size() || mtu <= overhead) return false;
  const MutableBytes tcp = ip.subspan(*at);
  const std::size_t header = (tcp[12] >> 4) * 4U;
  if ((tcp[13] & kSyn) == 0 || header < kTcpHeader || header > tcp.size()) return false;
  return clamp_options(tcp, header, static_cast<std::uint16_t>(mtu - overhead));
}

}  // namespace sluice::ppp
