// link: sluice_ppp
// Headers, packets, options, PAP and CHAP bodies, and the MSS clamp.
#include <cstdlib>

#include "ppp/auth.hpp"
#include "ppp/frame.hpp"
#include "ppp/mss_clamp.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  if (const auto frame = ppp::parse_frame(input); frame.ok() && frame.value().header_size > size)
    std::abort();
  if (const auto packet = ppp::parse_cp_packet(input)) {
    ppp::CpOptionReader options(packet->body);
    std::size_t total = 0;
    while (const auto option = options.next()) total += option->whole.size();
    if (options.ok() && total != packet->body.size()) std::abort();
    (void)ppp::parse_pap_request(packet->body);
    (void)ppp::parse_chap_value(packet->body);
  }
  ByteVector ip(data, data + size);
  const bool changed = ppp::clamp_mss(ip, 1400);
  if (changed == equal(ip, input)) std::abort();
  return 0;
}
