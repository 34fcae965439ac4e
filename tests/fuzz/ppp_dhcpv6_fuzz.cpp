// link: sluice_ppp
// DHCPv6 messages to the server's core; the server's identifier in them is made right now and then.
#include <algorithm>
#include <cstdlib>

#include "ppp/dhcpv6.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteVector duid(12, 1);
  const std::vector<IpAddress> dns{*IpAddress::parse("2001:db8::53")};
  const std::string domain = "corp.example";
  const ppp::Dhcpv6Offer offer{duid, Prefix::parse("2001:db8:100::/56"), dns, domain};
  const ppp::Dhcpv6Offer nothing{duid, std::nullopt, dns, domain};
  ppp::DelegatedLease lease;
  for (const auto* o : {&offer, &nothing, &offer}) {
    const auto reply = ppp::answer_dhcpv6(Bytes(data, size), *o, lease);
    if (!reply) continue;
    if (reply->size() < 4 || reply->size() > 1200 || !std::equal(data + 1, data + 4, reply->begin() + 1))
      std::abort();
    ByteReader in(Bytes(*reply).subspan(4));
    while (!in.at_end()) {
      in.skip(2);
      in.skip(in.u16());
    }
    if (!in.ok()) std::abort();
  }
  return 0;
}
