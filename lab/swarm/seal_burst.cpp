#include "lab/swarm/seal_burst.hpp"

#include <algorithm>
#include <cstring>

namespace sluice::swarm {
namespace {

constexpr std::size_t kUdpHeader = 8;
constexpr std::uint16_t kL2tpPort = 1701;
constexpr std::uint8_t kUdp = 17;

}  // namespace

MutableBytes SealBurst::buffer() {
  if (count_ == kBurst) flush();
  return MutableBytes(slots_).subspan(count_ * kSlot, kSlot);
}

void SealBurst::add(MutableBytes l2tp, esp::OutboundSa& sa, const Endpoint& local, const Endpoint& remote) {
  const MutableBytes slot = buffer();
  const auto offset = static_cast<std::size_t>(l2tp.data() - slot.data()) - kUdpHeader;
  const std::size_t length = kUdpHeader + l2tp.size();
  ByteWriter udp(slot.subspan(offset, kUdpHeader));
  udp.u16(kL2tpPort);
  udp.u16(kL2tpPort);
  udp.u16(static_cast<std::uint16_t>(length));
  udp.u16(0);  // no checksum: IPv4, and the ICV covers it
  (*jobs_)[count_] = esp::SealJob();
  (*jobs_)[count_].set(sa, esp::PacketBuffer::within(slot, offset, length), kUdp);
  out_[count_] = {{}, local, remote};
  ++count_;
}

void SealBurst::add(Bytes l2tp, esp::OutboundSa& sa, const Endpoint& local, const Endpoint& remote) {
  const MutableBytes slot = buffer();
  if (l2tp.size() > slot.size() - 2 * kHeadroom) {
    ++not_sealed_;
    return;
  }
  std::memcpy(slot.data() + kHeadroom, l2tp.data(), l2tp.size());
  add(slot.subspan(kHeadroom, l2tp.size()), sa, local, remote);
}

void SealBurst::flush() {
  if (count_ == 0) return;
  engine_.seal(std::span(*jobs_).first(count_));
  std::size_t good = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (!(*jobs_)[i].ok()) {
      ++not_sealed_;
      continue;
    }
    out_[good] = out_[i];
    out_[good++].data = (*jobs_)[i].packet.bytes();
  }
  count_ = 0;
  sockets_.send(std::span(out_).first(good));
}

}  // namespace sluice::swarm
