// What is asked of the journal.
#include <algorithm>

#include "edge/journal/advice.hpp"
#include "edge/journal/journal.hpp"

namespace sluice::edge {
namespace {

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// "192.0.2.1" of "192.0.2.1:4500", and "2001:db8::1" of "[2001:db8::1]:4500".
std::string_view address_of(std::string_view place) {
  const auto port = place.rfind(':');
  if (port == std::string_view::npos) return place;
  place = place.substr(0, port);
  if (place.starts_with('[') && place.ends_with(']')) place = place.substr(1, place.size() - 2);
  return place;
}

bool was_at(const std::vector<std::string>& places, std::string_view client) {
  return std::ranges::any_of(
      places, [&](const std::string& place) { return place == client || address_of(place) == client; });
}

bool is_called(const JournalLife& life, std::string_view correlation) {
  if (life.correlation == correlation) return true;
  return client_part(correlation) == life.correlation &&
         correlation.substr(life.correlation.size()).starts_with('-');
}

bool matches(const JournalLife& life, const JournalQuery& query) {
  const auto either = [](const std::string& wanted, auto fits) { return wanted.empty() || fits(wanted); };
  return either(query.correlation, [&](const auto& id) { return is_called(life, id); }) &&
         either(query.user, [&](const auto& user) { return has(life.users, user); }) &&
         either(query.identity, [&](const auto& identity) { return has(life.identities, identity); }) &&
         either(query.client, [&](const auto& client) { return was_at(life.clients, client); }) &&
         either(query.address, [&](const auto& address) { return has(life.addresses, address); }) &&
         either(query.who, [&](const auto& who) {
           return is_called(life, who) || has(life.users, who) || has(life.identities, who) ||
                  was_at(life.clients, who) || has(life.addresses, who);
         });
}

JournalLife stranger_life(const JournalEntryPtr& entry) {
  JournalLife out;
  out.correlation = entry->correlation;
  out.began_ms = out.ended_ms = entry->time_ms;
  if (const auto client = entry->detail("client"); !client.empty()) out.clients.emplace_back(client);
  if (const auto identity = entry->detail("identity"); !identity.empty())
    out.identities.emplace_back(identity);
  out.entries = {entry};
  return out;
}

std::string newest(const std::vector<std::string>& names) {
  return names.empty() ? std::string() : names.back();
}

/// One for each thing that ended: what follows from it says nothing new.
bool is_verdict(const JournalEntry& entry, const JournalLife& life) {
  using enum JournalKind;
  const auto is_in = [&](auto fits) {
    return std::ranges::any_of(life.entries, [&](const auto& other) { return fits(*other); });
  };
  switch (entry.kind) {
    case kIkeFailed:
    case kRefused:
    case kSessionDown:
      return true;
    case kClosed:  // of a tunnel that never had a session
      return !is_in([&](const auto& other) {
        return other.kind == kSessionDown && other.correlation == entry.correlation;
      });
    case kGone:
      return !entry.cause.empty();
    default:
      return false;
  }
}

}  // namespace

Journal::Lives Journal::lives(const JournalQuery& query, std::size_t most) const {
  // The newest is that in which something happened last.
  std::vector<std::pair<std::uint64_t, const Record*>> known;
  for (const auto& [id, record] : records_) {
    if (!matches(record.life, query)) continue;
    const auto& entries = record.life.entries;
    const auto& last = record.last.empty() ? entries.back() : record.last.back();
    known.emplace_back(last->sequence, &record);
  }
  std::vector<std::pair<std::uint64_t, JournalLife>> found;
  for (const auto& entry : strangers_) {
    auto life = stranger_life(entry);
    if (matches(life, query)) found.emplace_back(entry->sequence, std::move(life));
  }
  Lives out;
  out.matched = known.size() + found.size();
  std::ranges::sort(known, std::greater(), [](const auto& row) { return row.first; });
  if (known.size() > most) known.resize(most);
  for (const auto& [sequence, record] : known) {
    auto life = record->life;
    life.left_out_at = life.entries.size();
    life.entries.insert(life.entries.end(), record->last.begin(), record->last.end());
    found.emplace_back(sequence, std::move(life));
  }
  std::ranges::sort(found, std::greater(), [](const auto& row) { return row.first; });
  for (auto& [sequence, life] : found) {
    if (out.lives.size() < most) out.lives.push_back(std::move(life));
  }
  return out;
}

std::vector<JournalVerdict> Journal::verdicts(const JournalQuery& query, std::size_t most) const {
  std::vector<JournalVerdict> out;
  // Each life that fits gives its own: `most` lives have at least as many as are wanted, but for those that
  // have none because they go on.
  for (const auto& life : lives(query, records_.size() + strangers_.size()).lives) {
    for (const auto& entry : life.entries) {
      if (!is_verdict(*entry, life)) continue;
      const auto user = entry->detail("user");
      out.push_back({entry, newest(life.clients), newest(life.identities),
                     user.empty() ? newest(life.users) : std::string(user), advice_for(*entry).advice});
    }
  }
  std::ranges::sort(out, std::greater(),
                    [](const JournalVerdict& verdict) { return verdict.entry->sequence; });
  if (out.size() > most) out.resize(most);
  return out;
}

Journal::Names Journal::names_of(const JournalEntry& entry) const {
  Names out;
  const auto record = records_.find(std::string(client_part(entry.correlation)));
  if (!entry.correlation.empty() && record != records_.end()) {
    const auto& life = record->second.life;
    out = {newest(life.clients), newest(life.identities), newest(life.users), newest(life.agents),
           newest(life.addresses)};
  }
  const auto prefer = [&](std::string& name, std::string_view key) {
    if (const auto own = entry.detail(key); !own.empty()) name = own;
  };
  prefer(out.client, "client"), prefer(out.identity, "identity"), prefer(out.user, "user");
  prefer(out.agent, "agent"), prefer(out.address, "address");
  return out;
}

bool Journal::fits(const JournalEntry& entry, const JournalFilter& filter) const {
  if (entry.sequence <= filter.after) return false;
  if (!filter.kinds.empty() && std::ranges::find(filter.kinds, entry.kind) == filter.kinds.end())
    return false;
  if (!filter.correlation.empty() && entry.correlation != filter.correlation &&
      client_part(entry.correlation) != filter.correlation) {
    return false;
  }
  if (filter.user.empty() && filter.identity.empty() && filter.client.empty() && filter.agent.empty())
    return true;
  const auto names = names_of(entry);
  return (filter.user.empty() || filter.user == names.user) &&
         (filter.identity.empty() || filter.identity == names.identity) &&
         (filter.agent.empty() || filter.agent == names.agent) &&
         (filter.client.empty() || filter.client == names.client ||
          filter.client == address_of(names.client));
}

Journal::Events Journal::events(const JournalFilter& filter, std::size_t most) const {
  Events out;
  std::vector<JournalEntryPtr> all;
  all.reserve(events_.size() + strangers_.size());
  const auto older = [](const JournalEntryPtr& a, const JournalEntryPtr& b) {
    return a->sequence < b->sequence;
  };
  std::merge(events_.begin(), events_.end(), strangers_.begin(), strangers_.end(), std::back_inserter(all),
             older);
  const auto first =
      std::ranges::upper_bound(all, filter.after, {}, [](const auto& e) { return e->sequence; });
  if (sequence_ > filter.after) {
    out.missed = sequence_ - filter.after - static_cast<std::uint64_t>(all.end() - first);
  }
  for (auto at = all.end(); at != first && out.rows.size() < most;) {
    --at;
    if (fits(**at, filter)) out.rows.push_back(*at);
  }
  std::ranges::reverse(out.rows);
  return out;
}

}  // namespace sluice::edge
