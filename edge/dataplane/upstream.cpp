// Client to agent. Thread: the worker.
//   1 tell keepalives, IKE and ESP apart   2 find the SA   3 check replay, open, commit   4 follow a peer
//   that moved 5 find UDP and L2TP                    6 find the relay, let the observer look at control
//   messages 7 put the relay id in front, seal for the agent        8 hand out
#include <algorithm>

#include "edge/dataplane/state.hpp"

namespace sluice::edge {
namespace {

constexpr std::size_t kMarkerSize = 4;  // RFC 3948 §2.2
constexpr std::uint8_t kNatKeepalive = 0xff;

}  // namespace

void Pipeline::from_clients(std::span<transport::RxPacket> packets, std::uint16_t local_port, Instant now,
                            OutgoingBatch& out) {
  auto& work = *work_;
  burst_at_ = now;
  std::size_t count = 0;
  for (auto& rx : packets) {
    const Bytes bytes = rx.packet.bytes();
    if (bytes.size() == 1 && bytes[0] == kNatKeepalive) {
      keepalives_.add();
    } else if (bytes.size() < esp::kEspHeaderSize) {
      drop(Drop::kTooShort);
    } else if (const Spi spi(load_be32(bytes.data())); !spi) {
      take_ike(bytes.subspan(kMarkerSize), rx, local_port, true, now);
    } else {
      inbound_.prefetch(spi.value());
      if (tapped()) [[unlikely]]
        tap_esp(rx, local_port);
      work.packets[count++] = &rx;
    }
  }
  open_from_clients(std::span(work.packets).first(count), local_port, now);
  seal_to_agents(out);
}

void Pipeline::from_ike(std::span<const transport::RxPacket> packets, std::uint16_t local_port, Instant now) {
  burst_at_ = now;
  for (const auto& rx : packets) take_ike(rx.packet.bytes(), rx, local_port, false, now);
}

void Pipeline::take_ike(Bytes message, const transport::RxPacket& from, std::uint16_t local_port, bool marker,
                        Instant now) {
  if (tapped()) [[unlikely]]
    tap_ike(message, from, local_port, marker);
  const auto verdict = guard_.admit(from.remote.address, message, now);
  if (verdict.drop) return ike_drops_.add(*verdict.drop);
  emit_(IkeArrived{{from.local, local_port},
                   from.remote,
                   marker,
                   verdict.proven,
                   ByteVector(message.begin(), message.end())});
}

void Pipeline::from_clients_raw(std::span<transport::RxPacket> packets, Instant now, OutgoingBatch& out) {
  auto& work = *work_;
  burst_at_ = now;
  std::size_t count = 0;
  for (auto& rx : packets) {
    if (rx.packet.length < esp::kEspHeaderSize) {
      drop(Drop::kTooShort);
    } else {
      if (tapped()) [[unlikely]]
        tap_esp(rx, 0);
      work.packets[count++] = &rx;
    }
  }
  open_from_clients(std::span(work.packets).first(count), 0, now);
  seal_to_agents(out);
}

void Pipeline::open_from_clients(std::span<transport::RxPacket* const> packets, std::uint16_t local_port,
                                 Instant now) {
  auto& work = *work_;
  std::size_t jobs = 0;
  for (auto* rx : packets) {
    auto* entry = inbound_.find(load_be32(rx->packet.data()));
    if (entry == nullptr) {
      hold_or_drop(*rx, local_port, now);
      continue;
    }
    entry->sa->prefetch();
    esp::prefetch_line(&entry->peer->relays);
    auto& job = work.open[jobs];
    job.user = rx;
    job.set(*entry->sa, rx->packet);
    ++jobs;
  }
  engine_->open(std::span(work.open).first(jobs));
  for (std::size_t i = 0; i < jobs; ++i) {
    esp::prefetch_line(static_cast<InboundEntry*>(work.open[i].sa->user())->peer->relays.likeliest());
  }
  for (std::size_t i = 0; i < jobs; ++i) {
    take_opened(work.open[i], *static_cast<transport::RxPacket*>(work.open[i].user), local_port, now);
  }
}

void Pipeline::hold_or_drop(const transport::RxPacket& rx, std::uint16_t local_port, Instant now) {
  const auto bytes = rx.packet.bytes();
  const Spi spi(load_be32(bytes.data()));
  const bool held =
      early_.expected(spi) &&
      early_.hold(spi, {ByteVector(bytes.begin(), bytes.end()), rx.remote, rx.local, local_port}, now);
  if (!held) drop(Drop::kUnknownSpi);
}

void Pipeline::replay_early(Spi spi, Instant now, OutgoingBatch& out) {
  for (auto& packet : early_.take(spi, now)) {
    ByteVector memory(transport::kHeadRoom + packet.bytes.size() + transport::kTailRoom);
    std::copy(packet.bytes.begin(), packet.bytes.end(), memory.begin() + transport::kHeadRoom);
    transport::RxPacket rx{esp::PacketBuffer::within(memory, transport::kHeadRoom, packet.bytes.size()),
                           packet.remote, packet.local};
    early_memory_.push_back(std::move(memory));
    auto* one = &rx;
    open_from_clients(std::span(&one, 1), packet.local_port, now);
    seal_to_agents(out);
  }
}

void Pipeline::take_opened(const esp::OpenJob& job, const transport::RxPacket& from, std::uint16_t local_port,
                           Instant now) {
  auto& entry = *static_cast<InboundEntry*>(job.sa->user());
  if (job.event != esp::LimitEvent::kNone) {
    emit_(
        SaExpired{entry.peer->id, entry.spi, {from.local, local_port}, job.event == esp::LimitEvent::kHard});
  }
  if (!job.ok()) {
    client_esp_drops_.add(job.result);
    switch (job.result) {
      case esp::DropReason::kReplayed:
      case esp::DropReason::kBehindWindow:
        entry.stats->replayed.add();
        break;
      case esp::DropReason::kBadIcv:
        entry.stats->unauthentic.add();
        break;
      default:
        entry.stats->malformed.add();
        break;
    }
    return;
  }
  count_packet(*entry.stats, job.packet.length, now);
  entry.stats->top.add(entry.sa->replay().top() - entry.stats->top.read());
  follow_peer(entry, job, from, local_port);

  auto packet = job.packet;
  if (job.next_header != kProtocolUdp || packet.length < kUdpHeader ||
      load_be16(packet.data() + 2) != kL2tpPort) {
    return drop(Drop::kNotL2tp);
  }
  // The checksum is not looked at: a NAT on the way makes it wrong, and ESP vouches for the bytes (RFC 3948
  // §3.1.2).
  const std::uint16_t client_port = load_be16(packet.data());
  const std::uint16_t udp_length = load_be16(packet.data() + 4);
  if (udp_length < kUdpHeader || udp_length > packet.length) return drop(Drop::kBadUdpLength);
  packet.length = udp_length;
  if (tapped()) [[unlikely]]
    tap_inner(*entry.peer, packet.bytes(), true);
  packet.drop_front(kUdpHeader);
  l2tp_from_client(*entry.peer, packet, client_port, now);
}

// RFC 3948 §4: a peer's new address is taken only from an authenticated packet newer than any seen.
void Pipeline::follow_peer(InboundEntry& entry, const esp::OpenJob& job, const transport::RxPacket& from,
                           std::uint16_t local_port) {
  auto& peer = *entry.peer;
  peer.prove(entry.spi);
  const bool moved = peer.udp_encapsulated && local_port != 0 && peer.remote != from.remote;
  if (!moved || job.sequence < entry.sa->replay().top() || entry.remove_at ||
      entry.spi != peer.inbound.back())
    return;
  emit_(PeerMoved{peer.id, entry.spi, {from.local, local_port}, peer.remote, from.remote});
  peer.remote = from.remote;
  peer.local = {from.local, local_port};
}

void Pipeline::l2tp_from_client(PeerState& peer, esp::PacketBuffer packet, std::uint16_t client_port,
                                Instant now) {
  const auto l2tp = l2tp::classify(packet.bytes());
  if (l2tp.kind == l2tp::PacketKind::kBad) {
    l2tp_drops_.add(l2tp.reason);
    return drop(Drop::kBadL2tp);
  }
  // A client that floods pays alone: neither agent nor control thread sees what is beyond its budget.
  if (l2tp.is_control() && !peer.control.take(now, limits_.control_per_second))
    return drop(Drop::kControlRate);
  if (!l2tp.tunnel) return tunnel_less(peer, packet, client_port);
  auto* relay = peer.relays.find(l2tp.tunnel, client_port);
  if (relay == nullptr) return drop(Drop::kUnknownTunnel);
  if (l2tp.is_control()) {
    const auto id = relay->id;
    control_from_client(*relay, packet.bytes());
    // The client may have acknowledged a farewell, and with it ended the relay.
    if (!relays_.contains(id)) return;
  }
  queue_to_agent(*relay, packet);
}

void Pipeline::tunnel_less(PeerState& peer, esp::PacketBuffer packet, std::uint16_t client_port) {
  const auto sccrq = l2tp::read_sccrq(packet.bytes());
  if (!sccrq) return drop(Drop::kNotSccrq);
  RelayState* opened = nullptr;
  peer.relays.for_each([&](RelayState& relay) {
    const bool same = relay.client_tunnel == sccrq->assigned_tunnel && relay.client_port == client_port;
    if (same && !relay.farewell && !relay.observer.starts_anew(packet.bytes())) opened = &relay;
  });
  if (opened != nullptr) {
    control_from_client(*opened, packet.bytes());
    return queue_to_agent(*opened, packet);
  }
  const auto bytes = packet.bytes();
  emit_(SccrqArrived{peer.id, client_port, ByteVector(bytes.begin(), bytes.end())});
}

void Pipeline::control_from_client(RelayState& relay, Bytes packet) {
  const auto what = observe(relay, l2tp::Side::kClient, packet);
  if (what == l2tp::Observation::kUnreadable) l2tp_drops_.add(l2tp::DropReason::kAvpStructure);
  if (what != l2tp::Observation::kNothing && what != l2tp::Observation::kUnreadable) report(relay, what);
  if (relay.farewell && relay.observer.farewell_acknowledged()) finish_farewell(relay, true);
}

void Pipeline::queue_to_agent(RelayState& relay, esp::PacketBuffer packet) {
  if (relay.path == nullptr) return drop(Drop::kNoPath);
  relay.stats->packets_in.add();
  relay.stats->bytes_in.add(packet.length);
  // The UDP header that stood here leaves more than the room needed.
  if (!packet.prepend(channel::kRelayHeader)) return drop(Drop::kNoBuffer);
  channel::put_relay_header(packet.data(), relay.id);
  auto& work = *work_;
  auto& target = work.targets[work.seals];
  const auto& path = *relay.path;
  target = {path.agent, path.local,     path.stream ? Exit::kAgentStream : Exit::kAgent,
            nullptr,    path.key.first, path.limit};
  work.seal[work.seals++].set(*path.out, packet, channel::kNextHeaderRelay);
}

void Pipeline::seal_to_agents(OutgoingBatch& out) {
  auto& work = *work_;
  const auto jobs = std::span(work.seal).first(work.seals);
  engine_->seal(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto& job = jobs[i];
    const auto& target = work.targets[i];
    if (job.event != esp::LimitEvent::kNone) [[unlikely]]
      emit_(PathSpent{target.backend});
    if (!job.ok()) {
      channel_esp_drops_.add(job.result);
      continue;
    }
    if (job.packet.length > target.limit && target.exit == Exit::kAgent) [[unlikely]]
      channel_oversize_.add();
    out.add(target.exit, {job.packet.bytes(), target.remote, target.local}, target.backend);
  }
  work.seals = 0;
}

void Pipeline::send_to_agent(RelayState& relay, Bytes l2tp_packet, OutgoingBatch& out) {
  constexpr std::size_t kRoom = 128;
  const auto buffer = work_->own_buffer();
  if (l2tp_packet.size() + 2 * kRoom > buffer.size()) return drop(Drop::kNoBuffer);
  std::copy(l2tp_packet.begin(), l2tp_packet.end(), buffer.begin() + kRoom);
  queue_to_agent(relay, esp::PacketBuffer::within(buffer, kRoom, l2tp_packet.size()));
  seal_to_agents(out);
}

}  // namespace sluice::edge
