#include "proto/transport/frame_exchange.hpp"

#include <cstring>
#include <utility>

namespace sluice::transport {

void FrameExchange::put(std::uint32_t peer, Bytes packet) {
  if (packet.size() > channel::kMaxStreamFrame) return dropped_out_.add();
  if (pending_.frames > 0 && (pending_.peer != peer || pending_.records.size() >= kBatchBytes)) flush();
  pending_.peer = peer;
  ++pending_.frames;
  std::uint8_t header[channel::kRecordHeader];
  store_be16(header, static_cast<std::uint16_t>(packet.size()));
  pending_.records.insert(pending_.records.end(), std::begin(header), std::end(header));
  pending_.records.insert(pending_.records.end(), packet.begin(), packet.end());
  waiting_ = true;
}

bool FrameExchange::flush() {
  if (pending_.frames > 0 && !out_.push(std::move(pending_))) dropped_out_.add(pending_.frames);
  pending_ = {};
  return std::exchange(waiting_, false);
}

bool FrameExchange::give(Bytes records) {
  if (in_.push(ByteVector(records.begin(), records.end()))) return true;
  channel::for_each_record(records, [this](Bytes) { dropped_in_.add(); });
  return false;
}

void FrameExchange::add(Bytes packet) {
  // Most workers never need them.
  if (!slots_) slots_ = std::make_unique<std::uint8_t[]>(kBurst * kSlot);
  std::uint8_t* slot = slots_.get() + count_ * kSlot;
  std::memcpy(slot + kHeadRoom, packet.data(), packet.size());
  packets_[count_++] = {esp::PacketBuffer::within({slot, kSlot}, kHeadRoom, packet.size()), {}, {}};
}

std::span<RxPacket> FrameExchange::burst() {
  return std::span(packets_).first(std::exchange(count_, 0));
}

}  // namespace sluice::transport
