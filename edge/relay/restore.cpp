// Peers of the time before this process: their SAs come back with the notes that it gave for them.
#include <utility>

#include "edge/relay/peers.hpp"

namespace sluice::edge {

// The SPI names the worker, and the steering of datagrams with it: a peer whose SAs name several, or one that
// there is no more, cannot go on.
Peer* Peers::restore_peer(const SaSpec& spec, const Endpoint& local, const Endpoint& remote) {
  const std::uint32_t worker = spec.spi.value() & worker_mask_;
  if (worker >= config_.workers) return nullptr;
  Peer* peer = place_restored(spec, local, remote);
  if (peer == nullptr) return nullptr;
  if (peer->worker != worker) {
    if (!peer->children.empty()) return nullptr;
    --worker_load_[peer->worker].peers;
    ++worker_load_[worker].peers;
    peer->worker = worker;
  }
  reserved_.emplace(spec.spi, peer->id);
  peer->spis.insert(spec.spi);
  return peer;
}

Peer* Peers::place_restored(const SaSpec& spec, const Endpoint& local, const Endpoint& remote) {
  if (spec.note.empty()) return nullptr;
  if (const auto known = by_note_.find(spec.note); known != by_note_.end()) {
    Peer& peer = peers_.at(known->second);
    name(peer, spec.ike_sa);
    return &peer;
  }
  // By its note alone: two clients of one place must not be taken for each other.
  Peer& peer = make_peer(spec.peer_identity, local, remote);
  peer.correlation_id = spec.note;
  peer.restored = true;
  by_note_[spec.note] = peer.id;
  name(peer, spec.ike_sa);
  return &peer;
}

const Peer* Peers::find_restored(const std::string& correlation_id) const {
  const auto known = by_note_.find(correlation_id);
  return known == by_note_.end() ? nullptr : find(known->second);
}

std::string Peers::note_of(Spi spi, bool inbound, const Endpoint& destination) const {
  const auto id = owner(spi, inbound, destination);
  return id ? peers_.at(*id).correlation_id : std::string();
}

void Peers::reserved(Spi outbound, const Endpoint& destination, std::uint64_t last) {
  const auto id = owner(outbound, false, destination);
  if (!id) return;
  const Peer& peer = peers_.at(*id);
  context_.post(peer.worker, ExtendSa{outbound, peer.id, last});
}

void Peers::restored(std::size_t) {
  restored_at_ = context_.now();
}

std::vector<SaSeen> Peers::take_seen() {
  std::vector<SaSeen> out;
  for (auto& [id, peer] : peers_) {
    for (auto& child : peer.children) {
      if (!child.in || !child.stats_in) continue;
      const auto top = child.stats_in->top.read();
      if (top == std::exchange(child.told_seen, top)) continue;
      out.push_back({child.in, top});
    }
  }
  return out;
}

}  // namespace sluice::edge
