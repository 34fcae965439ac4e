#include "edge/admin/session_filter.hpp"

#include <algorithm>
#include <cctype>

#include "edge/journal/entry.hpp"

namespace sluice::edge {
namespace {

bool is_realm_of(std::string_view realm, std::string_view name) {
  const auto at = name.rfind('@');
  if (at == std::string_view::npos) return false;
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::ranges::equal(name.substr(at + 1), realm, same);
}

}  // namespace

bool session_fits(const vici::Message& arguments, const SessionView& session) {
  const auto given = [&](std::string_view name, auto fits) {
    const auto wanted = arguments.value(name);
    return !wanted || fits(*wanted);
  };
  const auto is = [&](std::string_view name, std::string_view value) {
    return given(name, [&](std::string_view wanted) { return wanted == value; });
  };
  return given("correlation",
               [&](std::string_view wanted) {
                 return wanted == session.correlation_id || wanted == client_part(session.correlation_id);
               }) &&
         is("user", session.user) && is("agent", session.agent) &&
         is("peer", std::to_string(session.peer.value())) &&
         is("client", session.client.address.to_string()) && given("realm", [&](std::string_view realm) {
           return is_realm_of(realm, session.user) || is_realm_of(realm, session.peer_identity);
         });
}

}  // namespace sluice::edge
