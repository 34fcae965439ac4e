#include "backend-agent/app/sessions.hpp"

#include <algorithm>

#include "base/app/log.hpp"
#include "base/text.hpp"

namespace sluice::agent {
namespace {

using app::LogField;

/// RFC 2759 §6: no permission to dial in. The nearest there is for an exhausted pool.
constexpr unsigned kNoDialinPermission = 649;

Prefix host(const IpAddress& address) {
  return {address, static_cast<std::uint8_t>(address.is_v6() ? 128 : 32)};
}

SessionPolicy policy_of(const radius::Grant& grant) {
  SessionPolicy out;
  out.rate_up = grant.rate_up.value_or(0);
  out.rate_down = grant.rate_down.value_or(0);
  out.session_timeout = grant.session_timeout.value_or(std::chrono::seconds(0));
  out.idle_timeout = grant.idle_timeout.value_or(std::chrono::seconds(0));
  out.routes = grant.routes;
  out.filter = grant.filter_id;
  return out;
}

SessionCounters counters_of(const auto& told) {
  return {told.packets_in, told.packets_out, told.bytes_in, told.bytes_out};
}

AuthDecision no_pool(const std::string& pool) {
  return refused("no-pool", "the user's pool \"" + pool + "\" is not configured: add a [[named_pool]]",
                 "No address pool for this user", kNoDialinPermission);
}
AuthDecision exhausted(const std::string& pool) {
  return refused("no-address",
                 "the address pool \"" + pool + "\" is exhausted: add a range to it, or another agent",
                 "No address is free", kNoDialinPermission);
}

/// Acct-Authentic and who answers for it: told to the operator, too.
std::string_view judge_name(bool by_radius) {
  return by_radius ? "radius" : "file";
}

}  // namespace

void Sessions::on_auth(AuthAsked asked) {
  Session& session = sessions_[asked.session];
  session.tunnel = asked.tunnel;
  session.asked_user = asked.request.user;
  session.attempt = asked.request.attempt;
  session.method = asked.request.method;
  session.caller = caller_of(asked.session, asked.tunnel, std::move(session.caller.session_id));
  AuthAttempt attempt{std::move(asked.request), session.caller};
  context_.authenticator.authenticate(
      std::move(attempt), [this, serial = asked.session, id = session.attempt](AuthDecision decision) {
        decide(serial, id, std::move(decision));
      });
}

void Sessions::decide(SessionSerial serial, ppp::AttemptId attempt, AuthDecision decision) {
  const auto found = sessions_.find(serial);
  if (found == sessions_.end()) return context_.authenticator.forget(serial);  // it went away meanwhile
  Session& session = found->second;
  if (attempt != session.attempt) return;  // the client has begun anew, maybe under another name
  if (decision.verdict.more)
    return context_.post(AuthDecided{serial, attempt, std::move(decision.verdict), {}, {}});
  if (decision.verdict.accepted) {
    if (auto lacking = let_in(serial, session, decision)) decision = std::move(*lacking);
  }
  AuthDecided decided{serial, attempt, std::move(decision.verdict), std::nullopt, {}};
  if (decided.verdict.accepted) {
    session.refused = false;
    decided.addresses = addresses_of(session, decision.grant);
    decided.policy = session.policy;
  } else if (decided.verdict.unavailable && session.up) {
    app::log_warning("session.not-judged", "nobody can judge a client that is in: it stays",
                     {LogField("id", session.tunnel.correlation_id), LogField("user", session.user),
                      LogField("cause", decided.verdict.cause), LogField("text", decided.verdict.detail)});
    decided.verdict.detail = decided.verdict.message;
  } else {
    session.refused = true;
    tell_refusal(session, decided.verdict);
    // The sentence reaches the client with the farewell: what the operator should know it should not.
    decided.verdict.detail = decided.verdict.message;
  }
  context_.post(std::move(decided));
}

/// Whom the proof names is the session's user from here on, never before.
std::optional<AuthDecision> Sessions::let_in(SessionSerial serial, Session& session,
                                             const AuthDecision& decision) {
  if (session.replaced) {
    return refused("replaced", "the same user dialled in again meanwhile",
                   "You have dialled in a second time");
  }
  // RFC 2865 §5.1: the server may know the client better than it has told its name.
  const std::string& user = decision.grant.user.empty() ? session.asked_user : decision.grant.user;
  if (session.user != user) {
    if (session.up) {
      return refused("protocol-error", "the client authenticated again under another name",
                     "The session is another user's");
    }
    // An accept of somebody else that the link did not live to see: what it brought is not for this user.
    release(session);
  }
  session.user = user;
  session.by_radius = decision.by_radius;
  return furnish(serial, session, decision.grant);
}

void Sessions::tell_refusal(const Session& session, const ppp::AuthVerdict& verdict) const {
  // The first of these has a line of its own; the rest is for whoever looks closely.
  const auto level = verdict.cause == "throttled" ? app::LogLevel::kDebug : app::LogLevel::kWarning;
  app::log(level, "session.refused", "client refused",
           {LogField("id", session.tunnel.correlation_id), LogField("user", session.asked_user),
            LogField("client", session.tunnel.client.to_string()),
            LogField("identity", session.tunnel.peer_identity), LogField("auth", to_string(session.method)),
            LogField("cause", verdict.cause), LogField("text", verdict.detail)});
}

std::optional<AuthDecision> Sessions::furnish(SessionSerial serial, Session& session,
                                              const radius::Grant& grant) {
  if (!grant.filter_id.empty() && !context_.filters.contains(grant.filter_id)) {
    return refused("no-filter",
                   "the user's filter \"" + grant.filter_id + "\" is not configured: add a [[filter]]",
                   "No packet filter for this user", kNoDialinPermission);
  }
  if (!session.address && is_full()) {
    return refused("max-sessions", "agent.max_sessions sessions are here: raise it, or add another agent",
                   "The server is full", kNoDialinPermission);
  }
  auto routes = std::exchange(session.policy, policy_of(grant)).routes;
  if (session.address) session.policy.routes = std::move(routes);
  drop_default_routes(session);
  if (session.address) {
    set_classes(serial, session, grant);
  } else {
    session.classes = grant.classes;
  }
  session.interim = grant.interim_interval.value_or(context_.interim);
  if (session.address) return std::nullopt;  // a renegotiated link keeps what it has
  auto lacking = give_address(serial, session, grant);
  if (!lacking) lacking = give_prefixes(serial, session, grant);
  if (lacking) {
    release(session);
    return lacking;
  }
  lead_packets(serial, session);
  return std::nullopt;
}

bool Sessions::is_full() const {
  if (context_.max_sessions == 0) return false;
  const auto in = std::count_if(sessions_.begin(), sessions_.end(),
                                [](const auto& one) { return one.second.address.has_value(); });
  return static_cast<std::size_t>(in) >= context_.max_sessions;
}

/// Beside those for its own addresses, which have routes by now.
void Sessions::lead_packets(SessionSerial serial, Session& session) {
  for (const auto& route : session.policy.routes) add_route(session, route);
  steer(serial, session);
}

/// What it had is its successor's; it never comes by an address again.
void Sessions::replace(SessionSerial serial, Session& session) {
  release(session);
  session.replaced = true;
  context_.post(EndSession{serial, "replaced", "the same user dialled in again"});
}

/// A route to everywhere would take the machine's own packets with it.
void Sessions::drop_default_routes(Session& session) const {
  const auto gone = std::erase_if(session.policy.routes, [](const Prefix& p) { return p.length == 0; });
  if (gone == 0) return;
  app::log_warning("session.default-route", "default route to a client not taken",
                   {LogField("id", session.tunnel.correlation_id), LogField("user", session.user),
                    LogField("text", "Framed-Route of the user names 0.0.0.0/0 or ::/0: name networks")});
}

/// Before the client knows its addresses: its first packet from inside finds the way.
void Sessions::steer(SessionSerial serial, Session& session) {
  if (!context_.steer) return;
  session.steered = session.policy.routes;
  session.steered.push_back(host(*session.address));
  if (session.v6) {
    for (const auto& own : {session.v6->prefix, session.v6->delegated}) {
      if (own) session.steered.push_back(*own);
    }
  }
  for (const auto& prefix : session.steered) context_.steer(prefix, serial, true);
}

std::optional<AuthDecision> Sessions::give_address(SessionSerial serial, Session& session,
                                                   const radius::Grant& grant) {
  if (grant.address) return take_own(serial, session, *grant.address);
  auto given = context_.pools.allocate(session.user, grant.pool, context_.now());
  if (given.address) {
    session.address = given.address;
    return std::nullopt;
  }
  return given.known ? exhausted(given.pool) : no_pool(given.pool);
}

/// Who was not promised a pool goes without a prefix when there is none.
std::optional<AuthDecision> Sessions::lacks(const std::string& pool, const Pools::GivenPrefix& given) {
  if (given.prefix || pool.empty()) return std::nullopt;
  return given.known ? exhausted(pool) : no_pool(pool);
}

/// A user's own address in use means that the user redials: the older session is a leftover. In somebody
/// else's hands it cannot be had.
std::optional<AuthDecision> Sessions::take_own(SessionSerial by, Session& session, const IpAddress& address) {
  for (auto& [serial, other] : sessions_) {
    if (serial == by || other.address != address) continue;
    if (other.user != session.user) {
      return refused("address-in-use",
                     "the user's address " + address.to_string() + " is out to another user",
                     "The address is in use", kNoDialinPermission);
    }
    replace(serial, other);
  }
  context_.pools.claim(address, session.user);
  session.address = address;
  add_route(session, host(address));
  return std::nullopt;
}

/// As take_own() does for an address.
std::optional<AuthDecision> Sessions::take_own(SessionSerial by, Session& session, const Prefix& prefix) {
  for (auto& [serial, other] : sessions_) {
    if (serial == by || !holds(other, prefix)) continue;
    if (other.user != session.user) {
      return refused("address-in-use",
                     "the user's prefix " + prefix.to_string() + " is out to another user, whole or in part",
                     "The address is in use", kNoDialinPermission);
    }
    replace(serial, other);
  }
  if (context_.pools.claim(prefix, session.user)) return std::nullopt;
  return refused("address-in-use",
                 "the user's prefix " + prefix.to_string() + " is in use, or much too large",
                 "The address is in use", kNoDialinPermission);
}

std::optional<AuthDecision> Sessions::give_prefixes(SessionSerial serial, Session& session,
                                                    const radius::Grant& grant) {
  // Each goes into the session as soon as it is taken, so that release() gives back that much and no more.
  ppp::Ipv6Addresses& v6 = session.v6.emplace();
  for (const auto& [own, place] : {std::pair(&grant.ipv6_prefix, &ppp::Ipv6Addresses::prefix),
                                   std::pair(&grant.delegated_prefix, &ppp::Ipv6Addresses::delegated)}) {
    if (!*own) continue;
    if (auto lacking = take_own(serial, session, **own)) return lacking;
    v6.*place = *own;
  }
  v6.remote_id = grant.interface_id;
  v6.dns = grant.dns6.empty() ? context_.dns6 : grant.dns6;
  if (!v6.prefix) {
    const auto given = context_.pools.allocate_link(session.user, grant.ipv6_pool, context_.now());
    if (auto lacking = lacks(grant.ipv6_pool, given)) return lacking;
    v6.prefix = given.prefix;
  }
  if (!v6.delegated) {
    const auto given = context_.pools.allocate_delegated(session.user, grant.delegated_pool, context_.now());
    if (auto lacking = lacks(grant.delegated_pool, given)) return lacking;
    v6.delegated = given.prefix;
  }
  for (const auto& own : {v6.prefix, v6.delegated}) {
    if (own) add_route(session, *own);
  }
  if (!v6.prefix && !v6.delegated) session.v6.reset();  // a client without either has no use for IPv6
  return std::nullopt;
}

void Sessions::set_profile(SessionsProfile profile) {
  context_.common = std::move(profile.common);
  context_.dns6 = std::move(profile.dns6);
  context_.interim = profile.interim;
  context_.max_sessions = profile.max_sessions;
  context_.filters = std::move(profile.filters);
}

void Sessions::pools_changed() {
  const auto lead = [this](Session& session, const Prefix& prefix) {
    if (std::ranges::find(session.routed, prefix) == session.routed.end()) add_route(session, prefix);
  };
  for (auto& [serial, session] : sessions_) {
    if (session.address) {
      // It may be of a pool only now, or again.
      context_.pools.claim(*session.address, session.user);
      lead(session, host(*session.address));
    }
    if (!session.v6) continue;
    for (const auto& own : {session.v6->prefix, session.v6->delegated}) {
      if (!own) continue;
      context_.pools.claim(*own, session.user);
      lead(session, *own);
    }
  }
}

void Sessions::add_route(Session& session, const Prefix& prefix) {
  if (context_.pools.contains(prefix.network)) return;  // all of the pools lies behind us anyway
  if (++routes_[prefix] == 1) context_.route(prefix, true);
  session.routed.push_back(prefix);
}

/// A session that was replaced may end after its successor has begun.
void Sessions::remove_route(const Prefix& prefix) {
  const auto found = routes_.find(prefix);
  if (--found->second > 0) return;
  routes_.erase(found);
  context_.route(prefix, false);
}

ppp::Addresses Sessions::addresses_of(const Session& session, const radius::Grant& grant) const {
  ppp::Addresses out = context_.common;
  out.remote = *session.address;
  if (!grant.dns.empty()) out.dns = grant.dns;
  if (!grant.nbns.empty()) out.nbns = grant.nbns;
  out.v6 = session.v6;
  return out;
}

void Sessions::release(Session& session) {
  for (const auto& prefix : session.routed) remove_route(prefix);
  session.routed.clear();
  for (const auto& prefix : session.steered) context_.steer(prefix, session.caller.session, false);
  session.steered.clear();
  if (session.address) context_.pools.release(*session.address, context_.now());
  session.address.reset();
  if (session.v6) {
    for (const auto& own : {session.v6->prefix, session.v6->delegated}) {
      if (own) context_.pools.release(*own, context_.now());
    }
  }
  session.v6.reset();
}

AccountedSession Sessions::accounted(const Session& session) const {
  AccountedSession out;
  out.caller = session.caller;
  out.user = session.user;
  if (session.address) out.address = *session.address;
  if (session.v6) {
    out.ipv6_prefix = session.v6->prefix;
    out.delegated_prefix = session.v6->delegated;
  }
  out.classes = session.classes;
  out.interim = session.interim;
  out.by_radius = session.by_radius;
  return out;
}

void Sessions::on_opened(const SessionOpened& opened) {
  std::string_view judge = "none";
  std::string_view user = opened.user;
  if (const auto found = sessions_.find(opened.session); found != sessions_.end()) {
    Session& session = found->second;
    if (!session.user.empty()) user = session.user;
    judge = judge_name(session.by_radius);
    session.up = true;
    session.started = context_.unix_seconds();
    if (context_.accounting != nullptr) context_.accounting->start(accounted(session), context_.now());
  }
  app::log_info(
      "session.opened", "session up",
      {LogField("id", opened.correlation_id), LogField("user", user),
       LogField("client", opened.client.to_string()),
       LogField("address", opened.addresses.remote.to_string()), LogField("auth", to_string(opened.method)),
       LogField("by", judge), LogField("mtu", opened.mtu)});
  channel::SessionUp up;
  up.relay = opened.tunnel.relay;
  up.session = opened.id;
  up.user = user;
  up.auth_method = to_string(opened.method);
  up.client_ip = opened.addresses.remote;
  up.started_at = static_cast<std::uint64_t>(context_.unix_seconds());
  context_.session_up(opened.tunnel.channel, up);
}

void Sessions::on_counters(const CountersTold& told) {
  if (context_.accounting != nullptr)
    context_.accounting->counters(told.session, counters_of(told), context_.now());
}

void Sessions::on_gone(const SessionGone& gone) {
  bool told = false;
  context_.authenticator.forget(gone.session);
  if (const auto found = sessions_.find(gone.session); found != sessions_.end()) {
    told = found->second.refused;
    release(found->second);
    sessions_.erase(found);
  }
  if (context_.accounting != nullptr)
    context_.accounting->stop(gone.session, gone.cause, counters_of(gone), context_.now());
  const bool ordinary = gone.was_up && (gone.cause == "user-request" || gone.cause == "agent-stopping" ||
                                        gone.cause == "idle-timeout" || gone.cause == "session-timeout" ||
                                        gone.cause == "admin-reset");
  const auto level = told || gone.probe ? app::LogLevel::kDebug
                     : ordinary         ? app::LogLevel::kInfo
                                        : app::LogLevel::kWarning;
  const std::initializer_list<LogField> fields{LogField("id", gone.correlation_id),
                                               LogField("user", gone.user),
                                               LogField("client", gone.client.to_string()),
                                               LogField("cause", gone.cause),
                                               LogField("text", gone.text),
                                               LogField("packets_in", gone.packets_in),
                                               LogField("packets_out", gone.packets_out),
                                               LogField("bytes_in", gone.bytes_in),
                                               LogField("bytes_out", gone.bytes_out)};
  gone.was_up ? app::log(level, "session.down", "session down", fields)
              : app::log(level, "session.not-up", "session ended before it was up", fields);
  channel::SessionDown down;
  down.relay = gone.tunnel.relay;
  down.session = gone.id;
  down.cause = gone.cause;
  down.text = gone.text;
  down.user = gone.user;
  context_.session_down(gone.tunnel.channel, down);
}

radius::ErrorCause Sessions::on_dynamic(const radius::DynamicRequest& request) {
  if (!request.change.filter_id.empty() && !context_.filters.contains(request.change.filter_id))
    return radius::ErrorCause::kInvalidValue;
  bool any = false;
  for (auto& [serial, session] : sessions_) {
    const auto agrees = [](const auto& named, const auto& ours) { return !named || *named == ours; };
    const bool meant = session.up && agrees(request.session_id, session.caller.session_id) &&
                       agrees(request.user, session.user) &&
                       agrees(request.multi_session_id, session.caller.correlation_id) &&
                       agrees(request.calling_station, session.caller.client.address.to_string()) &&
                       (!request.address || request.address == session.address);
    if (!meant) continue;
    any = true;
    if (request.disconnect) {
      set_classes(serial, session, request.change);  // RFC 5176 §3.6: for the stop record
      context_.post(EndSession{serial, "admin-reset", "disconnected by " + request.from.address.to_string()});
    } else {
      change(serial, session, request.change);
    }
  }
  return any ? radius::ErrorCause::kNone : radius::ErrorCause::kSessionNotFound;
}

void Sessions::set_classes(SessionSerial serial, Session& session, const radius::Grant& grant) {
  if (grant.classes.empty()) return;
  session.classes = grant.classes;
  if (context_.accounting != nullptr) context_.accounting->set_classes(serial, session.classes);
}

/// Only what the request names; the rest stays.
void Sessions::change(SessionSerial serial, Session& session, const radius::Grant& grant) {
  if (grant.rate_up) session.policy.rate_up = *grant.rate_up;
  if (grant.rate_down) session.policy.rate_down = *grant.rate_down;
  if (grant.session_timeout) session.policy.session_timeout = *grant.session_timeout;
  if (grant.idle_timeout) session.policy.idle_timeout = *grant.idle_timeout;
  if (!grant.filter_id.empty()) session.policy.filter = grant.filter_id;
  set_classes(serial, session, grant);
  if (grant.interim_interval && context_.accounting != nullptr)
    context_.accounting->set_interim(serial, *grant.interim_interval, context_.now());
  context_.post(ChangePolicy{serial, session.policy});
}

}  // namespace sluice::agent
