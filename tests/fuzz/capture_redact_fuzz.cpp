// link: sluice_edge_capture
// Any bytes as a PPP frame and as an L2TP packet: nothing outside is touched, twice blanks no more than once,
// and a tap's PPP frames hold nothing that its L2TP packets blank.
#include <algorithm>
#include <cstdlib>

#include "edge/capture/redact.hpp"
#include "edge/capture/tap.hpp"

namespace {

using namespace sluice;
using namespace sluice::edge;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(Bytes input, void (*redact)(MutableBytes)) {
  ByteVector once(input.begin(), input.end());
  redact(once);
  for (std::size_t i = 0; i < input.size(); ++i) require(once[i] == input[i] || once[i] == kBlank);
  auto twice = once;
  redact(twice);
  require(twice == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  check(input, redact_ppp);
  check(input, redact_l2tp);
  static const auto edge = *Endpoint::parse("192.0.2.1:4500"), client = *Endpoint::parse("203.0.113.5:4500");
  CaptureTap tap({.id = 1, .filter = {}, .points = 7, .clock = {}});
  ByteVector udp(8 + size);
  std::copy(input.begin(), input.end(), udp.begin() + 8);
  tap.inner({edge, client, true, {}}, udp, {});
  const auto l2tp = tap.next();
  if (!l2tp) return 0;
  require(l2tp->bytes.size() == 20 + udp.size());
  if (const auto ppp = tap.next()) {
    const auto frame = Bytes(ppp->bytes).subspan(2);
    const auto& all = l2tp->bytes;
    require(frame.empty() || std::search(all.begin(), all.end(), frame.begin(), frame.end()) != all.end());
  }
  return 0;
}
