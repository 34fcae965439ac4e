// link: sluice_edge_placement
// The file in which the edge notes what it drains; and patterns of placement rules against identities.
#include <cstdlib>
#include <string_view>

#include "edge/placement/drains.hpp"
#include "edge/placement/placement.hpp"

using namespace sluice::edge;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto orders = orders_of(text)) {
    Drains drains;
    for (const auto& order : *orders) drains.begin(order);
    const auto again = orders_of(drains.to_text());
    if (!again || *again != drains.all()) std::abort();
  }
  const auto half = size / 2;
  // Whatever matches a pattern matches it with a star behind.
  if (half < 512 && matches(text.substr(0, half), text.substr(half)) &&
      !matches(std::string(text.substr(0, half)) + "*", text.substr(half)))
    std::abort();
  (void)in_realm(text.substr(half), text.substr(0, half));
  return 0;
}
