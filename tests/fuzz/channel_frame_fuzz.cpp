// link: sluice_channel
// Frames and messages of the control stream, and the payload of data frames. The first byte cuts the rest in
// pieces.
#include <algorithm>
#include <cstdlib>

#include "proto/channel/data_frame.hpp"
#include "proto/channel/frame.hpp"
#include "proto/channel/messages.hpp"

using namespace sluice;
using namespace sluice::channel;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}

void message(Bytes payload) {
  const auto decoded = decode(payload);
  if (!decoded || std::holds_alternative<UnknownMessage>(decoded.value())) return;
  const auto again = decode(encode(decoded.value()));
  require(again.ok() && again.value() == decoded.value());
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = data[0] == 0 ? size : data[0];
  const Bytes input(data + 1, size - 1);
  FrameDecoder decoder;
  for (std::size_t at = 0; at < input.size(); at += step) {
    decoder.feed(input.subspan(at, std::min(step, input.size() - at)));
    while (true) {
      const auto frame = decoder.next();
      if (!frame || !*frame) break;
      message(**frame);
    }
    require(decoder.buffered() <= kMaxFrame + kFrameHeader + input.size());
  }
  message(input);

  ByteVector payload(input.begin() + 1, input.end());
  const auto frame = parse_data_frame(input[0], payload);
  if (frame && frame.value().relay) require(frame.value().l2tp.size() >= kMinL2tp);
  return 0;
}
