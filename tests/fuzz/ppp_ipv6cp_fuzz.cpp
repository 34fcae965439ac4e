// link: sluice_ppp
// IPV6CP packets into an end that negotiates; whatever comes, it ends, and the identifiers stay apart.
#include <cstdlib>

#include "tests/unit/ppp/link.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes packet(data, size);
  ppp::PppConfig config;
  ppp::Drops drops;
  ppp::Outbox out;
  ppp::test::SeededRandom random(1);
  ppp::Ipv6cp ipv6cp(config, random, out, drops);
  Instant now{std::chrono::hours(1)};
  ipv6cp.open(now);
  ipv6cp.up(now);
  for (int i = 0; i < 3; ++i) {
    // Let an answer be to what was asked last.
    ByteVector copy(packet.begin(), packet.end());
    while (auto frame = out.pop()) {
      if (frame->size() > 5 && (*frame)[4] == 1 && copy.size() > 1) copy[1] = (*frame)[5];
    }
    ipv6cp.on_packet(copy, now);
    if (ipv6cp.opened() && (ipv6cp.local_id() == ipv6cp.remote_id() || ipv6cp.remote_id() == 0)) std::abort();
    ppp::Ipv6cp moved(config, random, out, drops);
    if (!moved.restore(ipv6cp.snapshot(now), now)) std::abort();
  }
  for (int i = 0; i < 40 && ipv6cp.next_timeout(); ++i) {
    now = *ipv6cp.next_timeout();
    ipv6cp.on_timeout(now);
  }
  if (ipv6cp.next_timeout()) std::abort();
  return 0;
}
