#pragma once
// What the datagram sockets share: addresses in the kernel's form, control messages, options.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/app/unique_fd.hpp"
#include "base/bytes.hpp"
#include "base/ip.hpp"

namespace sluice::transport {

/// The kernel's form of an endpoint; gives its length.
socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& out);
Endpoint from_sockaddr(const sockaddr_storage& in);

/// Control messages of one datagram, received.
struct ReceivedControl {
  IpAddress local;
  std::uint32_t segment = 0;           ///< UDP_GRO: size of each segment; 0: a single datagram
  std::optional<std::uint32_t> drops;  ///< SO_RXQ_OVFL: since the socket was opened, modulo 2^32
};
ReceivedControl read_control(msghdr& message);

/// Room for the control messages of one datagram, either way.
struct alignas(cmsghdr) ControlRoom {
  std::uint8_t bytes[128];
};
/// Fills in source address (unless unspecified) and segment size (unless 0) and sets the message's control
/// fields.
void write_control(msghdr& message, ControlRoom& room, const IpAddress& source, std::uint16_t segment);

/// "cannot bind 192.0.2.1:4500: Address already in use"
std::string errno_text(const std::string& what);

/// Non-blocking, close-on-exec, with packet info, drop counter, buffers and DF as asked for. `protocol` 0:
/// UDP.
struct SocketOptions {
  bool ipv6 = false;
  int protocol = 0;
  bool reuse_port = false;
  bool dont_fragment = false;
  bool packet_info = true;  ///< received packets tell the address that they were sent to
  std::size_t buffer_bytes = 0;
};
std::optional<std::string> open_socket(const SocketOptions& options, app::UniqueFd& out);

/// Sets an int option; errno tells why not.
bool set_option(int fd, int level, int name, int value);

}  // namespace sluice::transport
