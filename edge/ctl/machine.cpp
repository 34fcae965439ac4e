#include "edge/ctl/machine.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>

#include "base/app/unique_fd.hpp"

namespace sluice::ctl {
namespace {

bool lies_in(const IpAddress& address, std::string_view network) {
  return Prefix::parse(network)->contains(address);
}

bool is_of_use(const IpAddress& address) {
  for (const auto* not_useful : {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::1", "fe80::/10"})
    if (lies_in(address, not_useful)) return false;
  return !address.is_unspecified();
}

std::optional<IpAddress> address_of(const sockaddr* raw) {
  if (raw->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, raw, sizeof in);
    return IpAddress::v4(ntohl(in.sin_addr.s_addr));
  }
  if (raw->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 in{};
  std::memcpy(&in, raw, sizeof in);
  return IpAddress::from_bytes(Bytes(in.sin6_addr.s6_addr, sizeof in.sin6_addr.s6_addr));
}

std::vector<IpAddress> own_addresses() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(raw, ::freeifaddrs);
  std::vector<IpAddress> out;
  for (const auto* at = all.get(); at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_UP) == 0) continue;
    const auto address = address_of(at->ifa_addr);
    if (address && is_of_use(*address) && std::ranges::find(out, *address) == out.end())
      out.push_back(*address);
  }
  std::ranges::stable_partition(out, &IpAddress::is_v4);
  return out;
}

/// Those of a stub on this machine are of no use to clients.
std::vector<IpAddress> own_resolvers() {
  std::vector<IpAddress> out;
  std::ifstream file("/etc/resolv.conf");
  for (std::string word; file >> word;) {
    if (word != "nameserver" || !(file >> word)) continue;
    const auto address = IpAddress::parse(word);
    if (address && address->is_v4() && is_of_use(*address) && out.size() < 2) out.push_back(*address);
  }
  return out;
}

/// The kernel chooses the source when a socket is connected; nothing is sent by that.
std::optional<IpAddress> source_for(const IpAddress& far) {
  sockaddr_storage to{};
  socklen_t size = far.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (far.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(9);
    in.sin_addr.s_addr = htonl(far.to_v4());
    std::memcpy(&to, &in, sizeof in);
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(9);
    std::ranges::copy(far.bytes(), in.sin6_addr.s6_addr);
    std::memcpy(&to, &in, sizeof in);
  }
  const app::UniqueFd fd(::socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), size) != 0) return std::nullopt;
  size = sizeof to;
  auto* raw = reinterpret_cast<sockaddr*>(&to);
  return ::getsockname(fd.get(), raw, &size) == 0 ? address_of(raw) : std::nullopt;
}

}  // namespace

Machine this_machine() {
  return {own_addresses(), own_resolvers(), source_for};
}

bool is_public(const IpAddress& address) {
  for (const auto* network : {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"})
    if (lies_in(address, network)) return false;
  return is_of_use(address);
}

}  // namespace sluice::ctl
