#include "proto/channel/path_hello.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::channel {
namespace {

constexpr std::uint8_t kKind = 1;
constexpr std::uint8_t kHeardFlag = 1;

}  // namespace

std::optional<PathHello> parse_hello(Bytes bytes) {
  ByteReader reader(bytes);
  const auto kind = reader.u8();
  const auto flags = reader.u8();
  reader.u16();  // room for later
  PathHello hello;
  hello.heard = (flags & kHeardFlag) != 0;
  hello.probe = reader.u32();
  hello.probe_seen = reader.u32();
  if (!reader.ok() || kind != kKind) return std::nullopt;
  return hello;
}

void write_hello(const PathHello& hello, MutableBytes out) {
  assert(out.size() >= kHelloBytes);
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  ByteWriter writer(out);
  writer.u8(kKind);
  writer.u8(hello.heard ? kHeardFlag : 0);
  writer.u16(0);
  writer.u32(hello.probe);
  writer.u32(hello.probe_seen);
}

}  // namespace sluice::channel
