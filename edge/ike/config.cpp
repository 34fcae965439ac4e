#include "edge/ike/config.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "base/text.hpp"

namespace sluice::edge {
namespace {

struct Name {
  IkeAuth auth;
  std::string_view name;
};
constexpr std::array kNames{
    Name{IkeAuth::kPsk, "psk"},
    Name{IkeAuth::kCertificate, "certificate"},
    Name{IkeAuth::kXauthPsk, "xauth-psk"},
    Name{IkeAuth::kXauthCertificate, "xauth-certificate"},
    Name{IkeAuth::kEapMschapv2, "eap-mschapv2"},
    Name{IkeAuth::kEapRadius, "eap-radius"},
};
static_assert(kNames.size() == static_cast<std::size_t>(IkeAuth::kCount));

using Faults = std::vector<IkeFault>;

void check_listener(const IkeConfig& config, std::size_t index, Faults& faults) {
  const auto& listener = config.listeners[index];
  const auto fault = [&](const std::string& text) {
    faults.push_back({"listener '" + escaped(listener.name) + "': " + text, index});
  };
  const auto usable = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-'; };
  if (listener.name.empty() || !std::ranges::all_of(listener.name, usable))
    fault("its name must be of letters, digits and '-'");
  if (listener.auth.empty()) fault("no way of authentication is given");
  if (listener.profiles.empty() && listener.ike_proposals.empty())
    fault("no profile is given, so that it would offer no algorithm");
  if (listener.uses_psk()) {
    const auto fits = [&](const IkePsk& psk) {
      return psk.listener.empty() || psk.listener == listener.name;
    };
    if (std::ranges::none_of(config.psks, fits))
      fault("there is no pre-shared key for it: no client could authenticate");
  }
  if (listener.shows_certificate() && (listener.certificates.empty() || listener.private_key.empty()))
    fault("its authentication needs a certificate and the key to it");
  if (listener.asks_certificate() && listener.client_cas.empty())
    fault("clients with certificates need the CA they must come from");
  const bool passwords = listener.uses(IkeAuth::kXauthPsk) || listener.uses(IkeAuth::kXauthCertificate) ||
                         listener.uses(IkeAuth::kEapMschapv2);
  if (passwords && config.users.empty()) fault("XAuth and EAP-MSCHAPv2 need users, and there are none");
  if (listener.uses(IkeAuth::kEapMschapv2) && listener.uses(IkeAuth::kEapRadius))
    fault("it can have one of eap-mschapv2 and eap-radius: clients do not say which they mean");
  if (listener.uses(IkeAuth::kEapRadius) && config.radius.empty())
    fault("EAP-RADIUS needs a RADIUS server, and there is none");
}

void check_listeners(const IkeConfig& config, Faults& faults) {
  if (config.listeners.empty()) faults.push_back({"there is no listener"});
  std::set<std::string> names;
  std::set<IpAddress> addresses;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const auto& listener = config.listeners[i];
    check_listener(config, i, faults);
    if (!names.insert(listener.name).second)
      faults.push_back({"two listeners are named '" + escaped(listener.name) + "'", i});
    for (const auto& address : listener.addresses) {
      if (!addresses.insert(address).second)
        faults.push_back({"two listeners have the address " + address.to_string(), i});
    }
    if (listener.addresses.empty() && config.listeners.size() > 1)
      faults.push_back({"listener '" + escaped(listener.name) + "': it has no address", i});
  }
}

void check_psks(const IkeConfig& config, Faults& faults) {
  for (std::size_t i = 0; i < config.psks.size(); ++i) {
    const auto& psk = config.psks[i];
    const auto fault = [&](const std::string& text) { faults.push_back({text, std::nullopt, i}); };
    if (psk.secret.empty()) fault("a pre-shared key is empty");
    if (psk.listener.empty()) continue;
    if (!psk.identities.empty()) fault("a pre-shared key is for an identity or for a listener, not both");
    if (std::ranges::find(config.listeners, psk.listener, &IkeListener::name) == config.listeners.end())
      fault("a pre-shared key is for listener '" + escaped(psk.listener) + "', which is not there");
  }
}

}  // namespace

std::string_view name_of(IkeAuth auth) {
  return kNames.at(static_cast<std::size_t>(auth)).name;
}

std::optional<IkeAuth> parse_ike_auth(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name, &Name::name);
  if (found == kNames.end()) return std::nullopt;
  return found->auth;
}

std::vector<std::string_view> ike_auth_names() {
  std::vector<std::string_view> out;
  for (const auto& row : kNames) out.push_back(row.name);
  return out;
}

bool IkeListener::uses(IkeAuth method) const {
  return std::ranges::find(auth, method) != auth.end();
}

bool IkeListener::shows_certificate() const {
  return std::ranges::any_of(
      auth, [](IkeAuth method) { return method != IkeAuth::kPsk && method != IkeAuth::kXauthPsk; });
}

std::vector<std::string> ike_proposals(const IkeListener& listener) {
  return listener.ike_proposals.empty() ? ike_proposals(listener.profiles) : listener.ike_proposals;
}

std::vector<std::string> esp_proposals(const IkeListener& listener) {
  return listener.esp_proposals.empty() ? esp_proposals(listener.profiles) : listener.esp_proposals;
}

std::vector<IkeFault> check_ike(const IkeConfig& config) {
  Faults faults;
  check_listeners(config, faults);
  check_psks(config, faults);
  return faults;
}

}  // namespace sluice::edge
