// Agent to client. Thread: the worker.
//   1 find the path by its SPI   2 check replay, open, commit   3 find the relay, and that it is this agent's
//   4 let the observer look at control messages   5 put the UDP header in front   6 seal for the client   7
//   hand out
#include "edge/dataplane/state.hpp"

namespace sluice::edge {
namespace {

std::uint32_t add_words(std::uint32_t sum, Bytes bytes) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += load_be16(bytes.data() + i);
  if (bytes.size() % 2 != 0) sum += std::uint32_t{bytes.back()} << 8;
  return sum;
}

// RFC 768, with the pseudo header of RFC 8200 §8.1. IPv4 may go without (RFC 3948 §3.1.2), IPv6 may not.
std::uint16_t udp_checksum(const IpAddress& source, const IpAddress& destination, Bytes udp) {
  std::uint32_t sum = add_words(add_words(0, source.bytes()), destination.bytes());
  sum += static_cast<std::uint32_t>(udp.size()) + kProtocolUdp;
  sum = add_words(sum, udp);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  const auto checksum = static_cast<std::uint16_t>(~sum);
  return checksum == 0 ? std::uint16_t{0xffff} : checksum;
}

}  // namespace

void Pipeline::from_agents(std::span<transport::RxPacket> packets, Instant now, OutgoingBatch& out,
                           bool stream) {
  auto& work = *work_;
  burst_at_ = now;
  std::size_t jobs = 0;
  for (auto& rx : packets) {
    if (rx.packet.length < esp::kEspHeaderSize) {
      drop(Drop::kTooShort);
      continue;
    }
    auto* epoch = path_table_.find(load_be32(rx.packet.data()));
    if (epoch == nullptr) {
      drop(Drop::kUnknownChannelSpi);
      continue;
    }
    work.paths[jobs] = epoch;
    auto& job = work.open[jobs];
    job.user = &rx;
    job.set(*epoch->in, rx.packet);
    ++jobs;
  }
  engine_->open(std::span(work.open).first(jobs));
  for (std::size_t i = 0; i < jobs; ++i) {
    take_frame(*work.paths[i], work.open[i], *static_cast<transport::RxPacket*>(work.open[i].user), now,
               stream);
  }
  for (std::size_t i = 0; i < work.seals; ++i) {
    if (work.targets[i].stats != nullptr)
      count_packet(*work.targets[i].stats, work.seal[i].packet.length, now);
  }
  seal_to_clients(out);
}

void Pipeline::take_frame(PathEpoch& epoch, const esp::OpenJob& job, const transport::RxPacket& from,
                          Instant now, bool stream) {
  auto& path = *epoch.path;
  const bool authentic = job.ok() || job.result == esp::DropReason::kDummy;
  if (authentic) epoch.count_received();
  // An agent's carrier address is whatever its newest authentic frame came from.
  if (authentic && !stream) {
    path.heard = true;
    if (job.sequence >= epoch.in->replay().top()) {
      path.agent = from.remote;
      path.local = from.local;
    }
  }
  if (job.event != esp::LimitEvent::kNone) [[unlikely]]
    emit_(PathSpent{path.key.first});
  if (!job.ok()) {
    if (!authentic) channel_esp_drops_.add(job.result);
    return;
  }
  const auto frame = channel::parse_data_frame(job.next_header, job.packet.mutable_bytes());
  if (!frame) return drop(Drop::kBadChannelFrame);
  if (!frame->relay) {
    // What came by TLS says nothing of UDP.
    if (!frame->is_hello || stream || !path.health) return;
    path.health->on_hello(frame->hello, now);
    if (path.mtu->on_seen(frame->hello.probe_seen, now)) {
      const auto headers =
          (path.agent.address.is_v6() ? kIpv6Header : kIpv4Header) + std::uint32_t{kUdpHeader};
      path.limit = path.mtu->size() - headers;
      emit_(PathMtuFound{path.key.first, path.mtu->size()});
    }
    return follow_health(path);
  }
  auto* relay = relay_table_.find(frame->relay.value());
  if (relay == nullptr) return drop(Drop::kUnknownRelay);
  if (relay->path_key.first != path.key.first) return drop(Drop::kForeignRelay);
  const auto l2tp = l2tp::classify(frame->l2tp);
  if (l2tp.kind == l2tp::PacketKind::kBad) {
    l2tp_drops_.add(l2tp.reason);
    return drop(Drop::kBadL2tp);
  }
  if (l2tp.tunnel != relay->client_tunnel) return drop(Drop::kWrongTunnel);
  if (relay->peer == nullptr) {
    // To a probe that ends at L2TP, the PPP that a server begins at once is nobody's.
    if (l2tp.is_control() || relay->probe_ppp)
      emit_(ProbeArrived{relay->id, ByteVector(frame->l2tp.begin(), frame->l2tp.end())});
    return;
  }
  if (l2tp.is_control()) {
    const auto what = observe(*relay, l2tp::Side::kAgent, frame->l2tp);
    if (what != l2tp::Observation::kNothing && what != l2tp::Observation::kUnreadable) report(*relay, what);
  }
  relay->stats->packets_out.add();
  relay->stats->bytes_out.add(frame->l2tp.size());
  auto packet = job.packet;
  packet.drop_front(channel::kRelayHeader);
  queue_to_client(*relay->peer, relay->client_port, packet);
}

void Pipeline::queue_to_client(PeerState& peer, std::uint16_t client_port, esp::PacketBuffer packet) {
  auto* sa = peer.sending();
  if (sa == nullptr) return drop(Drop::kNoOutboundSa);
  if (!packet.prepend(kUdpHeader)) return drop(Drop::kNoBuffer);
  auto* udp = packet.data();
  store_be16(udp, kL2tpPort);
  store_be16(udp + 2, client_port);
  store_be16(udp + 4, static_cast<std::uint16_t>(packet.length));
  store_be16(udp + 6, 0);
  if (peer.remote.address.is_v6()) {
    store_be16(udp + 6, udp_checksum(peer.local.address, peer.remote.address, packet.bytes()));
  }
  if (tapped()) [[unlikely]]
    tap_inner(peer, packet.bytes(), false);
  auto& work = *work_;
  auto& target = work.targets[work.seals];
  target = {peer.remote, peer.local.address, peer.udp_encapsulated ? Exit::kClientUdp : Exit::kClientRaw,
            sa->stats.get()};
  work.seal[work.seals++].set(*sa->sa, packet, kProtocolUdp);
}

void Pipeline::seal_to_clients(OutgoingBatch& out) {
  auto& work = *work_;
  const auto jobs = std::span(work.seal).first(work.seals);
  engine_->seal(jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto& job = jobs[i];
    if (job.event != esp::LimitEvent::kNone) [[unlikely]]
      report_limit(job);
    if (!job.ok()) {
      client_esp_drops_.add(job.result);
      continue;
    }
    if (tapped()) [[unlikely]]
      tap_sealed(job);
    const auto& target = work.targets[i];
    const std::size_t headers = (target.remote.address.is_v6() ? kIpv6Header : kIpv4Header) +
                                (target.exit == Exit::kClientUdp ? kUdpHeader : 0);
    if (job.packet.length + headers > limits_.mtu) oversize_.add();
    out.add(target.exit, {job.packet.bytes(), target.remote, target.local});
  }
  work.seals = 0;
}

/// The peer's inbound half names the pair.
void Pipeline::report_limit(const esp::SealJob& job) {
  const auto& peer = *static_cast<const PeerState*>(job.sa->user());
  for (const auto& outbound : peer.outbound) {
    if (outbound.sa.get() != job.sa) continue;
    if (job.event == esp::LimitEvent::kReserve) {
      emit_(SequenceLow{peer.id, outbound.spi, peer.remote, outbound.sa->reserved()});
      continue;
    }
    emit_(SaExpired{peer.id, outbound.paired_inbound, peer.local, job.event == esp::LimitEvent::kHard});
  }
}

void Pipeline::send_to_client(PeerState& peer, std::uint16_t client_port, Bytes l2tp_packet,
                              OutgoingBatch& out) {
  const auto buffer = work_->own_buffer();
  constexpr std::size_t kRoom = 128;
  if (l2tp_packet.size() + 2 * kRoom > buffer.size()) return drop(Drop::kNoBuffer);
  std::copy(l2tp_packet.begin(), l2tp_packet.end(), buffer.begin() + kRoom);
  queue_to_client(peer, client_port, esp::PacketBuffer::within(buffer, kRoom, l2tp_packet.size()));
  seal_to_clients(out);
}

}  // namespace sluice::edge
