// Copies for whoever captures a session. Thread: the worker. While nobody does, the packet path asks tapped()
// and goes on.
#include <algorithm>

#include "edge/dataplane/state.hpp"

namespace sluice::edge {

void Pipeline::apply_one(StartCapture& command, Instant, OutgoingBatch&) {
  taps_.push_back(std::move(command.tap));
}

void Pipeline::apply_one(StopCapture& command, Instant, OutgoingBatch&) {
  std::erase_if(taps_, [&](const auto& tap) { return tap->id() == command.id; });
}

void Pipeline::tap_ike(Bytes message, const transport::RxPacket& from, std::uint16_t local_port,
                       bool marker) {
  const CaptureTap::Way way{{from.local, local_port}, from.remote, true, {}};
  const auto how = marker ? CaptureTap::Outer::kUdpMarked : CaptureTap::Outer::kUdp;
  for (const auto& tap : taps_) {
    if (tap->fits(from.remote)) tap->outer(way, how, message, burst_at_);
  }
}

void Pipeline::tap_esp(const transport::RxPacket& from, std::uint16_t local_port) {
  const auto bytes = from.packet.bytes();
  const auto* entry = inbound_.find(load_be32(bytes.data()));
  const auto peer = entry == nullptr ? PeerId{} : entry->peer->id;
  const CaptureTap::Way way{{from.local, local_port}, from.remote, true, peer};
  const auto how = local_port == 0 ? CaptureTap::Outer::kEsp : CaptureTap::Outer::kUdp;
  for (const auto& tap : taps_) {
    if (tap->fits(peer, from.remote)) tap->outer(way, how, bytes, burst_at_);
  }
}

void Pipeline::tap_sealed(const esp::SealJob& job) {
  const auto& peer = *static_cast<const PeerState*>(job.sa->user());
  const CaptureTap::Way way{peer.local, peer.remote, false, peer.id};
  const auto how = peer.udp_encapsulated ? CaptureTap::Outer::kUdp : CaptureTap::Outer::kEsp;
  for (const auto& tap : taps_) {
    if (tap->fits(peer.id, peer.remote)) tap->outer(way, how, job.packet.bytes(), burst_at_);
  }
}

void Pipeline::tap_inner(const PeerState& peer, Bytes udp, bool from_client) {
  const CaptureTap::Way way{peer.local, peer.remote, from_client, peer.id};
  for (const auto& tap : taps_) {
    if (tap->fits(peer.id, peer.remote)) tap->inner(way, udp, burst_at_);
  }
}

}  // namespace sluice::edge
