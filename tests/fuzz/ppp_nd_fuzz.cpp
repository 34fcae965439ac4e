// link: sluice_ppp
// IPv6 packets for the link itself: solicitations, echoes, DHCPv6; the checksum is made right for half of
// them.
#include <cstdlib>

#include "tests/unit/ppp/link.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ppp::PppConfig config;
  ppp::Drops drops;
  ppp::Outbox out;
  ppp::test::SeededRandom random(1);
  ppp::LinkServices link(config, random, out, drops);
  const ppp::Addresses addresses = ppp::test::addresses_with_ipv6();
  Instant now{std::chrono::hours(1)};
  link.start(0x11, 0x22, 1400, now);
  const Bytes input(data, size);
  link.take_ipv6(input, addresses, now);
  if (const auto ip = ppp::parse_ip(input); ip && ip->source.is_v6() && ip->payload.size() >= 8) {
    ByteVector mended = ppp::make_icmpv6(ip->source, ip->destination, ip->payload);
    link.take_ipv6(mended, addresses, now);
  }
  for (int i = 0; i < 6 && link.next_timeout(); ++i) {
    now = *link.next_timeout();
    link.on_timeout(addresses, now);
  }
  while (auto frame = out.pop()) {
    const auto ip = ppp::parse_ip(Bytes(*frame).subspan(4));
    if (!ip || ip->source != ppp::link_local(0x11)) std::abort();
    if (ppp::transport_checksum(ip->source, ip->destination, ip->protocol, ip->payload) != 0) std::abort();
  }
  return 0;
}
