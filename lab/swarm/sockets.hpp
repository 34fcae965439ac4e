#pragma once
// The clients' UDP sockets: one for each source port, for all addresses of the machine, in bursts. Thread:
// the event loop's.

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/app/unique_fd.hpp"
#include "base/bytes.hpp"
#include "base/ip.hpp"
#include "esp/packet.hpp"
#include "proto/transport/socket_support.hpp"

namespace sluice::swarm {

class Sockets {
 public:
  static constexpr std::size_t kBurst = 64;
  static constexpr std::size_t kSlot = 2304, kHeadroom = 128;

  struct Received {
    esp::PacketBuffer packet;  ///< in a buffer that stays until the handler returns
    Endpoint local, remote;
  };
  struct Outgoing {
    Bytes data;
    Endpoint local, remote;
  };
  using Handler = std::function<void(std::span<Received>)>;

  /// Throws std::runtime_error where a port cannot be had.
  Sockets(boost::asio::io_context& io, const std::vector<std::uint16_t>& ports, Handler handler);
  /// Sends all of them, in order for each port. What the system does not take is dropped and counted.
  void send(std::span<const Outgoing> packets);
  void stop();

  std::uint64_t not_sent() const { return not_sent_; }
  std::uint64_t dropped_in() const { return dropped_in_; }

 private:
  void open(std::uint16_t port, bool many);
  void wait();
  void receive();
  bool receive_from(int fd, std::uint16_t port);
  void send_run(int fd, std::span<const Outgoing> run);

  boost::asio::posix::stream_descriptor epoll_;
  Handler handler_;
  std::unordered_map<std::uint16_t, app::UniqueFd> sockets_;
  std::vector<std::uint8_t> slots_;
  std::array<mmsghdr, kBurst> headers_{};
  std::array<sockaddr_storage, kBurst> names_{};
  std::array<transport::ControlRoom, kBurst> controls_{};
  std::array<iovec, kBurst> vectors_{};
  std::array<Received, kBurst> received_{};
  std::unordered_map<int, std::uint32_t> drops_seen_;
  std::uint64_t not_sent_ = 0, dropped_in_ = 0;
};

}  // namespace sluice::swarm
