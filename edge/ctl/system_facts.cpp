#include "edge/ctl/system_facts.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "base/app/unique_fd.hpp"

namespace sluice::ctl {
namespace {

// A page of /proc or what a program says: more than that is not read.
constexpr std::size_t kMostText = 1 << 20;

/// Settings and figures of one line each, as NAME = VALUE in one file of the bundle.
constexpr std::array kFigures{
    "net/core/rmem_max",           "net/core/rmem_default",
    "net/core/wmem_max",           "net/core/wmem_default",
    "net/core/netdev_max_backlog", "net/core/netdev_budget",
    "net/ipv4/ip_forward",         "net/ipv4/ip_local_port_range",
    "net/ipv4/ip_no_pmtu_disc",    "net/ipv4/udp_mem",
    "net/ipv4/conf/all/rp_filter", "net/ipv6/conf/all/forwarding",
    "kernel/core_pattern",         "fs/file-nr",
};
/// Where the kernel has no connection tracking, these are not there, and that is no fault.
constexpr std::array kConntrack{"net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_count",
                                "net/netfilter/nf_conntrack_udp_timeout"};

struct Source {
  const char* file;
  const char* what;  ///< a path, or a command with its words
};
constexpr std::array kFiles{
    Source{"system/cpu.txt", "/proc/cpuinfo"},
    Source{"system/load.txt", "/proc/loadavg"},
    Source{"system/memory.txt", "/proc/meminfo"},
    Source{"system/udp.txt", "/proc/net/snmp"},
    Source{"system/softnet.txt", "/proc/net/softnet_stat"},
    Source{"system/os-release.txt", "/etc/os-release"},
};
constexpr std::array kCommands{
    Source{"system/ip-address.txt", "ip address show"},
    Source{"system/ip-link.txt", "ip -s -s link show"},
    Source{"system/ip-route.txt", "ip route show table all"},
    Source{"system/ip-rule.txt", "ip rule show"},
};

/// The file's beginning; nothing and errno where it cannot be read.
std::optional<std::string> read_file(const std::string& path) {
  const app::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string out;
  std::array<char, 16384> piece{};
  while (out.size() < kMostText) {
    const auto size = ::read(file.get(), piece.data(), piece.size());
    if (size < 0) return std::nullopt;
    if (size == 0) break;
    out.append(piece.data(), static_cast<std::size_t>(size));
  }
  return out;
}

SystemFact from_file(const Source& source) {
  auto text = read_file(source.what);
  if (text) return {source.file, std::move(*text), ""};
  return {source.file, "", std::string(source.what) + ": " + std::strerror(errno)};
}

SystemFact from_command(const Source& source) {
  // Words of our own, no shell syntax of others in them.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(
      ::popen((std::string(source.what) + " 2>&1").c_str(), "re"), ::pclose);
  SystemFact out{source.file, "", ""};
  std::array<char, 4096> piece{};
  std::size_t size = 0;
  while (pipe && out.text.size() < kMostText &&
         (size = std::fread(piece.data(), 1, piece.size(), pipe.get())) > 0) {
    out.text.append(piece.data(), size);
  }
  if (out.text.empty()) out.missing = "'" + std::string(source.what) + "' said nothing";
  return out;
}

/// "NAME = VALUE" with the value's blanks as they are; empty where it cannot be read.
std::string figure(const char* name) {
  auto text = read_file("/proc/sys/" + std::string(name));
  if (!text) return "";
  while (text->ends_with('\n')) text->pop_back();
  return std::string(name) + " = " + *text + "\n";
}

SystemFact figures() {
  SystemFact out{"system/sysctl.txt", "", ""};
  for (const auto* name : kFigures) out.text += figure(name);
  std::string conntrack;
  for (const auto* name : kConntrack) conntrack += figure(name);
  out.text += conntrack.empty() ? "# no connection tracking here\n" : conntrack;
  return out;
}

SystemFact kernel() {
  utsname name{};
  if (::uname(&name) != 0) return {"system/kernel.txt", "", "uname failed"};
  // The host's name is nobody's business.
  return {"system/kernel.txt",
          std::string(name.sysname) + " " + name.release + " " + name.version + " " + name.machine + "\n",
          ""};
}

}  // namespace

std::vector<SystemFact> system_facts() {
  std::vector<SystemFact> out{kernel(), figures()};
  for (const auto& source : kFiles) out.push_back(from_file(source));
  for (const auto& source : kCommands) out.push_back(from_command(source));
  return out;
}

}  // namespace sluice::ctl
