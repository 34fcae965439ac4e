// link: sluice_l2tp
// The header parser and the data path's classifier agree, stay inside the datagram, and survive a round trip.
#include <cstdlib>

#include "l2tp/header.hpp"

namespace {

using namespace sluice;
using namespace sluice::l2tp;

void require(bool holds) {
  if (!holds) std::abort();
}

void round_trip(const Header& header) {
  ByteVector buffer(16 + header.offset_size + header.payload.size());
  ByteWriter out(buffer);
  write_header(header, header.payload.size(), out);
  out.bytes(header.payload);
  require(out.ok());
  const auto again = parse_header(out.written());
  require(again.ok() && again->control == header.control && again->tunnel == header.tunnel &&
          again->session == header.session && again->ns == header.ns && again->nr == header.nr &&
          again->offset_size == header.offset_size && equal(again->payload, header.payload));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes datagram(data, size);
  const auto header = parse_header(datagram);
  const auto quick = classify(datagram);
  require(header.ok() == (quick.kind != PacketKind::kBad));
  if (!header) {
    require(header.error() == quick.reason && quick.reason != DropReason::kNone);
    return 0;
  }
  require(quick.is_control() == header->control && quick.tunnel == header->tunnel &&
          quick.session == header->session && quick.payload_size == header->payload.size());
  require(std::size_t{quick.payload_offset} + quick.payload_size <= size);
  require(header->payload.empty() || header->payload.data() == data + quick.payload_offset);
  round_trip(*header);
  return 0;
}
