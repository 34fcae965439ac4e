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
  std::vector<AuthMethod> auth = default_auth_methods();
  /// EAP, server: hand every Response to the authenticator (RADIUS), which answers with the next Request.
  /// Otherwise the methods below are spoken here and the authenticator judges their proofs.
  bool eap_passthrough = false;
  /// EAP's own methods in the order offered or, for a client, accepted: kMsChapV2 and kChapMd5 count.
  std::vector<AuthMethod> eap_methods = default_eap_methods();
  /// MS-CHAPv2: other passwords a client may try after a wrong one (R=1, RFC 2759 §6).
  unsigned auth_retries = 0;
  /// CHAP, MS-CHAPv2 and EAP: prove it again after so long (RFC 1994 §2); 0: never. IP flows meanwhile.
  Duration rechallenge_interval{0};
  std::uint16_t mru = 1400;          ///< asked for in LCP
  std::uint16_t mtu = 1400;          ///< octets of IP sent at most; the peer's MRU lowers it
  bool request_compression = false;  ///< ask for PFC and ACFC; the peer's own wish is granted anyway
  bool clamp_mss = true;
  bool check_source = true;     ///< server only: drop IP whose source is not the peer's address
  std::string name = "sluice";  ///< CHAP Name of the server
  std::string user;             ///< client only
  Secret password;              ///< client only
  bool want_dns = true;         ///< client only: ask for DNS and NBNS
  bool want_ipv4 = true;        ///< client only: open IPCP
  bool want_ipv6 = false;       ///< client only: open IPV6CP
  CpTimers timers;
  Duration auth_timeout = std::chrono::seconds(30);
  Duration echo_interval = std::chrono::seconds(30);  ///< of silence before an echo is sent; 0: never
  unsigned echo_failures = 4;
  Duration advertisement_interval = std::chrono::minutes(10);  ///< of unasked router advertisements
};

}  // namespace sluice::ppp
