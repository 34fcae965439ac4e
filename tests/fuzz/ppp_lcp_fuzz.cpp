// link: sluice_ppp
// LCP packets into a session that negotiates, then into one whose LCP is open.
#include "tests/unit/ppp/link.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteVector frame{0xff, 0x03, 0xc0, 0x21};
  frame.insert(frame.end(), data, data + size);
  ppp::test::Lone fresh;
  fresh.feed(frame);
  fresh.wait(std::chrono::seconds(60));
  ppp::test::Lone open;
  open.open_lcp();
  open.feed(frame);
  open.feed(frame);
  open.wait(std::chrono::seconds(60));
  return 0;
}
