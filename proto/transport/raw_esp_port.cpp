#include "proto/transport/raw_esp_port.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "proto/transport/burst_sender.hpp"
#include "proto/transport/socket_support.hpp"
#include "proto/transport/steering.hpp"

namespace sluice::transport {
namespace {
constexpr std::size_t kSlot = kHeadRoom + kMaxInPlace + kTailRoom;
}

struct RawEspPort::State {
  app::UniqueFd fd;
  bool v6 = false;
  CounterArray<PortCount> counts;
  std::unique_ptr<BurstSender> sender;

  std::unique_ptr<std::uint8_t[]> slots = std::make_unique<std::uint8_t[]>(kMaxBurst * kSlot);
  std::array<RxPacket, kMaxBurst> packets;
  std::array<mmsghdr, kMaxBurst> headers{};
  std::array<sockaddr_storage, kMaxBurst> names{};
  std::array<ControlRoom, kMaxBurst> controls{};
  std::array<iovec, kMaxBurst> vectors{};
  std::uint32_t drops_seen = 0;

  std::size_t receive();
  bool give_out(std::size_t message, RxPacket& out);
};

std::size_t RawEspPort::State::receive() {
  for (std::size_t m = 0; m < kMaxBurst; ++m) {
    vectors[m] = {slots.get() + m * kSlot + kHeadRoom, kMaxInPlace};
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
  const int got = ::recvmmsg(fd.get(), headers.data(), kMaxBurst, MSG_DONTWAIT, nullptr);
  if (got < 0 && errno != EAGAIN && errno != EINTR) counts.add(PortCount::kReceiveErrors);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

bool RawEspPort::State::give_out(std::size_t message, RxPacket& out) {
  const ReceivedControl control = read_control(headers[message].msg_hdr);
  if (control.drops) {
    counts.add(PortCount::kKernelDrops, *control.drops - drops_seen);
    drops_seen = *control.drops;
  }
  out.packet =
      esp::PacketBuffer::within({slots.get() + message * kSlot, kSlot}, kHeadRoom, headers[message].msg_len);
  // RFC 791: the header's length in words of 32 bits, in the low half of its first byte.
  const std::uint32_t ip_header = v6 || out.packet.length == 0 ? 0 : (out.packet.data()[0] & 15U) * 4;
  if ((headers[message].msg_hdr.msg_flags & MSG_TRUNC) != 0 || !out.packet.drop_front(ip_header)) {
    counts.add(PortCount::kTruncated);
    return false;
  }
  counts.add(PortCount::kPacketsIn);
  counts.add(PortCount::kBytesIn, out.packet.length);
  out.remote = {from_sockaddr(names[message]).address, 0};
  out.local = control.local;
  return true;
}

RawEspPort::RawEspPort(std::unique_ptr<State> state) : state_(std::move(state)) {}
RawEspPort::RawEspPort(RawEspPort&&) noexcept = default;
RawEspPort& RawEspPort::operator=(RawEspPort&&) noexcept = default;
RawEspPort::~RawEspPort() = default;

Result<RawEspPort, std::string> RawEspPort::open(const RawEspOptions& options) {
  auto state = std::make_unique<State>();
  state->v6 = options.bind.is_v6();
  const std::string where = "ESP " + options.bind.to_string() + ": ";
  if (auto error = open_socket({.ipv6 = state->v6,
                                .protocol = IPPROTO_ESP,
                                .reuse_port = false,
                                .dont_fragment = false,
                                .buffer_bytes = options.buffer_bytes},
                               state->fd)) {
    return Failure{where + *error};
  }
  // Before bind, so that no other worker's packet gets in.
  if (auto error = attach_raw_spi_filter(state->fd.get(), state->v6, options.worker, options.workers)) {
    return Failure{where + *error};
  }
  sockaddr_storage name{};
  const socklen_t length = to_sockaddr({options.bind, 0}, name);
  if (::bind(state->fd.get(), reinterpret_cast<sockaddr*>(&name), length) != 0) {
    return Failure{errno_text(where + "cannot bind")};
  }
  state->sender = std::make_unique<BurstSender>(state->fd.get(), false, IpAddress(), state->counts);
  return RawEspPort(std::move(state));
}

int RawEspPort::fd() const {
  return state_->fd.get();
}
const CounterArray<PortCount>& RawEspPort::counts() const {
  return state_->counts;
}

std::span<RxPacket> RawEspPort::recv_burst() {
  const std::size_t received = state_->receive();
  std::size_t count = 0;
  for (std::size_t m = 0; m < received; ++m) {
    if (state_->give_out(m, state_->packets[count])) ++count;
  }
  return {state_->packets.data(), count};
}

std::size_t RawEspPort::send_burst(std::span<const TxPacket> packets) {
  return state_->sender->send(packets);
}

}  // namespace sluice::transport
