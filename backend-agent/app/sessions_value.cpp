// The control thread's part of a session as a value: who it is and what is accounted for. Addresses of one
// that goes on here are taken as if they had been given out here.

#include <algorithm>

#include "backend-agent/app/sessions.hpp"
#include "base/text.hpp"

namespace sluice::agent {
namespace {

std::string serial_text(SessionSerial serial) {
  std::uint8_t raw[8];
  store_be64(raw, serial.value());
  return to_hex(raw);
}

std::vector<Prefix> own_prefixes(const std::optional<ppp::Ipv6Addresses>& v6) {
  std::vector<Prefix> out;
  if (!v6) return out;
  for (const auto& own : {v6->prefix, v6->delegated}) {
    if (own) out.push_back(*own);
  }
  return out;
}

}  // namespace

/// An Acct-Session-Id stays for the session's whole life, here and elsewhere.
Caller Sessions::caller_of(SessionSerial serial, const TunnelSpec& tunnel, std::string session_id) const {
  if (session_id.empty()) session_id = context_.session_prefix + serial_text(serial);
  return {serial,
          std::move(session_id),
          tunnel.correlation_id,
          tunnel.client,
          tunnel.peer_identity,
          context_.called ? context_.called(tunnel.key.channel) : std::string()};
}

std::optional<AccountingFacts> Sessions::facts(SessionSerial serial) const {
  const auto found = sessions_.find(serial);
  if (found == sessions_.end() || !found->second.up) return std::nullopt;
  const Session& session = found->second;
  return AccountingFacts{session.user,    session.caller.session_id, session.classes,
                         session.started, session.interim,           session.by_radius};
}

bool Sessions::holds(const Session& session, const Prefix& prefix) const {
  const auto own = own_prefixes(session.v6);
  return std::any_of(own.begin(), own.end(), [&](const Prefix& other) {
    return other.contains(prefix.network) || prefix.contains(other.network);
  });
}

/// All of the addresses, or none.
bool Sessions::take_over(Session& session, const ppp::Addresses& addresses) {
  const auto prefixes = own_prefixes(addresses.v6);
  for (const auto& [serial, other] : sessions_) {
    if (&other == &session) continue;
    if (other.address == addresses.remote) return false;
    for (const Prefix& prefix : prefixes) {
      if (holds(other, prefix)) return false;
    }
  }
  if (!context_.pools.claim(addresses.remote, session.user)) return false;
  session.address = addresses.remote;
  add_route(session, {addresses.remote, 32});
  if (!prefixes.empty()) session.v6 = ppp::Ipv6Addresses();
  for (const Prefix& prefix : prefixes) {
    if (!context_.pools.claim(prefix, session.user)) return false;
    (prefix == addresses.v6->prefix ? session.v6->prefix : session.v6->delegated) = prefix;
    add_route(session, prefix);
  }
  session.v6 = addresses.v6;
  return true;
}

bool Sessions::adopt(SessionSerial serial, const TunnelSpec& tunnel, const SessionValue& value) {
  const AccountingFacts facts = value.accounting.value_or(AccountingFacts());
  Session& session = sessions_[serial];
  session.tunnel = tunnel;
  session.user = facts.user.empty() ? value.ppp.proven_user.value_or("") : facts.user;
  session.method = value.ppp.auth.method;
  session.caller = caller_of(serial, tunnel, facts.session_id);
  session.policy = value.policy;
  session.classes = facts.classes;
  session.interim = facts.interim;
  session.by_radius = facts.by_radius;
  session.started = facts.started;
  session.up = value.was_up;
  if (value.assigned.remote.is_unspecified()) return true;  // nobody has been let in yet
  if (!take_over(session, value.assigned)) {
    release(session);
    session.replaced = true;  // it is given nothing any more
    context_.post(
        EndSession{serial, "address-in-use", "an address of the session is out to another one here"});
    return false;
  }
  lead_packets(serial, session);
  const auto lasted =
      std::chrono::duration_cast<std::chrono::seconds>(value.began_ago.value_or(Duration::zero()));
  if (context_.accounting != nullptr && session.up)
    context_.accounting->resume(accounted(session), lasted, context_.now());
  return true;
}

}  // namespace sluice::agent
