#pragma once
// The control thread's view of sessions: who asked, who got what, what the edges and accounting are told.
// Joins the authenticator, the pools, accounting and the worker. Thread: control.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend-agent/lns/messages.hpp"
#include "backend-agent/lns/session_value.hpp"
#include "backend-agent/pool/pools.hpp"
#include "backend-agent/radius/accounting.hpp"
#include "backend-agent/radius/authenticator.hpp"
#include "backend-agent/radius/core/dynamic.hpp"
#include "base/time.hpp"
#include "proto/channel/messages.hpp"

namespace sluice::agent {

struct SessionsContext {
  Authenticator& authenticator;
  Pools& pools;
  /// May be null.
  Accounting* accounting = nullptr;
  /// The local end and name servers that every client is given.
  ppp::Addresses common;
  std::vector<IpAddress> dns6;
  /// Between interim records, unless the server says otherwise; 0: none.
  std::chrono::seconds interim{0};
  /// In front of every Acct-Session-Id: no other run of any agent has it.
  std::string session_prefix;
  std::function<Instant()> now;
  std::function<std::int64_t()> unix_seconds;
  std::function<void(Command)> post;
  std::function<void(ChannelId, const channel::SessionUp&)> session_up;
  std::function<void(ChannelId, const channel::SessionDown&)> session_down;
  /// What a client dialled, as far as its edge tells.
  std::function<std::string(ChannelId)> called;
  /// Sessions that may be let in at once; 0: no limit.
  std::size_t max_sessions = 0;
  /// Names of the packet filters that there are.
  std::set<std::string, std::less<>> filters{};
  /// An address or network that is the client's own, not a pool's, comes into use or goes out of use.
  std::function<void(const Prefix&, bool in_use)> route;
  /// Packets for a network are that session's worker's, or no longer. May be null.
  std::function<void(const Prefix&, SessionSerial session, bool in_use)> steer = nullptr;
};

/// What a reload changes for logins to come; as in SessionsContext.
struct SessionsProfile {
  ppp::Addresses common;
  std::vector<IpAddress> dns6;
  std::chrono::seconds interim{0};
  std::size_t max_sessions = 0;
  std::set<std::string, std::less<>> filters{};
};

class Sessions {
 public:
  explicit Sessions(SessionsContext context) : context_(std::move(context)) {}

  void set_profile(SessionsProfile profile);
  /// The pools are others than before: what they no longer hold gets a route of its own while it is in use,
  /// and what they hold now is not given to others.
  void pools_changed();

  void on_auth(AuthAsked asked);
  void on_opened(const SessionOpened& opened);
  void on_counters(const CountersTold& told);
  void on_gone(const SessionGone& gone);
  /// Carries out a CoA- or Disconnect-Request on every session that it names.
  radius::ErrorCause on_dynamic(const radius::DynamicRequest& request);
  std::size_t size() const { return sessions_.size(); }

  /// What accounting goes on with elsewhere, for the session's value; nothing for one that is not up.
  std::optional<AccountingFacts> facts(SessionSerial session) const;
  /// A session that Lns::restore() goes on with: its addresses, routes and accounting are ours from now on.
  /// False when an address of it is another's; then the session ends.
  bool adopt(SessionSerial session, const TunnelSpec& tunnel, const SessionValue& value);

 private:
  struct Session {
    TunnelSpec tunnel;
    Caller caller;
    std::string user;        ///< who has been let in
    std::string asked_user;  ///< whom the latest attempt names
    ppp::AttemptId attempt;  ///< the latest; a verdict on an earlier one is of no use
    ppp::AuthMethod method = ppp::AuthMethod::kNone;
    std::optional<IpAddress> address;
    std::optional<ppp::Ipv6Addresses> v6;
    std::vector<Prefix> routed;   ///< what context_.route was told
    std::vector<Prefix> steered;  ///< what context_.steer was told
    SessionPolicy policy;
    std::vector<ByteVector> classes;
    std::chrono::seconds interim{0};
    bool by_radius = false;
    bool up = false;
    std::int64_t started = 0;  ///< when it came up, seconds since 1970
    bool replaced = false;     ///< the same user has dialled in again: what it had is the new session's
    bool refused = false;      ///< its end has been told in one line already
  };
  Caller caller_of(SessionSerial serial, const TunnelSpec& tunnel, std::string session_id) const;
  bool take_over(Session& session, const ppp::Addresses& addresses);
  bool holds(const Session& session, const Prefix& prefix) const;
  void replace(SessionSerial serial, Session& session);
  void decide(SessionSerial serial, ppp::AttemptId attempt, AuthDecision decision);
  std::optional<AuthDecision> let_in(SessionSerial serial, Session& session, const AuthDecision& decision);
  /// Why the accepted session cannot be had all the same; nothing when it can.
  std::optional<AuthDecision> furnish(SessionSerial serial, Session& session, const radius::Grant& grant);
  std::optional<AuthDecision> give_address(SessionSerial serial, Session& session,
                                           const radius::Grant& grant);
  static std::optional<AuthDecision> lacks(const std::string& pool, const Pools::GivenPrefix& given);
  bool is_full() const;
  std::optional<AuthDecision> take_own(SessionSerial serial, Session& session, const IpAddress& address);
  std::optional<AuthDecision> take_own(SessionSerial serial, Session& session, const Prefix& prefix);
  std::optional<AuthDecision> give_prefixes(SessionSerial serial, Session& session,
                                            const radius::Grant& grant);
  void drop_default_routes(Session& session) const;
  ppp::Addresses addresses_of(const Session& session, const radius::Grant& grant) const;
  void lead_packets(SessionSerial serial, Session& session);
  void add_route(Session& session, const Prefix& prefix);
  void remove_route(const Prefix& prefix);
  void steer(SessionSerial serial, Session& session);
  void tell_refusal(const Session& session, const ppp::AuthVerdict& verdict) const;
  void set_classes(SessionSerial serial, Session& session, const radius::Grant& grant);
  void change(SessionSerial serial, Session& session, const radius::Grant& grant);
  void release(Session& session);
  AccountedSession accounted(const Session& session) const;

  SessionsContext context_;
  std::map<SessionSerial, Session> sessions_;
  std::map<Prefix, unsigned> routes_;  ///< how many sessions want each
};

}  // namespace sluice::agent
