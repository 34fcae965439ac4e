#pragma once
// Three network namespaces joined by two veth pairs: clients (10.64.0.0/10, each address local there) - edge
// - agent. They go with the process.

#include <cstdint>

#include "base/app/unique_fd.hpp"
#include "base/ip.hpp"

namespace sluice::bench {

inline const IpAddress kEdgeToClients = IpAddress::v4(0x0a010001);  // 10.1.0.1
inline const IpAddress kEdgeToAgent = IpAddress::v4(0x0a020001);    // 10.2.0.1
inline const IpAddress kAgent = IpAddress::v4(0x0a020002);
inline constexpr std::uint16_t kClientPort = 4500, kNattPort = 4500, kAgentPort = 4601, kFloorPort = 4602;
inline IpAddress client_address(std::uint32_t index) {
  return IpAddress::v4(0x0a400000 + index);
}

class Nets {
 public:
  /// Needs root. Exits with a message when the kernel refuses.
  Nets();
  /// Moves the calling thread.
  void enter_clients() const;
  void enter_edge() const;
  void enter_agent() const;

 private:
  app::UniqueFd clients_, edge_, agent_;
};

/// Binds the calling thread to a core.
void pin(unsigned core);
/// CPU time of the calling thread, seconds.
double cpu_seconds();
[[noreturn]] void fail(const char* what);

}  // namespace sluice::bench
