#include "edge/app/ike_sender.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

namespace sluice::edge {
namespace {

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof out);
  const auto bytes = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    std::memcpy(&in.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(endpoint.port);
  std::memcpy(&in.sin6_addr, bytes.data(), bytes.size());
  std::memcpy(&out, &in, sizeof in);
  return sizeof in;
}

}  // namespace

bool IkeSender::add(const Endpoint& local, int fd) {
  app::UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return false;
  sockets_[local] = std::move(copy);
  return true;
}

void IkeSender::send(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) {
  const auto found = sockets_.find(local);
  if (found == sockets_.end()) return failed_.add();
  static constexpr std::uint8_t kMarker[4] = {};
  iovec parts[2] = {{const_cast<std::uint8_t*>(kMarker), marker ? sizeof kMarker : 0},
                    {const_cast<std::uint8_t*>(datagram.data()), datagram.size()}};
  sockaddr_storage address;
  msghdr message{};
  message.msg_namelen = to_sockaddr(remote, address);
  message.msg_name = &address;
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  if (::sendmsg(found->second.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) failed_.add();
}

}  // namespace sluice::edge
