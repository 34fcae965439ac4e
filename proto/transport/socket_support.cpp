#include "proto/transport/socket_support.hpp"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace sluice::transport {

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& out) {
  const Bytes address = endpoint.address.bytes();
  if (endpoint.address.is_v6()) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, address.data(), sizeof v6.sin6_addr);
    std::memcpy(&out, &v6, sizeof v6);
    return sizeof v6;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(endpoint.port);
  std::memcpy(&v4.sin_addr, address.data(), sizeof v4.sin_addr);
  std::memcpy(&out, &v4, sizeof v4);
  return sizeof v4;
}

namespace {
template <class T>
Bytes raw(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}
template <class T>
IpAddress address_of(const T& value) {
  return IpAddress::from_bytes(raw(value)).value_or(IpAddress{});
}
template <class T>
T payload(const cmsghdr* header) {
  T value{};
  if (header->cmsg_len >= CMSG_LEN(sizeof value)) std::memcpy(&value, CMSG_DATA(header), sizeof value);
  return value;
}
}  // namespace

Endpoint from_sockaddr(const sockaddr_storage& in) {
  if (in.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &in, sizeof v6);
    return {address_of(v6.sin6_addr), ntohs(v6.sin6_port)};
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &in, sizeof v4);
  return {IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
}

ReceivedControl read_control(msghdr& message) {
  ReceivedControl out;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      out.local = address_of(payload<in_pktinfo>(c).ipi_addr);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      out.local = address_of(payload<in6_pktinfo>(c).ipi6_addr);
    } else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
      out.segment = static_cast<std::uint32_t>(std::max(0, payload<int>(c)));
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
      out.drops = payload<std::uint32_t>(c);
    }
  }
  return out;
}

namespace {
template <class T>
void append(msghdr& message, ControlRoom& room, std::size_t& used, int level, int type, const T& value) {
  static_assert(CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t)) <= sizeof(ControlRoom));
  cmsghdr header{};
  header.cmsg_level = level;
  header.cmsg_type = type;
  header.cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(room.bytes + used, &header, sizeof header);
  std::memcpy(room.bytes + used + CMSG_LEN(0), &value, sizeof value);
  used += CMSG_SPACE(sizeof value);
  message.msg_control = room.bytes;
  message.msg_controllen = used;
}
}  // namespace

void write_control(msghdr& message, ControlRoom& room, const IpAddress& source, std::uint16_t segment) {
  message.msg_control = nullptr;
  message.msg_controllen = 0;
  std::size_t used = 0;
  if (!source.is_unspecified() && source.is_v6()) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, source.bytes().data(), sizeof info.ipi6_addr);
    append(message, room, used, IPPROTO_IPV6, IPV6_PKTINFO, info);
  } else if (!source.is_unspecified()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, source.bytes().data(), sizeof info.ipi_spec_dst);
    append(message, room, used, IPPROTO_IP, IP_PKTINFO, info);
  }
  if (segment != 0) append(message, room, used, SOL_UDP, UDP_SEGMENT, segment);
}

std::string errno_text(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

namespace {
/// Past the sysctl's limit where we may; else as far as it lets us.
void set_buffer(int fd, int forced, int plain, std::size_t bytes) {
  const int value = static_cast<int>(std::min<std::size_t>(bytes, std::numeric_limits<int>::max() / 2));
  if (!set_option(fd, SOL_SOCKET, forced, value)) set_option(fd, SOL_SOCKET, plain, value);
}
}  // namespace

std::optional<std::string> open_socket(const SocketOptions& options, app::UniqueFd& out) {
  const int family = options.ipv6 ? AF_INET6 : AF_INET;
  const int type = options.protocol == 0 ? SOCK_DGRAM : SOCK_RAW;
  app::UniqueFd fd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, options.protocol));
  if (!fd) {
    const bool denied = errno == EPERM && type == SOCK_RAW;
    return errno_text("cannot open a socket") + (denied ? " (raw sockets need CAP_NET_RAW)" : "");
  }
  if (options.reuse_port && !set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1))
    return errno_text("SO_REUSEPORT");
  const bool packet_info = !options.packet_info ? true
                           : options.ipv6       ? set_option(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                                                : set_option(fd.get(), IPPROTO_IP, IP_PKTINFO, 1);
  if (!packet_info) return errno_text("cannot ask for local addresses");
  // Raw sockets are of one family anyway.
  if (options.ipv6 && type == SOCK_DGRAM && !set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) {
    return errno_text("IPV6_V6ONLY");
  }
  // What follows makes things better, but a kernel without it still serves.
  set_option(fd.get(), SOL_SOCKET, SO_RXQ_OVFL, 1);
  if (options.ipv6) {
    set_option(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER,
               options.dont_fragment ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT);
  } else {
    set_option(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER,
               options.dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
  }
  if (options.buffer_bytes != 0) {
    set_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, options.buffer_bytes);
    set_buffer(fd.get(), SO_SNDBUFFORCE, SO_SNDBUF, options.buffer_bytes);
  }
  out = std::move(fd);
  return std::nullopt;
}

}  // namespace sluice::transport
