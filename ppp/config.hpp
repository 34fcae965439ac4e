#pragma once
// What all sessions of one agent share; set once, then read only.

#include <string>
#include <vector>

#include "base/secret.hpp"
#include "base/time.hpp"
#include "ppp/protocol.hpp"

namespace sluice::ppp {

enum class Role : std::uint8_t { kServer, kClient };

/// The counters of RFC 1661 §4.6.
struct CpTimers {
  /// Before the first retransmission, doubled each time up to `restart`: a client's pppd often attaches to
  /// the tunnel only some milliseconds after ICCN, and misses the first request.
  Duration first_restart = std::chrono::milliseconds(300);
  Duration restart = std::chrono::seconds(3);
  unsigned max_configure = 10;
  unsigned max_terminate = 2;
  unsigned max_failure = 5;  ///< Naks before an option is rejected instead
};

struct PppConfig {
  Role role = Role::kServer;
  /// Server: offered in this order, never empty. Client: acceptable, the first preferred.
  std::vector<AuthMethod> auth = all_auth_methods();
  std::uint16_t mru = 1400;          ///< asked for in LCP
  std::uint16_t mtu = 1400;          ///< octets of IP sent at most; the peer's MRU lowers it
  bool request_compression = false;  ///< ask for PFC and ACFC; the peer's own wish is granted anyway
  bool clamp_mss = true;
  bool check_source = true;     ///< server only: drop IP whose source is not the peer's address
  std::string name = "sluice";  ///< CHAP Name of the server
  std::string user;             ///< client only
  Secret password;              ///< client only
  bool want_dns = true;         ///< client only: ask for DNS and NBNS
  CpTimers timers;
  Duration auth_timeout = std::chrono::seconds(30);
  Duration echo_interval = std::chrono::seconds(30);  ///< of silence before an echo is sent; 0: never
  unsigned echo_failures = 4;
};

}  // namespace sluice::ppp
