// link: sluice_l2tp
// Control messages, with the tunnel secret known and unknown: views stay inside, descriptions are printable.
#include <algorithm>
#include <cstdlib>

#include "l2tp/observer.hpp"

namespace {

using namespace sluice;
using namespace sluice::l2tp;

void require(bool holds) {
  if (!holds) std::abort();
}

void look_at(const Message& message) {
  std::size_t sum = 0;
  for (const Avp& avp : message.avps()) {
    for (const auto byte : avp.value) sum += byte;  // a view out of bounds shows here
    require(!describe(avp).empty());
  }
  require(sum <= message.avps().size() * kMaxAvpValue * 255);
  require(message.avps().size() <= Message::kMaxAvps);
  const auto cause = message.close_cause();
  require(!describe(cause).empty());
  if (message.fault()) require(!fault_words(*message.fault()).empty());
  message.u16(AvpType::kAssignedTunnelId);
  message.u32(AvpType::kFramingCapabilities);
  message.u64(AvpType::kTieBreaker);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Secret secret("sluice");
  const Bytes packet(data, size);
  for (const Secret* known : {static_cast<const Secret*>(nullptr), &secret}) {
    const std::string words = describe_packet(packet, known);
    require(std::all_of(words.begin(), words.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
    const auto header = parse_header(packet);
    // The AVPs of a packet, or the input itself as AVPs.
    const Bytes avps = header.ok() && header->control ? header->payload : packet;
    if (const auto message = parse_message(avps, known)) look_at(*message);
  }
  if (const auto info = read_sccrq(packet)) {
    require(info->assigned_tunnel.value() != 0);
    require(parse_header(refuse_sccrq(*info, "no server"))->tunnel == info->assigned_tunnel);
  }
  return 0;
}
