#include "backend-agent/radius/throttle.hpp"

#include <algorithm>

namespace sluice::agent {

std::string_view to_string(ThrottleKey key) {
  switch (key) {
    case ThrottleKey::kUser:
      return "user";
    case ThrottleKey::kSource:
      return "source";
    case ThrottleKey::kPeer:
      return "peer";
    case ThrottleKey::kCount:
      break;
  }
  return "unknown";
}

LoginNames login_names(const AuthAttempt& attempt) {
  const std::string source = attempt.caller.client.address.to_string();
  const bool outer = attempt.request.method == ppp::AuthMethod::kEap;
  return {outer ? std::string() : attempt.request.user, source, source + " " + attempt.caller.identity};
}

LoginThrottle::Entry* LoginThrottle::find(ThrottleKey key, const std::string& name, Instant now) {
  Table& table = tables_[static_cast<std::size_t>(key)];
  const auto found = table.index.find(name);
  if (found == table.index.end()) return nullptr;
  Entry& entry = *found->second;
  if (key == ThrottleKey::kSource) age(entry, now);
  const bool old = entry.last + settings_.forget_after <= now || entry.failures == 0;
  if (old && entry.blocked_until <= now) {
    forget(table, name);
    return nullptr;
  }
  return &entry;
}

/// There is always somebody behind a shared address who mistypes: what was long ago counts less and less.
void LoginThrottle::age(Entry& entry, Instant now) const {
  while (entry.failures > 0 && entry.aged + settings_.forget_after <= now) {
    entry.failures /= 2;
    entry.aged += settings_.forget_after;
  }
}

bool LoginThrottle::at_limit(ThrottleKey key, const LoginNames& names, Instant now) {
  const auto i = static_cast<std::size_t>(key);
  const Entry* entry = find(key, names[i], now);
  return entry != nullptr && entry->failures >= settings_.free_failures[i];
}

void LoginThrottle::forget(Table& table, const std::string& name) {
  const auto found = table.index.find(name);
  if (found == table.index.end()) return;
  const auto entry = found->second;
  table.index.erase(found);
  table.entries.erase(entry);
}

std::optional<LoginThrottle::Verdict> LoginThrottle::check(const LoginNames& names, Instant now) {
  std::optional<Verdict> worst;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto key = static_cast<ThrottleKey>(i);
    Entry* entry = names[i].empty() ? nullptr : find(key, names[i], now);
    if (entry == nullptr || entry->blocked_until <= now) continue;
    const Duration wait = entry->blocked_until - now;
    if (!worst || wait > worst->wait) worst = Verdict{key, wait, !entry->told};
    entry->told = true;
  }
  if (worst) refused_.add(worst->key);
  return worst;
}

void LoginThrottle::failed(const LoginNames& names, Instant now) {
  // Whoever is slowed down by name already, as a router that redials with a wrong password for days, must not
  // bring it upon those who share its address.
  const bool known = at_limit(ThrottleKey::kUser, names, now) || at_limit(ThrottleKey::kPeer, names, now);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::uint32_t allowed = settings_.free_failures[i];
    const auto key = static_cast<ThrottleKey>(i);
    if (allowed == 0 || names[i].empty() || (known && key == ThrottleKey::kSource)) continue;
    Table& table = tables_[i];
    if (find(key, names[i], now) == nullptr) {
      if (table.entries.size() >= settings_.max_entries)
        forget(table, std::string(table.entries.back().name));
      table.entries.push_front(Entry{names[i]});
      table.entries.front().aged = now;
      table.index[names[i]] = table.entries.begin();
    }
    Entry& entry = *table.index.at(names[i]);
    table.entries.splice(table.entries.begin(), table.entries, table.index.at(names[i]));
    entry.last = now;
    entry.told = false;
    ++entry.failures;
    if (entry.failures < allowed) continue;
    Duration delay = settings_.first_delay;
    for (std::uint32_t n = allowed; n < entry.failures && delay < settings_.max_delay; ++n) delay *= 2;
    entry.blocked_until = now + std::min(delay, settings_.max_delay);
  }
}

void LoginThrottle::succeeded(const LoginNames& names) {
  forget(tables_[static_cast<std::size_t>(ThrottleKey::kUser)], names[0]);
  forget(tables_[static_cast<std::size_t>(ThrottleKey::kPeer)], names[2]);
  const Table& sources = tables_[static_cast<std::size_t>(ThrottleKey::kSource)];
  const auto source = sources.index.find(names[1]);
  if (source != sources.index.end() && source->second->failures > 0) --source->second->failures;
}

}  // namespace sluice::agent
