#include "backend-agent/app/sessions.hpp"

#include "base/app/log.hpp"

namespace sluice::agent {
namespace {

using app::LogField;

/// RFC 2759 §6: no permission to dial in. The nearest there is for an exhausted pool.
constexpr unsigned kNoDialinPermission = 649;

}  // namespace

void Sessions::on_auth(AuthAsked asked) {
  Session& session = sessions_[asked.session];
  session.tunnel = asked.tunnel;
  session.user = asked.request.user;
  session.method = asked.request.method;
  AuthAttempt attempt{std::move(asked.request), asked.tunnel.client, asked.tunnel.peer_identity,
                      asked.tunnel.correlation_id};
  context_.authenticator.authenticate(
      std::move(attempt),
      [this, serial = asked.session](AuthDecision decision) { decide(serial, std::move(decision)); });
}

void Sessions::decide(SessionSerial serial, AuthDecision decision) {
  const auto found = sessions_.find(serial);
  if (found == sessions_.end()) return;  // it went away meanwhile
  Session& session = found->second;
  ppp::AuthVerdict verdict = std::move(decision.verdict);
  if (verdict.accepted && !give_address(serial, session, decision.address)) {
    verdict = {};
    verdict.message = "No address is free";
    verdict.error = kNoDialinPermission;
    verdict.cause = "no-address";
    verdict.detail = "the address pool is exhausted: add a range to pool.ranges, or another agent";
  }
  AuthDecided decided{serial, std::move(verdict), std::nullopt, {}};
  if (decided.verdict.accepted) {
    decided.addresses = context_.common;
    decided.addresses->remote = *session.address;
  } else {
    session.refused = true;
    app::log_warning(
        "client refused",
        {LogField("id", session.tunnel.correlation_id), LogField("user", session.user),
         LogField("client", session.tunnel.client.to_string()),
         LogField("identity", session.tunnel.peer_identity), LogField("auth", to_string(session.method)),
         LogField("cause", decided.verdict.cause), LogField("text", decided.verdict.detail)});
  }
  context_.post(std::move(decided));
}

bool Sessions::give_address(SessionSerial serial, Session& session, const std::optional<IpAddress>& own) {
  if (session.address) return true;  // a renegotiated link keeps what it has
  session.fixed = own.has_value();
  if (own) {
    take_over(serial, *own);
    context_.fixed_address(*own, true);
    session.address = own;
  } else {
    session.address = context_.pool.allocate(session.user, context_.now());
  }
  return session.address.has_value();
}

/// A fixed address in use means that its user redials: the older session is a leftover.
void Sessions::take_over(SessionSerial by, const IpAddress& address) {
  for (auto& [serial, session] : sessions_) {
    if (serial == by || session.address != address) continue;
    release(session);
    context_.post(EndSession{serial, "replaced", "the same user dialled in again"});
  }
}

void Sessions::release(Session& session) {
  if (!session.address) return;
  if (session.fixed) {
    context_.fixed_address(*session.address, false);
  } else {
    context_.pool.release(*session.address, context_.now());
  }
  session.address.reset();
}

void Sessions::on_opened(const SessionOpened& opened) {
  app::log_info("session up", {LogField("id", opened.correlation_id), LogField("user", opened.user),
                               LogField("client", opened.client.to_string()),
                               LogField("address", opened.addresses.remote.to_string()),
                               LogField("auth", to_string(opened.method)), LogField("mtu", opened.mtu)});
  channel::SessionUp up;
  up.relay = opened.tunnel.relay;
  up.session = opened.id;
  up.user = opened.user;
  up.auth_method = to_string(opened.method);
  up.client_ip = opened.addresses.remote;
  up.started_at = static_cast<std::uint64_t>(context_.unix_seconds());
  context_.session_up(opened.tunnel.channel, up);
}

void Sessions::on_gone(const SessionGone& gone) {
  bool told = false;
  if (const auto found = sessions_.find(gone.session); found != sessions_.end()) {
    told = found->second.refused;
    release(found->second);
    sessions_.erase(found);
  }
  const bool ordinary = gone.was_up && (gone.cause == "user-request" || gone.cause == "agent-stopping");
  const auto level = told || gone.probe ? app::LogLevel::kDebug
                     : ordinary         ? app::LogLevel::kInfo
                                        : app::LogLevel::kWarning;
  app::log(level, gone.was_up ? "session down" : "session ended before it was up",
           {LogField("id", gone.correlation_id), LogField("user", gone.user),
            LogField("client", gone.client.to_string()), LogField("cause", gone.cause),
            LogField("text", gone.text), LogField("packets_in", gone.packets_in),
            LogField("packets_out", gone.packets_out), LogField("bytes_in", gone.bytes_in),
            LogField("bytes_out", gone.bytes_out)});
  channel::SessionDown down;
  down.relay = gone.tunnel.relay;
  down.session = gone.id;
  down.cause = gone.cause;
  down.text = gone.text;
  down.user = gone.user;
  context_.session_down(gone.tunnel.channel, down);
}

}  // namespace sluice::agent
