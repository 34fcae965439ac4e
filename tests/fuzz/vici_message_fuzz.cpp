// link: sluice_vici_wire
// Any bytes: a message that encodes to the same bytes again, or a fault within them.
#include <cstdlib>

#include "vici/message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sluice::Bytes bytes(data, size);
  const auto parsed = sluice::vici::parse_message(bytes);
  if (!parsed) {
    if (parsed.error().offset > size) std::abort();
    return 0;
  }
  const auto encoded = sluice::vici::encode(parsed.value());
  if (!encoded || !sluice::equal(encoded.value(), bytes)) std::abort();
  const auto copy = parsed.value();
  if (!(copy == parsed.value())) std::abort();
  (void)copy.to_text();
  return 0;
}
