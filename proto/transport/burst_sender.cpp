#include "proto/transport/burst_sender.hpp"

#include <algorithm>
#include <cerrno>

namespace sluice::transport {

std::size_t BurstSender::send(std::span<const TxPacket> packets) {
  std::size_t sent = 0;
  while (!packets.empty()) {
    const std::size_t laid = lay_out(packets);
    sent += transmit(packets.first(laid));
    packets = packets.subspan(laid);
  }
  return sent;
}

std::size_t BurstSender::lay_out(std::span<const TxPacket> packets) {
  messages_ = 0;
  laid_ = 0;
  while (laid_ < packets.size() && messages_ < kMessages) {
    const auto rest = packets.subspan(laid_);
    const std::size_t run = run_length(rest);
    if (laid_ + run > kPackets) break;
    add_message(rest.first(run));
  }
  return laid_;
}

namespace {
/// The SPI of an ESP packet. Where the receiver steers by it, a segmented datagram that is not cut on its way
/// (a local path, or a NIC's or the kernel's GRO) goes as a whole to the worker of its first packet: so one
/// SPI, one datagram.
std::uint32_t first_word(const TxPacket& packet) {
  return packet.data.size() < 4 ? 0 : load_be32(packet.data.data());
}
}  // namespace

std::size_t BurstSender::run_length(std::span<const TxPacket> packets) const {
  const TxPacket& first = packets.front();
  std::size_t count = 1;
  std::size_t bytes = first.data.size();
  if (!segmentation_ || bytes == 0) return count;
  while (count < packets.size() && count < kMaxSegments) {
    const TxPacket& next = packets[count];
    bytes += next.data.size();
    if (next.data.empty() || next.data.size() > first.data.size() || bytes > kMaxSegmentedBytes) break;
    if (first_word(next) != first_word(first) || next.remote != first.remote || next.local != first.local)
      break;
    ++count;
    // A shorter one is allowed as the last.
    if (next.data.size() < first.data.size()) break;
  }
  return count;
}

void BurstSender::add_message(std::span<const TxPacket> run) {
  const std::size_t m = messages_++;
  msghdr& header = headers_[m].msg_hdr;
  header = {};
  header.msg_name = &names_[m];
  header.msg_namelen = to_sockaddr(run.front().remote, names_[m]);
  header.msg_iov = &vectors_[laid_];
  header.msg_iovlen = run.size();
  for (const auto& packet : run) {
    // The kernel's interface wants a pointer to non-const, and only reads.
    vectors_[laid_++] = {const_cast<std::uint8_t*>(packet.data.data()), packet.data.size()};
  }
  const auto segment =
      run.size() > 1 ? static_cast<std::uint16_t>(run.front().data.size()) : std::uint16_t{0};
  write_control(header, controls_[m], source_of(run.front()), segment);
  runs_[m] = run.size();
}

std::size_t BurstSender::transmit(std::span<const TxPacket> packets) {
  std::size_t sent = 0;
  std::size_t at = 0;
  while (at < messages_) {
    counts_.add(PortCount::kSendCalls);
    const int done = ::sendmmsg(fd_, &headers_[at], static_cast<unsigned>(messages_ - at), MSG_DONTWAIT);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      const int error = errno;
      sent += recover(packets.first(runs_[at]), error);
      packets = packets.subspan(runs_[at++]);
      continue;
    }
    std::uint64_t bytes = 0;
    for (int i = 0; i < done; ++i, ++at) {
      for (const auto& packet : packets.first(runs_[at])) bytes += packet.data.size();
      sent += runs_[at];
      counts_.add(PortCount::kPacketsOut, runs_[at]);
      packets = packets.subspan(runs_[at]);
    }
    counts_.add(PortCount::kBytesOut, bytes);
  }
  return sent;
}

std::size_t BurstSender::recover(std::span<const TxPacket> run, int error) {
  // EIO: the path has no checksum offload, so that the kernel will not segment. EINVAL, EMSGSIZE: a segment
  // is larger than the path's MTU, and only whole datagrams may be fragmented.
  const bool never = error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT;
  if (run.size() > 1 && (never || error == EINVAL || error == EMSGSIZE)) {
    if (never) segmentation_ = false;
    counts_.add(PortCount::kSegmentFallback);
    return send_singly(run);
  }
  count_drop(error, run.size());
  return 0;
}

std::size_t BurstSender::send_singly(std::span<const TxPacket> run) {
  std::size_t sent = 0;
  for (const auto& packet : run) {
    sockaddr_storage name;
    ControlRoom room;
    iovec vector{const_cast<std::uint8_t*>(packet.data.data()), packet.data.size()};
    msghdr header{};
    header.msg_name = &name;
    header.msg_namelen = to_sockaddr(packet.remote, name);
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    write_control(header, room, source_of(packet), 0);
    counts_.add(PortCount::kSendCalls);
    if (::sendmsg(fd_, &header, MSG_DONTWAIT) < 0) {
      count_drop(errno, 1);
      continue;
    }
    ++sent;
    counts_.add(PortCount::kPacketsOut);
    counts_.add(PortCount::kBytesOut, packet.data.size());
  }
  return sent;
}

void BurstSender::count_drop(int error, std::size_t packets) {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
      return counts_.add(PortCount::kSendFull, packets);
    case EMSGSIZE:
      return counts_.add(PortCount::kSendTooBig, packets);
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ECONNREFUSED:
      return counts_.add(PortCount::kSendUnreachable, packets);
    default:
      return counts_.add(PortCount::kSendErrors, packets);
  }
}

}  // namespace sluice::transport
