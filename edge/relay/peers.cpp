#include "edge/relay/peers.hpp"

#include <algorithm>
#include <bit>

#include "base/text.hpp"

namespace sluice::edge {
namespace {

// SPIs 0 to 255 are reserved (RFC 4303 §2.1); a zero word in front marks IKE (RFC 3948 §2.2).
constexpr std::uint32_t kFirstSpi = 256;
constexpr int kSpiAttempts = 1000;
constexpr std::size_t kCorrelationBytes = 6;
constexpr Duration kReturnedFor = std::chrono::seconds(1);

}  // namespace

void SaTotals::add(const ChildSa& child) {
  if (child.stats_in) {
    packets_in += child.stats_in->packets.read();
    bytes_in += child.stats_in->bytes.read();
    replayed += child.stats_in->replayed.read();
    unauthentic += child.stats_in->unauthentic.read();
    malformed += child.stats_in->malformed.read();
  }
  if (child.stats_out) {
    packets_out += child.stats_out->packets.read();
    bytes_out += child.stats_out->bytes.read();
  }
}

Peers::Peers(PeersConfig config, PeersContext context)
    : config_(config),
      context_(std::move(context)),
      worker_mask_(std::bit_ceil(config.workers) - 1),
      worker_load_(config.workers) {}

std::optional<Spi> Peers::allocate_spi(IkeSaId ike_sa, const std::string& peer_identity,
                                       const Endpoint& local, const Endpoint& remote) {
  Peer& peer = peer_for(ike_sa, peer_identity, local, remote);
  // A client that comes back in the last moment of its grace time must not go before its SAs are there.
  if (peer.bare_since) peer.bare_since = context_.now();
  for (int attempt = 0; attempt < kSpiAttempts; ++attempt) {
    const Spi spi((context_.random.u32() & ~worker_mask_) | peer.worker);
    if (spi.value() < kFirstSpi || reserved_.contains(spi)) continue;
    reserved_.emplace(spi, peer.id);
    peer.spis.insert(spi);
    context_.post(peer.worker, ExpectSpi{spi});
    return spi;
  }
  return std::nullopt;
}

Peer& Peers::peer_for(IkeSaId ike_sa, const std::string& identity, const Endpoint& local,
                      const Endpoint& remote) {
  if (ike_sa) {
    if (const auto known = by_ike_.find(ike_sa); known != by_ike_.end()) return peers_.at(known->second);
  }
  // A new IKE SA from the very same place with the same identity is a re-authentication, not another client.
  const auto [first, last] = by_place_.equal_range(remote);
  for (auto at = first; at != last; ++at) {
    Peer& peer = peers_.at(at->second);
    if (peer.identity != identity || peer.local.address != local.address) continue;
    name(peer, ike_sa);
    return peer;
  }
  Peer& peer = make_peer(identity, local, remote);
  name(peer, ike_sa);
  return peer;
}

void Peers::name(Peer& peer, IkeSaId ike_sa) {
  if (!ike_sa) return;
  by_ike_[ike_sa] = peer.id;
  peer.ike_names.insert(ike_sa);
}

Peer& Peers::make_peer(const std::string& identity, const Endpoint& local, const Endpoint& remote) {
  const PeerId id(next_id_++);
  Peer& peer = peers_[id];
  peer.id = id;
  peer.worker = least_busy_worker();
  ++worker_load_[peer.worker].peers;
  // Until the next measurement, so that a storm of newcomers does not go to one worker.
  ++worker_load_[peer.worker].tenths_used;
  if (context_.contact_id) peer.correlation_id = context_.contact_id(remote);
  // A NAT may give one client the port of another that is still known: two clients, two ids.
  const auto same = [&](const auto& row) {
    return row.first != id && row.second.correlation_id == peer.correlation_id;
  };
  if (peer.correlation_id.empty() || std::any_of(peers_.begin(), peers_.end(), same)) {
    std::array<std::uint8_t, kCorrelationBytes> raw{};
    context_.random.fill(raw);
    peer.correlation_id = to_hex(raw);
  }
  peer.identity = identity;
  peer.local = local;
  peer.remote = remote;
  by_place_.emplace(remote, id);
  peer.up_since = context_.unix_seconds();
  peer.bare_since = context_.now();
  return peer;
}

void Peers::workers_used(std::span<const std::uint32_t> permille) {
  constexpr std::uint32_t kStep = 100;
  for (std::size_t i = 0; i < worker_load_.size() && i < permille.size(); ++i) {
    worker_load_[i].tenths_used = permille[i] / kStep;
  }
}

std::uint32_t Peers::least_busy_worker() const {
  return static_cast<std::uint32_t>(std::min_element(worker_load_.begin(), worker_load_.end()) -
                                    worker_load_.begin());
}

void Peers::unplace(const Peer& peer) {
  const auto [first, last] = by_place_.equal_range(peer.remote);
  const auto at = std::find_if(first, last, [&](const auto& row) { return row.second == peer.id; });
  if (at != last) by_place_.erase(at);
}

void Peers::relocate(Peer& peer, const Endpoint& remote) {
  if (peer.remote == remote) return;
  unplace(peer);
  peer.remote = remote;
  by_place_.emplace(remote, peer.id);
  tell_guard(peer);
}

// Addresses of peers with SAs are no strangers to the IKE guard.
void Peers::tell_guard(Peer& peer) {
  std::optional<IpAddress> place;
  if (!peer.children.empty()) place = peer.remote.address;
  if (place == peer.live_at) return;
  if (peer.live_at) context_.post(kIkeWorker, LiveSource{*peer.live_at, false});
  if (place) context_.post(kIkeWorker, LiveSource{*place, true});
  peer.live_at = place;
}

std::optional<SaError> Peers::add_sa(SaSpec spec) {
  if (!spec.transport_mode) return SaError::kNotSupported;
  const auto suite =
      esp::find_suite(spec.encryption, spec.integrity, spec.encryption_key.size(), spec.integrity_key.size());
  if (!suite) return SaError::kNotSupported;
  const Endpoint local = spec.inbound ? spec.destination : spec.source;
  const Endpoint remote = spec.inbound ? spec.source : spec.destination;

  PeerId id;
  if (spec.inbound) {
    // An inbound SPI is one of ours, and its low bits already name the worker.
    if (spec.restored && inbound_.contains(spec.spi)) return std::nullopt;  // told twice
    const auto reserved = reserved_.find(spec.spi);
    if (reserved != reserved_.end()) {
      id = reserved->second;
      returned_.erase(spec.spi);
    } else if (const Peer* old = spec.restored ? restore_peer(spec, local, remote) : nullptr) {
      id = old->id;
    }
    if (!peers_.contains(id)) return SaError::kNotFound;
  } else if (spec.restored) {
    if (outbound_.contains({spec.spi, remote.address, remote.port})) return std::nullopt;
    const auto known = by_note_.find(spec.note);
    if (known == by_note_.end()) return SaError::kNotFound;
    id = known->second;
  } else {
    id = peer_for(spec.ike_sa, spec.peer_identity, local, remote).id;
  }
  Peer& peer = peers_.at(id);
  auto stats = std::make_shared<SaStats>();
  AddSa command{
      .peer = id, .spec = std::move(spec), .suite = (*suite)->id, .paired_inbound = Spi(), .stats = stats};
  const auto& installed = command.spec;
  if (installed.inbound) {
    inbound_[installed.spi] = id;
    peer.children.push_back({installed.spi,
                             Spi(),
                             command.suite,
                             installed.udp_encapsulated,
                             context_.unix_seconds(),
                             stats,
                             nullptr,
                             {},
                             installed.ike_sa,
                             {},
                             0});
  } else {
    const auto half = std::find_if(peer.children.rbegin(), peer.children.rend(),
                                   [](const ChildSa& child) { return child.in && !child.out; });
    if (half == peer.children.rend()) return SaError::kFailed;
    half->out = installed.spi;
    half->stats_out = stats;
    half->out_destination = remote;
    command.paired_inbound = half->in;
    outbound_[{installed.spi, remote.address, remote.port}] = id;
  }
  peer.local = local;
  relocate(peer, remote);
  tell_guard(peer);
  peer.bare_since.reset();
  if (peer.identity.empty()) peer.identity = installed.peer_identity;
  context_.post(peer.worker, std::move(command));
  return std::nullopt;
}

std::optional<Peers::OutboundKey> Peers::outbound_key(Spi spi, const Endpoint& destination) const {
  const OutboundKey exact{spi, destination.address, destination.port};
  if (outbound_.contains(exact)) return exact;
  // The port may have changed since, or not be told at all.
  for (auto at = outbound_.lower_bound({spi, IpAddress(), 0}); at != outbound_.end() && at->first.spi == spi;
       ++at) {
    if (at->first.destination == destination.address) return at->first;
  }
  return std::nullopt;
}

std::optional<PeerId> Peers::owner(Spi spi, bool inbound, const Endpoint& destination) const {
  if (inbound) {
    const auto found = inbound_.find(spi);
    if (found == inbound_.end()) return std::nullopt;
    return found->second;
  }
  const auto key = outbound_key(spi, destination);
  if (!key) return std::nullopt;
  return outbound_.at(*key);
}

ChildSa* Peers::child_with(Peer& peer, Spi spi, bool inbound) {
  const auto found = std::find_if(peer.children.begin(), peer.children.end(), [&](const ChildSa& child) {
    return (inbound ? child.in : child.out) == spi;
  });
  return found == peer.children.end() ? nullptr : &*found;
}

std::optional<SaError> Peers::update_sa(Spi spi, bool inbound, const Endpoint& new_source,
                                        const Endpoint& new_destination, bool udp_encapsulated) {
  auto id = owner(spi, inbound, new_destination);
  if (!id && !inbound) {
    for (const auto& [key, value] : outbound_) {
      if (key.spi == spi) id = value;
    }
  }
  if (!id) return SaError::kNotFound;
  Peer& peer = peers_.at(*id);
  peer.local = inbound ? new_destination : new_source;
  relocate(peer, inbound ? new_source : new_destination);
  if (auto* child = child_with(peer, spi, inbound)) child->udp_encapsulated = udp_encapsulated;
  context_.post(peer.worker, MovePeer{peer.id, peer.local, peer.remote, udp_encapsulated});
  return std::nullopt;
}

std::optional<SaError> Peers::remove_sa(Spi spi, bool inbound, const Endpoint& destination) {
  const auto id = owner(spi, inbound, destination);
  if (!id) {
    // charon also returns SPIs that it never installed, and may install one yet: when it finds at the end of
    // a Quick Mode that this rekeys another child, it makes the child anew with the SPI told to the client.
    if (!inbound || !reserved_.contains(spi)) return SaError::kNotFound;
    return returned_.emplace(spi, context_.now()).second ? std::nullopt : std::optional(SaError::kNotFound);
  }
  if (inbound) {
    inbound_.erase(spi);
    reserved_.erase(spi);
    peers_.at(*id).spis.erase(spi);
  } else {
    outbound_.erase(*outbound_key(spi, destination));
  }
  Peer& peer = peers_.at(*id);
  forget_half(peer, spi, inbound);
  context_.post(peer.worker, RemoveSa{spi, inbound, peer.id, config_.delete_grace});
  return std::nullopt;
}

void Peers::end_returned(Instant now) {
  std::erase_if(returned_, [&](const auto& row) {
    const auto& [spi, since] = row;
    if (now - since < kReturnedFor) return false;
    const auto reserved = reserved_.extract(spi);
    Peer& peer = peers_.at(reserved.mapped());
    peer.spis.erase(spi);
    context_.post(peer.worker, RemoveSa{spi, true, peer.id, {}});
    return true;
  });
}

void Peers::forget_half(Peer& peer, Spi spi, bool inbound) {
  for (auto& child : peer.children) {
    if (inbound && child.in == spi) child.in = Spi();
    if (!inbound && child.out == spi) child.out = Spi();
  }
  std::erase_if(peer.children, [&](const ChildSa& child) {
    const bool gone = !child.in && !child.out;
    if (gone) peer.past.add(child);
    return gone;
  });
  if (peer.children.empty()) peer.bare_since = context_.now();
  tell_guard(peer);
}

std::optional<SaUsage> Peers::query_sa(Spi spi, bool inbound, const Endpoint& destination) {
  const auto id = owner(spi, inbound, destination);
  if (!id) return std::nullopt;
  const auto* child = child_with(peers_.at(*id), spi, inbound);
  const auto* stats = child == nullptr ? nullptr : (inbound ? child->stats_in : child->stats_out).get();
  if (stats == nullptr) return std::nullopt;
  const auto last = stats->last_use.read();
  SaUsage usage{stats->bytes.read(), stats->packets.read(), 0};
  if (last != 0) {
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(context_.now().time_since_epoch()).count();
    usage.last_use_seconds = static_cast<std::uint64_t>(context_.unix_seconds() - now) + last;
  }
  return usage;
}

void Peers::flush() {
  std::vector<PeerId> ids;
  for (const auto& [id, peer] : peers_) ids.push_back(id);
  for (const auto id : ids) remove(id);
}

void Peers::attach(Peer& peer, const IkePeer& ike) {
  name(peer, ike.ike_sa);
  peer.ike_sas.insert(ike.ike_sa);
  peer.ike = ike;
  if (!ike.identity.empty()) peer.identity = ike.identity;
  for (auto& child : peer.children) {
    if (child.ike_sa == ike.ike_sa) child.orphan_since.reset();
  }
}

void Peers::ike_up(const IkePeer& ike) {
  attach(peer_for(ike.ike_sa, ike.identity, ike.local, ike.remote), ike);
}

void Peers::ike_rekeyed(IkeSaId old_sa, const IkePeer& ike) {
  const auto known = by_ike_.find(old_sa);
  if (known == by_ike_.end()) return ike_up(ike);
  Peer& peer = peers_.at(known->second);
  for (auto& child : peer.children) {
    if (child.ike_sa == old_sa) child.ike_sa = ike.ike_sa;
  }
  attach(peer, ike);
}

void Peers::ike_down(IkeSaId ike_sa) {
  const auto known = by_ike_.find(ike_sa);
  if (known == by_ike_.end()) return;
  Peer& peer = peers_.at(known->second);
  by_ike_.erase(known);
  peer.ike_sas.erase(ike_sa);
  peer.ike_names.erase(ike_sa);
  for (auto& child : peer.children) {
    if (child.ike_sa == ike_sa) child.orphan_since = context_.now();
  }
  if (peer.ike.ike_sa == ike_sa) peer.ike.ike_sa = peer.ike_sas.empty() ? IkeSaId() : *peer.ike_sas.rbegin();
}

void Peers::moved(PeerId id, const Endpoint& new_remote) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  relocate(found->second, new_remote);
  take_over_double(found->second);
}

// A client that a NAT moved and that says nothing but a new Main Mode from its new place looks like another
// one, until its ESP comes from there too: a place has one client at a time.
void Peers::take_over_double(Peer& peer) {
  const auto [first, last] = by_place_.equal_range(peer.remote);
  const auto at = std::find_if(first, last, [&](const auto& row) {
    const Peer& other = peers_.at(row.second);
    return other.id != peer.id && other.identity == peer.identity && other.children.empty() &&
           other.spis.empty();
  });
  if (at == last) return;
  Peer& other = peers_.at(at->second);
  const IkePeer ike = other.ike;
  for (const auto ike_sa : std::exchange(other.ike_names, {})) name(peer, ike_sa);
  peer.ike_sas.merge(other.ike_sas);
  if (ike.ike_sa) peer.ike = ike;
  remove(other.id);
}

void Peers::tick() {
  const auto now = context_.now();
  if (now - last_tick_ < std::chrono::seconds(1)) return;
  last_tick_ = now;
  end_returned(now);
  std::vector<PeerId> over;
  for (auto& [id, peer] : peers_) {
    end_orphans(peer, now);
    const bool bare = peer.bare_since && now - *peer.bare_since >= config_.peer_grace;
    if (peer.ike_sas.empty() && bare) over.push_back(id);
  }
  for (const auto id : over) remove(id);
}

bool Peers::is_over(const ChildSa& child, Instant now) const {
  if (!child.orphan_since) return false;
  const std::uint64_t used = child.stats_in ? child.stats_in->last_use.read() : 0;
  return now - std::max(*child.orphan_since, Instant(std::chrono::seconds(used))) >= config_.orphan_idle;
}

// Nobody will ever delete these: their IKE daemon is gone. They go when their client no longer uses them.
void Peers::end_orphans(Peer& peer, Instant now) {
  // Of an IKE SA that was never told of: its daemon died between the SAs and the word of them.
  for (auto& child : peer.children) {
    if (child.ike_sa && !child.orphan_since && !peer.ike_sas.contains(child.ike_sa)) child.orphan_since = now;
  }
  const auto children = peer.children;
  for (const auto& child : children) {
    if (!is_over(child, now)) continue;
    if (child.in) remove_sa(child.in, true, peer.local);
    if (child.out) remove_sa(child.out, false, child.out_destination);
  }
}

void Peers::remove(PeerId id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  if (context_.peer_gone) context_.peer_gone(found->second);
  context_.post(found->second.worker, RemovePeer{id});
  Peer& peer = found->second;
  for (const auto ike_sa : peer.ike_names) by_ike_.erase(ike_sa);
  for (const auto spi : peer.spis) {
    reserved_.erase(spi);
    returned_.erase(spi);
    inbound_.erase(spi);
  }
  for (const auto& child : peer.children) {
    outbound_.erase({child.out, child.out_destination.address, child.out_destination.port});
  }
  peer.children.clear();
  tell_guard(peer);
  if (peer.restored) by_note_.erase(peer.correlation_id);
  unplace(peer);
  --worker_load_[peer.worker].peers;
  peers_.erase(found);
}

const Peer* Peers::find(PeerId id) const {
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : &found->second;
}

const Peer* Peers::find(IkeSaId ike_sa) const {
  const auto known = by_ike_.find(ike_sa);
  return known == by_ike_.end() ? nullptr : find(known->second);
}

const Peer* Peers::at(const Endpoint& remote) const {
  const auto found = by_place_.find(remote);
  return found == by_place_.end() ? nullptr : find(found->second);
}

}  // namespace sluice::edge
