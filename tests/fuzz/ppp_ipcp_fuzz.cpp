// link: sluice_ppp
// IPCP packets into a server that has given out addresses, and into a client that asks for one.
#include <cstdlib>

#include "tests/unit/ppp/link.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes packet(data, size);
  for (const ppp::Role role : {ppp::Role::kServer, ppp::Role::kClient}) {
    ppp::PppConfig config;
    config.role = role;
    ppp::Drops drops;
    ppp::Outbox out;
    ppp::Ipcp ipcp(config, out, drops);
    if (role == ppp::Role::kServer) ipcp.assign(ppp::test::addresses());
    Instant now{std::chrono::hours(1)};
    ipcp.open(now);
    ipcp.up(now);
    for (int i = 0; i < 3; ++i) ipcp.on_packet(packet, now);
    for (int i = 0; i < 30 && ipcp.next_timeout(); ++i) {
      now = *ipcp.next_timeout();
      ipcp.on_timeout(now);
    }
    if (ipcp.next_timeout()) std::abort();  // ends, whatever came
    if (role == ppp::Role::kServer && !(ipcp.addresses() == ppp::test::addresses())) std::abort();
  }
  return 0;
}
