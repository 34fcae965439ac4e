// link: sluice_esp
// The replay window against the naive model: byte 0 the size, then steps of two bytes, a kind and an amount.
#include <cstdlib>

#include "base/bytes.hpp"
#include "esp/replay.hpp"
#include "tests/unit/esp/replay_model.hpp"

namespace {
void require(bool condition) {
  if (!condition) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice::esp;
  if (size < 1) return 0;
  ReplayWindow window(std::uint32_t{64} << (data[0] % 7));
  ReplayModel model(window.size());
  for (std::size_t at = 1; at + 2 <= size; at += 2) {
    const std::uint64_t top = model.top();
    const std::uint64_t amount = data[at + 1];
    std::uint64_t sequence = 0;
    switch (data[at] % 6) {
      case 0:
        sequence = top + amount;
        break;
      case 1:
        sequence = top > amount ? top - amount : amount;
        break;
      case 2:
        sequence = top > amount * 16 ? top - amount * 16 : amount;
        break;
      case 3:
        sequence = top + amount * amount;
        break;
      case 4:
        sequence = top + (amount << 24);
        break;
      case 5:
        sequence = ((top >> 32) + 1) << 32 | amount;
        break;
    }
    if (sequence > UINT64_MAX / 2) continue;
    // A receiver sees the low half only. What it makes of it is a window's width behind the top or up to a
    // cycle ahead.
    const auto recovered = window.recover(static_cast<std::uint32_t>(sequence));
    if (recovered) require(recovered == model.recover(static_cast<std::uint32_t>(sequence)));
    const auto ticket = window.check(sequence);
    require(static_cast<bool>(ticket) == model.acceptable(sequence));
    if (!ticket) continue;
    require(window.commit(ticket));
    require(!window.commit(ticket));
    model.accept(sequence);
    require(window.top() == model.top());
  }
  return 0;
}
