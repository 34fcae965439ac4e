// link: sluice_ppp
// DHCPv4 messages, as such and within the IP packet around them.
#include <cstdlib>

#include "ppp/dhcp_inform.hpp"
#include "tests/unit/ppp/link.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  ppp::Addresses addresses = ppp::test::addresses();
  addresses.split_routes = {*Prefix::parse("10.0.0.0/8"), *Prefix::parse("192.168.4.0/23")};
  addresses.domain = "corp.example";
  if (const auto reply = ppp::answer_inform(input, addresses)) {
    if (reply->to != addresses.remote || reply->message.size() < 300) std::abort();
  }
  ppp::PppConfig config;
  ppp::Drops drops;
  ppp::Outbox out;
  ppp::test::SeededRandom random(1);
  ppp::LinkServices link(config, random, out, drops);
  (void)link.take_ipv4(input, addresses);
  if (size > 1400) return 0;
  const ByteVector packet = ppp::make_udp({addresses.remote, 68}, {addresses.local, 67}, input);
  if (!link.take_ipv4(packet, addresses)) std::abort();  // for port 67 here: dealt with, one way or the other
  while (auto frame = out.pop()) {
    const auto ip = ppp::parse_ip(Bytes(*frame).subspan(4));
    if (!ip || !ppp::parse_udp(*ip)) std::abort();
  }
  return 0;
}
