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
  return {attempt.request.user, source, source + " " + attempt.caller.identity};
}

LoginThrottle::Entry* LoginThrottle::find(ThrottleKey key, const std::string& name, Instant now) {
  Table& table = tables_[static_cast<std::size_t>(key)];
  const auto found = table.index.find(name);
  if (found == table.index.end()) return nullptr;
  if (found->second->last + settings_.forget_after <= now && found->second->blocked_until <= now) {
    forget(table, name);
    return nullptr;
  }
  return &*found->second;
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
    Entry* entry = find(key, names[i], now);
    if (entry == nullptr || entry->blocked_until <= now) continue;
    const Duration wait = entry->blocked_until - now;
    if (!worst || wait > worst->wait) worst = Verdict{key, wait, !entry->told};
    entry->told = true;
  }
  if (worst) refused_.add(worst->key);
  return worst;
}

void LoginThrottle::failed(const LoginNames& names, Instant now) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::uint32_t allowed = settings_.free_failures[i];
    if (allowed == 0) continue;
    Table& table = tables_[i];
    if (find(static_cast<ThrottleKey>(i), names[i], now) == nullptr) {
      if (table.entries.size() >= settings_.max_entries)
        forget(table, std::string(table.entries.back().name));
      table.entries.push_front(Entry{names[i]});
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
}

}  // namespace sluice::agent
