// link: sluice_channel
// One end of the TLS data carrier against a peer that says anything, and whether UDP works as an end makes it
// out from any hellos. First byte: bit 0 the opening end, bit 1 the token is said before. Then records: a
// byte (0: frames are sent, else bytes come in), a 16-bit length, and for the latter that many bytes.
#include <algorithm>
#include <cstdlib>

#include "proto/channel/data_stream.hpp"
#include "proto/channel/path_health.hpp"

using namespace sluice;
using namespace sluice::channel;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}

void check_records(Bytes records) {
  std::size_t size = 0;
  for_each_record(records, [&](Bytes record) {
    require(record.size() >= kRecordHeader + kMinStreamFrame &&
            record.size() <= kRecordHeader + kMaxStreamFrame);
    size += record.size();
  });
  require(size == records.size());
}

void play(DataStream& stream, ByteReader in) {
  while (!in.at_end() && in.ok()) {
    const std::uint8_t action = in.u8();
    const std::uint16_t length = in.u16();
    if (action == 0) {
      ByteVector record(kRecordHeader + kMinStreamFrame + length % (kMaxStreamFrame - kMinStreamFrame));
      store_be16(record.data(), static_cast<std::uint16_t>(record.size() - kRecordHeader));
      const auto before = stream.under_way();
      const bool taken = stream.send(record, 1);
      require(taken == (before + record.size() <= DataStream::kWindow));
    } else {
      const auto records = stream.on_bytes(in.bytes(std::min<std::size_t>(length, in.remaining())));
      if (!records) return;
      check_records(*records);
    }
    require(stream.under_way() <= DataStream::kWindow);
    if (action == 2) static_cast<void>(stream.poll_transmit());
  }
}

void health(ByteReader in) {
  Instant now{};
  PathHealth health(now);
  Instant good = now;
  while (!in.at_end()) {
    const std::uint8_t what = in.u8();
    now += std::chrono::milliseconds(what & 0x7f);
    if ((what & 0x80) != 0) {
      const auto hello = parse_hello(in.bytes(std::min(kHelloBytes, in.remaining())));
      if (hello) health.on_hello(*hello, now);
      if (hello && hello->heard) good = now;
    } else {
      health.tick(now);
      require(!health.udp_works() || now - good < PathTimes{}.detect);
    }
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteReader in(Bytes(data, size));
  const std::uint8_t start = in.u8();
  health(in);
  DataStream opening{StreamToken{}};
  if ((start & 1) != 0) {
    play(opening, in);
    return 0;
  }
  DataStream accepting;
  if ((start & 2) != 0) require(accepting.on_bytes(opening.poll_transmit()).ok());
  play(accepting, in);
  return 0;
}
