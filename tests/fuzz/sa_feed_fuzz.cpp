// link: sluice_edge_ike_feed
// Any packet: refused, or a frame that serializes to a packet that says the same.
#include <cstdlib>

#include "edge/ike/feed_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  const auto frame = edge::feed::parse(Bytes(data, size));
  if (!frame) return 0;
  const Secret packet = edge::feed::serialize(*frame);
  const auto again = edge::feed::parse(packet.bytes());
  if (!again || again->id != frame->id || again->body.index() != frame->body.index()) std::abort();
  if (!equal(edge::feed::serialize(*again).bytes(), packet.bytes())) std::abort();
  return 0;
}
