#include "proto/transport/udp_port.hpp"

#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "proto/transport/burst_sender.hpp"
#include "proto/transport/socket_support.hpp"
#include "proto/transport/steering.hpp"

namespace sluice::transport {
namespace {

constexpr std::size_t kMessages = 64;
constexpr std::size_t kSlot = kHeadRoom + kMaxInPlace + kTailRoom;
/// Room for the longest datagram, or run of datagrams that GRO joined. Only what is used of it becomes
/// memory, and the part beyond the power of two keeps the messages from falling on the same cache sets.
constexpr std::size_t kMessageRoom = 65536 + kSlot;

}  // namespace

/// Each message of a recvmmsg call has room for the longest datagram, in one piece: the kernel fills one
/// piece faster than several. A datagram stays where it is. Of one that GRO joined the first segment stays,
/// and the others are copied to slots of their own, for they lie end to end without room.
struct UdpPort::State {
  app::UniqueFd fd;
  Endpoint local;
  bool v6 = false;
  bool any_address = false;  ///< bound to all addresses, so that each packet has to tell which
  CounterArray<PortCount> counts;
  std::unique_ptr<BurstSender> sender;

  std::unique_ptr<std::uint8_t[]> slots = std::make_unique<std::uint8_t[]>(kMaxBurst * kSlot);
  std::unique_ptr<std::uint8_t[]> messages{
      new std::uint8_t[kMessages * kMessageRoom]};  // untouched until used
  std::array<RxPacket, kMaxBurst> packets;
  std::array<mmsghdr, kMessages> headers{};
  std::array<sockaddr_storage, kMessages> names{};
  std::array<ControlRoom, kMessages> controls{};
  std::array<iovec, kMessages> vectors{};
  std::size_t received = 0;   ///< messages of the last call
  std::size_t next = 0;       ///< the first of them not yet given out
  std::size_t count = 0;      ///< packets of this burst
  std::size_t next_slot = 0;  ///< the first that is free for a segment
  std::uint32_t drops_seen = 0;

  std::uint8_t* slot_data(std::size_t index) { return slots.get() + index * kSlot + kHeadRoom; }
  std::uint8_t* message_data(std::size_t index) { return messages.get() + index * kMessageRoom + kHeadRoom; }

  void receive();
  bool give_out(std::size_t message);
  void give(esp::PacketBuffer packet, const Endpoint& remote, const IpAddress& local_address);
  void give_large(std::size_t message, std::size_t size, std::size_t segment, const Endpoint& remote,
                  const IpAddress& local_address);
  void give_segments(std::size_t message, std::size_t size, std::size_t segment, const Endpoint& remote,
                     const IpAddress& local_address);
};

void UdpPort::State::receive() {
  for (std::size_t m = 0; m < kMessages; ++m) {
    vectors[m] = {message_data(m), kMessageRoom - kHeadRoom};
    msghdr& header = headers[m].msg_hdr;
    header.msg_name = &names[m];
    header.msg_namelen = sizeof names[m];
    header.msg_iov = &vectors[m];
    header.msg_iovlen = 1;
    header.msg_control = controls[m].bytes;
    header.msg_controllen = sizeof controls[m].bytes;
    header.msg_flags = 0;
  }
  counts.add(PortCount::kReceiveCalls);
  const int got = ::recvmmsg(fd.get(), headers.data(), kMessages, MSG_DONTWAIT, nullptr);
  if (got < 0 && errno != EAGAIN && errno != EINTR) counts.add(PortCount::kReceiveErrors);
  received = got > 0 ? static_cast<std::size_t>(got) : 0;
  next = 0;
}

void UdpPort::State::give(esp::PacketBuffer packet, const Endpoint& remote, const IpAddress& local_address) {
  packets[count++] = {packet, remote, local_address};
}

/// False when there are not enough slots left for all of the message's segments.
bool UdpPort::State::give_out(std::size_t message) {
  msghdr& header = headers[message].msg_hdr;
  const std::size_t size = headers[message].msg_len;
  const ReceivedControl control = read_control(header);
  const std::size_t segment = control.segment == 0 ? size : std::min<std::size_t>(control.segment, size);
  const std::size_t segments = segment == 0 ? 0 : (size + segment - 1) / segment;
  const bool fits = count + segments <= kMaxBurst;  // then there are slots for its segments, too
  if (!fits && count > 0) return false;

  if (control.drops) {
    counts.add(PortCount::kKernelDrops, *control.drops - drops_seen);
    drops_seen = *control.drops;
  }
  if ((header.msg_flags & MSG_TRUNC) != 0 || !fits) {
    counts.add(PortCount::kTruncated);
    return true;
  }
  counts.add(PortCount::kPacketsIn, segments);
  counts.add(PortCount::kBytesIn, size);
  if (segments == 0) return true;
  const Endpoint remote = from_sockaddr(names[message]);
  const IpAddress& to = any_address ? control.local : local.address;
  if (segment > kMaxInPlace) {
    give_large(message, size, segment, remote, to);
  } else {
    give_segments(message, size, segment, remote, to);
  }
  return true;
}

void UdpPort::State::give_large(std::size_t message, std::size_t size, std::size_t segment,
                                const Endpoint& remote, const IpAddress& local_address) {
  std::uint8_t* whole = message_data(message);
  for (std::size_t at = 0; at < size; at += segment) {
    const std::size_t length = std::min(segment, size - at);
    give(esp::PacketBuffer::within({whole + at, length}, 0, length), remote, local_address);
  }
}

void UdpPort::State::give_segments(std::size_t message, std::size_t size, std::size_t segment,
                                   const Endpoint& remote, const IpAddress& local_address) {
  std::uint8_t* const first = message_data(message);
  give(esp::PacketBuffer::within({first - kHeadRoom, kSlot}, kHeadRoom, segment), remote, local_address);
  for (std::size_t at = segment; at < size; at += segment) {
    const std::size_t length = std::min(segment, size - at);
    std::uint8_t* to = slot_data(next_slot++);
    std::memcpy(to, first + at, length);
    give(esp::PacketBuffer::within({to - kHeadRoom, kSlot}, kHeadRoom, length), remote, local_address);
  }
}

UdpPort::UdpPort(std::unique_ptr<State> state) : state_(std::move(state)) {}
UdpPort::UdpPort(UdpPort&&) noexcept = default;
UdpPort& UdpPort::operator=(UdpPort&&) noexcept = default;
UdpPort::~UdpPort() = default;

Result<UdpPort, std::string> UdpPort::open(const UdpPortOptions& options) {
  auto state = std::make_unique<State>();
  state->v6 = options.bind.address.is_v6();
  state->any_address = options.bind.address.is_unspecified();
  const std::string where = "UDP " + options.bind.to_string() + ": ";
  if (auto error = open_socket({.ipv6 = state->v6,
                                .protocol = 0,
                                .reuse_port = options.reuse_port,
                                .dont_fragment = options.dont_fragment,
                                .packet_info = state->any_address,
                                .buffer_bytes = options.buffer_bytes},
                               state->fd)) {
    return Failure{where + *error};
  }
  sockaddr_storage name{};
  socklen_t length = to_sockaddr(options.bind, name);
  if (::bind(state->fd.get(), reinterpret_cast<sockaddr*>(&name), length) != 0) {
    const bool taken = errno == EADDRINUSE;
    return Failure{errno_text(where + "cannot bind") +
                   (taken ? " (another program has the port: see ss -ulpn)" : "")};
  }
  length = sizeof name;
  if (::getsockname(state->fd.get(), reinterpret_cast<sockaddr*>(&name), &length) != 0) {
    return Failure{errno_text(where + "getsockname")};
  }
  state->local = from_sockaddr(name);
  bool segmentation = options.segmentation;
  if (segmentation) {
    set_option(state->fd.get(), SOL_UDP, UDP_GRO, 1);
    int probe = 0;
    socklen_t probe_length = sizeof probe;
    segmentation = ::getsockopt(state->fd.get(), SOL_UDP, UDP_SEGMENT, &probe, &probe_length) == 0;
  }
  state->sender =
      std::make_unique<BurstSender>(state->fd.get(), segmentation, state->local.address, state->counts);
  return UdpPort(std::move(state));
}

int UdpPort::fd() const {
  return state_->fd.get();
}
Endpoint UdpPort::local() const {
  return state_->local;
}
bool UdpPort::backlog() const {
  return state_->next < state_->received;
}
const CounterArray<PortCount>& UdpPort::counts() const {
  return state_->counts;
}
bool UdpPort::segmenting() const {
  return state_->sender->segmenting();
}

std::span<RxPacket> UdpPort::recv_burst() {
  State& s = *state_;
  s.count = 0;
  s.next_slot = 0;
  if (!backlog()) s.receive();
  while (s.next < s.received && s.give_out(s.next)) ++s.next;
  return {s.packets.data(), s.count};
}

std::size_t UdpPort::send_burst(std::span<const TxPacket> packets) {
  return state_->sender->send(packets);
}

bool UdpPort::send_whole(const TxPacket& packet) {
  const int fd = state_->fd.get();
  const bool v6 = state_->v6;
  const int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP, name = v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER;
  static_assert(IP_PMTUDISC_PROBE == IPV6_PMTUDISC_PROBE);
  int before = 0;
  socklen_t length = sizeof before;
  // With DF, and whatever the kernel believes of the path.
  if (::getsockopt(fd, level, name, &before, &length) != 0 || !set_option(fd, level, name, IP_PMTUDISC_PROBE))
    return false;
  if (v6) set_option(fd, level, IPV6_DONTFRAG, 1);
  sockaddr_storage to;
  ControlRoom room;
  iovec vector{const_cast<std::uint8_t*>(packet.data.data()), packet.data.size()};
  msghdr header{};
  header.msg_name = &to;
  header.msg_namelen = to_sockaddr(packet.remote, to);
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  write_control(header, room, packet.local == state_->local.address ? IpAddress() : packet.local, 0);
  const bool sent = ::sendmsg(fd, &header, MSG_DONTWAIT) >= 0;
  set_option(fd, level, name, before);
  if (v6) set_option(fd, level, IPV6_DONTFRAG, 0);
  return sent;
}

std::string_view to_string(PortCount which) {
  switch (which) {
    case PortCount::kPacketsIn:
      return "packets_in";
    case PortCount::kBytesIn:
      return "bytes_in";
    case PortCount::kPacketsOut:
      return "packets_out";
    case PortCount::kBytesOut:
      return "bytes_out";
    case PortCount::kReceiveCalls:
      return "receive_calls";
    case PortCount::kSendCalls:
      return "send_calls";
    case PortCount::kKernelDrops:
      return "kernel_drops";
    case PortCount::kTruncated:
      return "truncated";
    case PortCount::kReceiveErrors:
      return "receive_errors";
    case PortCount::kSendFull:
      return "send_full";
    case PortCount::kSendTooBig:
      return "send_too_big";
    case PortCount::kSendUnreachable:
      return "send_unreachable";
    case PortCount::kSendErrors:
      return "send_errors";
    case PortCount::kSegmentFallback:
      return "segment_fallback";
    case PortCount::kCount:
      break;
  }
  return "";
}

Result<std::vector<UdpPort>, std::string> open_worker_ports(const UdpPortOptions& options,
                                                            std::uint32_t workers) {
  std::vector<UdpPort> ports;
  UdpPortOptions each = options;
  each.reuse_port = workers > 1;
  for (std::uint32_t worker = 0; worker < workers; ++worker) {
    auto port = UdpPort::open(each);
    if (!port) return Failure{port.error()};
    each.bind.port = port->local().port;
    ports.push_back(std::move(*port));
  }
  if (workers > 1) {
    if (auto error = attach_spi_steering(ports.front().fd(), workers)) return Failure{*error};
  }
  return ports;
}

Result<std::vector<UdpPort>, std::string> open_channel_ports(const UdpPortOptions& options,
                                                             std::uint32_t workers) {
  constexpr int kTries = 32;
  constexpr std::uint32_t kMaxPort = 65535;
  std::string error;
  for (int attempt = 0; attempt < (options.bind.port == 0 ? kTries : 1); ++attempt) {
    std::vector<UdpPort> ports;
    UdpPortOptions each = options;
    each.reuse_port = false;
    while (ports.size() < workers) {
      auto port = UdpPort::open(each);
      if (!port) {
        error = port.error();
        break;
      }
      const std::uint32_t following = std::uint32_t{port->local().port} + 1;
      ports.push_back(std::move(*port));
      if (following > kMaxPort && ports.size() < workers) {
        error = "the UDP ports from " + options.bind.to_string() + " on are fewer than the workers";
        break;
      }
      each.bind.port = static_cast<std::uint16_t>(following);
    }
    if (ports.size() == workers) return ports;
  }
  return Failure{error};
}

}  // namespace sluice::transport
