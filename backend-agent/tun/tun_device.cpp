#include "backend-agent/tun/tun_device.hpp"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

#include "backend-agent/tun/steering.hpp"

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
using Neighbour = std::unique_ptr<rtnl_neigh, Freer<rtnl_neigh, rtnl_neigh_put>>;
using Route = std::unique_ptr<rtnl_route, Freer<rtnl_route, rtnl_route_put>>;

std::string with_errno(const std::string& what) {
  return what + ": " + std::strerror(errno);
}
std::string with_netlink(const std::string& what, int error) {
  return what + ": " + nl_geterror(error);
}

Address make_address(const IpAddress& ip, int length) {
  Address out(nl_addr_build(ip.is_v6() ? AF_INET6 : AF_INET, ip.bytes().data(), ip.bytes().size()));
  if (out) nl_addr_set_prefixlen(out.get(), length);
  return out;
}

// Linux 6.2; the C library's headers may be older.
constexpr unsigned kUso4 = 0x20, kUso6 = 0x40;

/// Opens one queue of the device, which the first one makes.
Result<TunPort, std::string> make_queue(const std::string& name, bool first, bool many) {
  TunPort port{app::UniqueFd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC))};
  if (!port.fd) {
    return Failure{with_errno("/dev/net/tun cannot be opened") +
                   ". Is the module loaded (modprobe tun), and does the process have CAP_NET_ADMIN?"};
  }
  ifreq request{};
  const int flags =
      IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (first ? IFF_TUN_EXCL : 0) | (many ? IFF_MULTI_QUEUE : 0);
  request.ifr_flags = static_cast<short>(flags);
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(port.fd.get(), TUNSETIFF, &request) != 0) {
    const std::string hint = errno == EBUSY ? ". A device of that name exists: is another agent running?"
                                            : ". CAP_NET_ADMIN is needed.";
    return Failure{with_errno("the TUN device " + name + " cannot be made") + hint};
  }
  int little = 1;
  constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  port.udp = ::ioctl(port.fd.get(), TUNSETOFFLOAD, kTcp | kUso4 | kUso6) == 0;
  const bool ready = (port.udp || ::ioctl(port.fd.get(), TUNSETOFFLOAD, kTcp) == 0) &&
                     ::ioctl(port.fd.get(), TUNSETVNETLE, &little) == 0;
  if (!ready) return Failure{with_errno("the TUN device " + name + " takes no packets in bunches")};
  return port;
}

}  // namespace

struct TunDevice::State {
  std::string name;
  std::vector<TunPort> ports;
  std::optional<Steering> steering;  ///< where there are several queues
  Socket socket;
  int index = 0;
  std::set<Prefix> routes;  ///< what add_route() has set

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
  for (const IpAddress& own : options.addresses) {
    const LinkAddress address(rtnl_addr_alloc());
    const Address local = make_address(own, own.is_v6() ? 128 : 32);
    rtnl_addr_set_ifindex(address.get(), index);
    rtnl_addr_set_local(address.get(), local.get());
    // Nobody else is on the link: no need to look for a second owner (RFC 4862 §5.4).
    if (own.is_v6()) rtnl_addr_set_flags(address.get(), IFA_F_NODAD);
    if (const int error = rtnl_addr_add(socket.get(), address.get(), 0); error < 0) {
      return with_netlink(own.to_string() + " cannot be given to " + name, error);
    }
  }
  return std::nullopt;
}

Route TunDevice::State::make_route(const Prefix& prefix) const {
  Route route(rtnl_route_alloc());
  const Address to = make_address(prefix.network, prefix.length);
  rtnl_route_set_family(route.get(), prefix.network.is_v6() ? AF_INET6 : AF_INET);
  rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
  if (prefix.network.is_v4()) rtnl_route_set_scope(route.get(), RT_SCOPE_LINK);
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
  TunDevice device(std::make_unique<State>());
  device.state_->name = options.name;
  for (std::uint32_t i = 0; i < options.queues; ++i) {
    auto port = make_queue(options.name, i == 0, options.queues > 1);
    if (!port) return Failure{port.error()};
    device.state_->ports.push_back(std::move(*port));
  }
  if (options.queues > 1) {
    auto steering = Steering::attach(device.state_->ports.front().fd.get());
    if (!steering) return Failure{steering.error()};
    device.state_->steering = std::move(*steering);
  }
  if (auto error = device.state_->configure(options)) return Failure{std::move(*error)};
  for (const Prefix& prefix : options.routes) {
    if (auto error = device.add_route(prefix)) return Failure{std::move(*error)};
  }
  return device;
}

const std::string& TunDevice::name() const {
  return state_->name;
}

std::vector<TunPort> TunDevice::take_ports() {
  return std::move(state_->ports);
}

std::optional<std::string> TunDevice::steer(const Prefix& prefix, std::uint32_t queue) {
  return state_->steering ? state_->steering->set(prefix, queue) : std::nullopt;
}

void TunDevice::unsteer(const Prefix& prefix) {
  if (state_->steering) state_->steering->remove(prefix);
}

std::optional<std::string> TunDevice::add_route(const Prefix& prefix) {
  const std::string what = "the route to " + prefix.to_string() + " cannot be set";
  const Route route = state_->make_route(prefix);
  const int error = rtnl_route_add(state_->socket.get(), route.get(), NLM_F_EXCL);
  if (error == -NLE_EXIST) {
    return what + ": this machine has one of its own, which stays. \"ip route show " + prefix.to_string() +
           "\" says whose it is";
  }
  if (error < 0) return with_netlink(what, error);
  state_->routes.insert(prefix);
  return std::nullopt;
}

void TunDevice::remove_route(const Prefix& prefix) {
  if (state_->routes.erase(prefix) == 0) return;
  const Route route = state_->make_route(prefix);
  rtnl_route_delete(state_->socket.get(), route.get(), 0);
}

namespace {

Neighbour make_proxy(const std::string& device, const IpAddress& address) {
  Neighbour out(rtnl_neigh_alloc());
  const Address destination = make_address(address, address.is_v6() ? 128 : 32);
  rtnl_neigh_set_family(out.get(), address.is_v6() ? AF_INET6 : AF_INET);
  rtnl_neigh_set_ifindex(out.get(), static_cast<int>(::if_nametoindex(device.c_str())));
  rtnl_neigh_set_dst(out.get(), destination.get());
  rtnl_neigh_set_flags(out.get(), NTF_PROXY);
  return out;
}

}  // namespace

std::optional<std::string> TunDevice::add_proxy(const std::string& device, const IpAddress& address) {
  const std::string what = address.to_string() + " cannot be answered for on " + device;
  if (::if_nametoindex(device.c_str()) == 0) return what + ": there is no such device";
  if (address.is_v6()) {
    std::ofstream setting("/proc/sys/net/ipv6/conf/" + device + "/proxy_ndp");
    if (!(setting << "1\n" << std::flush)) return what + ": its proxy_ndp cannot be turned on";
  }
  const Neighbour proxy = make_proxy(device, address);
  const int error = rtnl_neigh_add(state_->socket.get(), proxy.get(), NLM_F_CREATE | NLM_F_REPLACE);
  if (error < 0) return with_netlink(what, error);
  return std::nullopt;
}

void TunDevice::remove_proxy(const std::string& device, const IpAddress& address) {
  const Neighbour proxy = make_proxy(device, address);
  rtnl_neigh_delete(state_->socket.get(), proxy.get(), 0);
}

}  // namespace sluice::agent
