#pragma once
// One PPP link over an L2TP session: LCP, authentication, IPCP, IPV6CP, IP frames (RFC 1661 §3). No I/O:
// frames and time go in, frames and events come out. Plays the server; in the client's role it serves tests
// and load generators. Thread: whichever owns it; no call blocks, none calls back.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "ppp/auth.hpp"
#include "ppp/config.hpp"
#include "ppp/cp.hpp"
#include "ppp/ipcp.hpp"
#include "ppp/ipv6cp.hpp"
#include "ppp/lcp.hpp"
#include "ppp/link_services.hpp"
#include "ppp/outbox.hpp"
#include "ppp/snapshot.hpp"
#include "ppp/verify.hpp"

namespace sluice::ppp {

/// A peer wants in, or is to prove itself again: answer with auth_result(). One at a time. With EAP passed
/// through, several follow one another.
struct AuthNeeded {
  AuthRequest request;
};
/// The peer is accepted and has no addresses yet: answer with set_addresses(), or stop().
struct AddressNeeded {
  std::string user;
};
/// IPv4 flows. Comes again after a renegotiation.
struct Up {
  Addresses addresses;
  std::string user;
  AuthMethod method = AuthMethod::kNone;
  std::uint16_t mtu = 0;
};
/// IPv6 flows, with the identifiers as agreed; before Up, after it or without it. Comes again after a
/// renegotiation.
struct Ipv6Up {
  Ipv6Addresses addresses;
  std::string user;
  AuthMethod method = AuthMethod::kNone;
  std::uint16_t mtu = 0;
};
/// IPv6 flows no more, the link stays.
struct Ipv6Down {};
/// The peer told something worth a log line (LCP Identification, Time-Remaining). Escape before printing.
struct PeerSays {
  std::string text;
};
/// The end; emitted once, nothing follows. `cause` is one word: user-request, authentication-failed,
/// authentication-refused, authentication-timeout, echo-timeout, lcp-timeout, ipcp-timeout,
/// no-network-protocol, loopback, protocol-error, or the word given to stop(). `text` is a sentence for the
/// operator.
struct Down {
  std::string cause;
  std::string text;
  std::string user;
};
using PppEvent = std::variant<AuthNeeded, AddressNeeded, Up, Ipv6Up, Ipv6Down, PeerSays, Down>;

class PppSession {
 public:
  enum class Phase : std::uint8_t { kDead, kEstablish, kAuthenticate, kNetwork, kTerminate };

  /// `random` and `drops` outlive the session.
  PppSession(std::shared_ptr<const PppConfig> config, RandomSource& random, Drops& drops);

  /// The lower layer is up: LCP begins.
  void start(Instant now);
  /// Instead of start(): goes on where another session was. An attempt that was being decided is asked for
  /// again by AuthNeeded, addresses that were asked for by AddressNeeded. False when the values contradict
  /// one another or the configuration; then the object is of no use.
  bool restore(const SessionSnapshot& from, Instant now);
  /// The whole state. What waits in poll_transmit() and poll_event() is not in it: drain them first.
  SessionSnapshot snapshot(Instant now) const;

  /// A frame from the peer. When it carried an IP packet, v4 or v6, for us to forward, that packet (within
  /// `frame`, its MSS clamped); else empty.
  MutableBytes on_frame(MutableBytes frame, Instant now);
  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const;

  /// The attempt of the last AuthNeeded while it waits for its verdict; 0 when none does.
  AttemptId pending_attempt() const { return auth_.pending(); }
  /// Answers AuthNeeded. For an attempt that is not pending (any more) it does nothing.
  void auth_result(AttemptId attempt, const AuthVerdict& verdict, Instant now);
  /// Answers AddressNeeded; may be called earlier, then AddressNeeded does not come.
  void set_addresses(const Addresses& addresses, Instant now);
  /// Server: networks behind the peer, whose packets pass the check of sources, too. Not part of snapshot().
  void set_networks(std::vector<Prefix> networks) { networks_ = std::move(networks); }
  /// Tells the peer how long the link will last (RFC 1570 §2.2); clients without it answer with Code-Reject.
  void tell_time_remaining(std::chrono::seconds left, std::string_view text) {
    lcp_.tell_time_remaining(left, text);
  }
  /// Ends the link in order (LCP Terminate-Request with `text`); Down follows when the peer answered or time
  /// is up.
  void stop(std::string_view cause, std::string_view text, Instant now);
  /// The lower layer is gone: Down at once.
  void lower_down(std::string_view cause, std::string_view text);

  /// Puts a PPP header in front of the IP packet at buffer[offset, offset + size), into the room before
  /// `offset` (at least kMaxHeader), and clamps its MSS. The whole frame, or empty (dropped and counted).
  MutableBytes frame_ip(MutableBytes buffer, std::size_t offset, std::size_t size);

  /// The next whole PPP frame to send, if any.
  std::optional<ByteVector> poll_transmit() { return out_.pop(); }
  std::optional<PppEvent> poll_event();

  Phase phase() const { return phase_; }
  /// IPv4, IPv6 may flow.
  bool is_up() const { return up_; }
  bool ipv6_up() const { return ipv6_up_; }
  const std::string& user() const { return auth_.user(); }
  /// Octets of IP that a frame to the peer may hold.
  std::uint16_t mtu() const;
  const Lcp& lcp() const { return lcp_; }

 private:
  void handle_signals(Instant now);
  void lcp_opened(Instant now);
  void lcp_closed(Instant now);
  void lcp_finished();
  void start_network(Instant now);
  void handle_auth(Instant now);
  void handle_control(Protocol protocol, Bytes packet, Instant now);
  void handle_network_control(Protocol protocol, Bytes packet, Instant now);
  void handle_ipcp_signals(Instant now);
  void handle_ipv6cp_signals(Instant now);
  void network_ended(const ControlProtocol& other, std::string_view cause, std::string_view text,
                     Instant now);
  void on_protocol_reject(Protocol protocol, Instant now);
  MutableBytes take_ipv4(MutableBytes packet);
  MutableBytes take_ipv6(MutableBytes packet, Instant now);
  bool is_clients(Bytes ipv6_source) const;
  bool is_behind(const IpAddress& address) const;
  bool checks_source() const { return config_->check_source && config_->role == Role::kServer; }
  bool awaits_addresses() const { return config_->role == Role::kServer && !addresses_; }
  bool wants_ipv4() const;
  bool wants_ipv6() const;
  bool plausible(const SessionSnapshot& from) const;
  void go_up();
  void go_up_ipv6(Instant now);
  void finish(std::string_view cause, std::string_view text);
  void check_invariant() const;

  std::shared_ptr<const PppConfig> config_;
  Drops& drops_;
  Outbox out_;
  Lcp lcp_;
  Auth auth_;
  Ipcp ipcp_;
  Ipv6cp ipv6cp_;
  LinkServices link_;
  Phase phase_ = Phase::kDead;
  bool up_ = false, ipv6_up_ = false;
  bool address_asked_ = false;
  std::optional<std::string> proven_user_;
  std::optional<Addresses> addresses_;
  std::vector<Prefix> networks_;
  ByteVector early_ipcp_, early_ipv6cp_;  ///< the latest packet that came before the addresses
  std::string down_cause_, down_text_;
  Fifo<PppEvent> events_;
};

}  // namespace sluice::ppp
