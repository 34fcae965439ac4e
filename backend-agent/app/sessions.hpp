#pragma once
// The control thread's view of sessions: who asked, who got which address, what the edges are told. Joins the
// authenticator, the pool and the worker. Thread: control.

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "backend-agent/lns/messages.hpp"
#include "backend-agent/pool/pool.hpp"
#include "backend-agent/radius/authenticator.hpp"
#include "base/time.hpp"
#include "proto/channel/messages.hpp"

namespace sluice::agent {

struct SessionsContext {
  Authenticator& authenticator;
  AddressPool& pool;
  /// The local end and name servers that every client is given.
  ppp::Addresses common;
  std::function<Instant()> now;
  std::function<std::int64_t()> unix_seconds;
  std::function<void(Command)> post;
  std::function<void(ChannelId, const channel::SessionUp&)> session_up;
  std::function<void(ChannelId, const channel::SessionDown&)> session_down;
  /// A fixed address comes into use, or goes out of use.
  std::function<void(const IpAddress&, bool in_use)> fixed_address;
};

class Sessions {
 public:
  explicit Sessions(SessionsContext context) : context_(std::move(context)) {}

  void on_auth(AuthAsked asked);
  void on_opened(const SessionOpened& opened);
  void on_gone(const SessionGone& gone);
  std::size_t size() const { return sessions_.size(); }

 private:
  struct Session {
    TunnelSpec tunnel;
    std::string user;
    ppp::AuthMethod method = ppp::AuthMethod::kNone;
    std::optional<IpAddress> address;
    bool fixed = false;
    bool refused = false;  ///< its end has been told in one line already
  };
  void decide(SessionSerial serial, AuthDecision decision);
  bool give_address(SessionSerial serial, Session& session, const std::optional<IpAddress>& own);
  void take_over(SessionSerial by, const IpAddress& address);
  void release(Session& session);

  SessionsContext context_;
  std::map<SessionSerial, Session> sessions_;
};

}  // namespace sluice::agent
