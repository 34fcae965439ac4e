#include "lab/swarm/sockets.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace sluice::swarm {
namespace {

constexpr std::size_t kManyPorts = 64, kFewBuffer = 8 << 20, kManyBuffer = 256 << 10;
constexpr int kEvents = 256, kRounds = 8, kFullWaitMs = 5;

}  // namespace

Sockets::Sockets(boost::asio::io_context& io, const std::vector<std::uint16_t>& ports, Handler handler)
    : epoll_(io, ::epoll_create1(EPOLL_CLOEXEC)), handler_(std::move(handler)), slots_(kBurst * kSlot) {
  for (const auto port : ports) open(port, ports.size() > kManyPorts);
  wait();
}

void Sockets::open(std::uint16_t port, bool many) {
  app::UniqueFd fd;
  if (const auto error = transport::open_socket({.buffer_bytes = many ? kManyBuffer : kFewBuffer}, fd)) {
    throw std::runtime_error("UDP port " + std::to_string(port) + ": " + *error);
  }
  sockaddr_storage name{};
  const socklen_t length = transport::to_sockaddr({IpAddress(), port}, name);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0) {
    throw std::runtime_error(transport::errno_text("UDP port " + std::to_string(port)) +
                             "; choose other --sources, or see who has it: ss -ulpn");
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = (std::uint64_t{port} << 32) | static_cast<std::uint32_t>(fd.get());
  if (::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, fd.get(), &event) != 0) {
    throw std::runtime_error(transport::errno_text("epoll"));
  }
  sockets_.emplace(port, std::move(fd));
}

void Sockets::stop() {
  boost::system::error_code ignored;
  epoll_.close(ignored);
}

void Sockets::wait() {
  epoll_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                    [this](const boost::system::error_code& error) {
                      if (error) return;
                      receive();
                      if (epoll_.is_open()) wait();
                    });
}

void Sockets::receive() {
  std::array<epoll_event, kEvents> events;
  const int ready = ::epoll_wait(epoll_.native_handle(), events.data(), kEvents, 0);
  for (int i = 0; i < ready && epoll_.is_open(); ++i) {
    const std::uint64_t which = events[static_cast<std::size_t>(i)].data.u64;
    const int fd = static_cast<int>(which & 0xffffffff);
    for (int round = 0; round < kRounds && receive_from(fd, static_cast<std::uint16_t>(which >> 32));
         ++round) {
    }
  }
}

/// Whether there may be more.
bool Sockets::receive_from(int fd, std::uint16_t port) {
  for (std::size_t m = 0; m < kBurst; ++m) {
    vectors_[m] = {slots_.data() + m * kSlot + kHeadroom, kSlot - kHeadroom};
    msghdr& header = headers_[m].msg_hdr;
    header = {};
    header.msg_name = &names_[m];
    header.msg_namelen = sizeof names_[m];
    header.msg_iov = &vectors_[m];
    header.msg_iovlen = 1;
    header.msg_control = controls_[m].bytes;
    header.msg_controllen = sizeof controls_[m].bytes;
  }
  const int got = ::recvmmsg(fd, headers_.data(), kBurst, MSG_DONTWAIT, nullptr);
  std::size_t count = 0;
  for (int m = 0; m < got; ++m) {
    const auto i = static_cast<std::size_t>(m);
    const auto control = transport::read_control(headers_[i].msg_hdr);
    if (control.drops) dropped_in_ += *control.drops - std::exchange(drops_seen_[fd], *control.drops);
    if (headers_[i].msg_len == 0 || (headers_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) continue;
    received_[count++] = {
        esp::PacketBuffer::within({slots_.data() + i * kSlot, kSlot}, kHeadroom, headers_[i].msg_len),
        Endpoint{control.local, port}, transport::from_sockaddr(names_[i])};
  }
  if (count > 0) handler_(std::span(received_).first(count));
  return got == static_cast<int>(kBurst);
}

void Sockets::send(std::span<const Outgoing> packets) {
  while (!packets.empty()) {
    const std::uint16_t port = packets.front().local.port;
    const auto end = std::find_if(packets.begin(), packets.end(),
                                  [port](const Outgoing& packet) { return packet.local.port != port; });
    const auto length = std::min<std::size_t>(kBurst, static_cast<std::size_t>(end - packets.begin()));
    const auto found = sockets_.find(port);
    if (found != sockets_.end()) send_run(found->second.get(), packets.first(length));
    packets = packets.subspan(length);
  }
}

void Sockets::send_run(int fd, std::span<const Outgoing> run) {
  std::array<mmsghdr, kBurst> headers{};
  std::array<sockaddr_storage, kBurst> names;
  std::array<transport::ControlRoom, kBurst> controls;
  std::array<iovec, kBurst> vectors;
  for (std::size_t i = 0; i < run.size(); ++i) {
    msghdr& header = headers[i].msg_hdr;
    header.msg_namelen = transport::to_sockaddr(run[i].remote, names[i]);
    header.msg_name = &names[i];
    vectors[i] = {const_cast<std::uint8_t*>(run[i].data.data()), run[i].data.size()};
    header.msg_iov = &vectors[i];
    header.msg_iovlen = 1;
    transport::write_control(header, controls[i], run[i].local.address, 0);
  }
  std::size_t done = 0;
  bool waited = false;
  while (done < run.size()) {
    const int sent =
        ::sendmmsg(fd, headers.data() + done, static_cast<unsigned>(run.size() - done), MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno == EINTR) {
      continue;
    } else if ((errno == EAGAIN || errno == ENOBUFS) && !std::exchange(waited, true)) {
      pollfd writable{fd, POLLOUT, 0};
      ::poll(&writable, 1, kFullWaitMs);
    } else {
      ++not_sent_;  // that one; those behind it may do
      ++done;
    }
  }
}

}  // namespace sluice::swarm
