// link: sluice_agent_tun
// Octet 0 says which way. Up: packets, each behind its length in one octet times four, are joined; every run
// must come apart into the packets it was made of. Down: an offload header and a packet, as the kernel might
// hand over.
#include <cstdlib>

#include "backend-agent/tun/coalescer.hpp"

using namespace sluice;
using namespace sluice::agent;

namespace {

std::vector<ByteVector> segment(const OffloadHeader& header, const ByteVector& packet) {
  if (header.kind == OffloadHeader::Kind::kNone) return {packet};
  auto segments = Segmenter::make(header, packet);
  std::vector<ByteVector> out;
  while (segments && !segments->done()) {
    ByteVector one(segments->next_size());
    segments->next(one);
    out.push_back(std::move(one));
  }
  return out;
}

void up(Bytes data) {
  std::vector<ByteVector> packets;
  for (ByteReader reader(data); !reader.at_end() && packets.size() < Coalescer::kMaxPackets;) {
    const Bytes packet = reader.bytes(reader.u8() * std::size_t{4});
    if (!reader.ok()) break;
    packets.emplace_back(packet.begin(), packet.end());
  }
  Coalescer coalescer;
  std::size_t sizes = 0;
  for (auto& packet : packets) {
    coalescer.add(packet);
    sizes += packet.size();
  }
  std::size_t count = 0, total = 0;
  coalescer.for_each_write([&](const Coalescer::Write& write) {
    ByteVector whole;
    for (std::size_t i = 1; i < write.pieces.size(); ++i)
      whole.insert(whole.end(), write.pieces[i].begin(), write.pieces[i].end());
    const auto apart = segment(*OffloadHeader::parse(write.header), whole);
    if (apart.size() != write.packets) std::abort();
    count += apart.size();
    for (const auto& one : apart) total += one.size();
  });
  if (count != packets.size() || total != sizes) std::abort();
}

void down(Bytes data) {
  const auto header = OffloadHeader::parse(data);
  if (!header) return;
  ByteVector packet(data.begin() + OffloadHeader::kSize, data.end());
  finish_checksum(*header, packet);
  // A segment of one octet of 64 KiB is 64 Ki packets: right, but slow here.
  if (packet.size() < 4096) segment(*header, packet);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest(data + 1, size - 1);
  data[0] % 2 == 0 ? up(rest) : down(rest);
  return 0;
}
