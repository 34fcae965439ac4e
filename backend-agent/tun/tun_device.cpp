#include "backend-agent/tun/tun_device.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace sluice::agent {
namespace {

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* p) const { Free(p); }
};
using Socket = std::unique_ptr<nl_sock, Freer<nl_sock, nl_socket_free>>;
using Link = std::unique_ptr<rtnl_link, Freer<rtnl_link, rtnl_link_put>>;
using LinkAddress = std::unique_ptr<rtnl_addr, Freer<rtnl_addr, rtnl_addr_put>>;
using Address = std::unique_ptr<nl_addr, Freer<nl_addr, nl_addr_put>>;
using Route = std::unique_ptr<rtnl_route, Freer<rtnl_route, rtnl_route_put>>;

std::string with_errno(const std::string& what) {
  return what + ": " + std::strerror(errno);
}
std::string with_netlink(const std::string& what, int error) {
  return what + ": " + nl_geterror(error);
}

Address make_address(const IpAddress& ip, int length) {
  Address out(nl_addr_build(AF_INET, ip.bytes().data(), ip.bytes().size()));
  if (out) nl_addr_set_prefixlen(out.get(), length);
  return out;
}

Result<app::UniqueFd, std::string> make_device(const std::string& name) {
  app::UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    return Failure{with_errno("/dev/net/tun cannot be opened") +
                   ". Is the module loaded (modprobe tun), and does the process have CAP_NET_ADMIN?"};
  }
  ifreq request{};
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL);
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    const std::string hint = errno == EBUSY ? ". A device of that name exists: is another agent running?"
                                            : ". CAP_NET_ADMIN is needed.";
    return Failure{with_errno("the TUN device " + name + " cannot be made") + hint};
  }
  return fd;
}

}  // namespace

struct TunDevice::State {
  std::string name;
  app::UniqueFd fd;
  Socket socket;
  int index = 0;

  std::optional<std::string> configure(const TunOptions& options);
  Route make_route(const Prefix& prefix) const;
};

std::optional<std::string> TunDevice::State::configure(const TunOptions& options) {
  socket.reset(nl_socket_alloc());
  if (!socket) return "no memory for netlink";
  if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0)
    return with_netlink("netlink", error);
  index = static_cast<int>(::if_nametoindex(name.c_str()));
  const Link now(rtnl_link_alloc());
  const Link wanted(rtnl_link_alloc());
  rtnl_link_set_ifindex(now.get(), index);
  rtnl_link_set_mtu(wanted.get(), options.mtu);
  rtnl_link_set_flags(wanted.get(), IFF_UP);
  if (const int error = rtnl_link_change(socket.get(), now.get(), wanted.get(), 0); error < 0) {
    return with_netlink(name + " cannot be brought up", error);
  }
  const LinkAddress address(rtnl_addr_alloc());
  const Address local = make_address(options.address, 32);
  rtnl_addr_set_ifindex(address.get(), index);
  rtnl_addr_set_local(address.get(), local.get());
  if (const int error = rtnl_addr_add(socket.get(), address.get(), 0); error < 0) {
    return with_netlink(options.address.to_string() + " cannot be given to " + name, error);
  }
  return std::nullopt;
}

Route TunDevice::State::make_route(const Prefix& prefix) const {
  Route route(rtnl_route_alloc());
  const Address to = make_address(prefix.network, prefix.length);
  rtnl_route_set_family(route.get(), AF_INET);
  rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
  rtnl_route_set_scope(route.get(), RT_SCOPE_LINK);
  rtnl_route_set_dst(route.get(), to.get());
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  rtnl_route_nh_set_ifindex(hop, index);
  rtnl_route_add_nexthop(route.get(), hop);
  return route;
}

TunDevice::TunDevice(std::unique_ptr<State> state) : state_(std::move(state)) {}
TunDevice::TunDevice(TunDevice&&) noexcept = default;
TunDevice& TunDevice::operator=(TunDevice&&) noexcept = default;
TunDevice::~TunDevice() = default;

Result<TunDevice, std::string> TunDevice::open(const TunOptions& options) {
  auto fd = make_device(options.name);
  if (!fd) return Failure{fd.error()};
  TunDevice device(std::make_unique<State>());
  device.state_->name = options.name;
  device.state_->fd = std::move(*fd);
  if (auto error = device.state_->configure(options)) return Failure{std::move(*error)};
  for (const Prefix& prefix : options.routes) {
    if (auto error = device.add_route(prefix)) return Failure{std::move(*error)};
  }
  return device;
}

const std::string& TunDevice::name() const {
  return state_->name;
}

app::UniqueFd TunDevice::take_fd() {
  return std::move(state_->fd);
}

std::optional<std::string> TunDevice::add_route(const Prefix& prefix) {
  const Route route = state_->make_route(prefix);
  const int error = rtnl_route_add(state_->socket.get(), route.get(), NLM_F_REPLACE);
  if (error < 0) return with_netlink("the route to " + prefix.to_string() + " cannot be set", error);
  return std::nullopt;
}

void TunDevice::remove_route(const Prefix& prefix) {
  const Route route = state_->make_route(prefix);
  rtnl_route_delete(state_->socket.get(), route.get(), 0);
}

}  // namespace sluice::agent
