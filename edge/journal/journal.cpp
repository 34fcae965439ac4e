#include "edge/journal/journal.hpp"

#include <algorithm>

namespace sluice::edge {
namespace {

constexpr std::size_t kMostCauses = 256;
// What a record and its place in the tables take beside its strings and entries.
constexpr std::size_t kRecordCost = 512;

std::size_t cost(const JournalEntry& entry) {
  std::size_t out = sizeof entry + 64 + entry.correlation.size() + entry.cause.size() + entry.text.size();
  for (const auto& [key, value] : entry.details) out += sizeof(JournalEntry::Detail) + value.size();
  return out;
}

/// It lives again, or goes on living, when it comes after an end.
bool is_alive(JournalKind kind) {
  using enum JournalKind;
  return kind == kIkeUp || kind == kChildUp || kind == kPlaced || kind == kResumed || kind == kSessionUp;
}

bool is_of_tunnel(JournalKind kind) {
  using enum JournalKind;
  return kind == kPlaced || kind == kRefused || kind == kResumed || kind == kAgentRefused;
}

}  // namespace

void Journal::ike_packet(const std::string& correlation, const std::string& client, std::int64_t now_ms) {
  if (correlation.empty() || records_.contains(correlation)) return;
  if (!handshakes_.try_emplace(correlation, Handshake{client, now_ms}).second) return;
  handshake_order_.push_back(correlation);
  while (handshakes_.size() > limits_.handshakes || handshake_order_.size() > 2 * limits_.handshakes) {
    handshakes_.erase(handshake_order_.front());
    handshake_order_.pop_front();
  }
}

bool Journal::is_strangers(const JournalEntry& entry) const {
  return entry.kind == JournalKind::kIkeFailed &&
         !records_.contains(std::string(client_part(entry.correlation)));
}

JournalEntryPtr Journal::add(JournalEntry given) {
  const auto cut = [this](std::string& text) {
    if (text.size() > limits_.text) text.resize(limits_.text);
  };
  cut(given.correlation), cut(given.cause), cut(given.text);
  for (auto& [key, value] : given.details) cut(value);
  given.sequence = ++sequence_;
  const std::string id(client_part(given.correlation));
  if (is_strangers(given)) {
    auto entry = std::make_shared<const JournalEntry>(std::move(given));
    stranger_failed(entry);
    return entry;
  }
  Record* record = id.empty() ? nullptr : &record_of(id, given.time_ms);
  if (record != nullptr && given.kind == JournalKind::kGone && record->had_child && !record->had_tunnel &&
      given.cause.empty()) {
    given.cause = "no-l2tp";
    given.text = "IKE and IPsec came up, but no L2TP came through them";
  }
  auto entry = std::make_shared<const JournalEntry>(std::move(given));
  events_.push_back(entry);
  if (events_.size() > limits_.events) events_.pop_front();
  if (record == nullptr) return entry;
  learn(*record, *entry);
  if (entry->kind == JournalKind::kGone) {
    set_living(*record, std::max<std::int64_t>(entry->time_ms, 1));
  } else if (record->life.ended_ms != 0 && is_alive(entry->kind)) {
    set_living(*record, 0);
  }
  keep(*record, entry);
  make_room(id);
  return entry;
}

Journal::Record& Journal::record_of(const std::string& id, std::int64_t now_ms) {
  const auto [at, fresh] = records_.try_emplace(id);
  Record& record = at->second;
  if (!fresh) return record;
  record.life.correlation = id;
  record.life.began_ms = now_ms;
  record.place = living_.insert(living_.end(), id);
  grow(record, kRecordCost);
  if (auto begun = handshakes_.extract(id)) {
    JournalEntry first;
    first.time_ms = begun.mapped().time_ms;
    first.kind = JournalKind::kIkePacket;
    first.correlation = id;
    first.details = {{"client", std::move(begun.mapped().client)}};
    record.life.began_ms = first.time_ms;
    learn(record, first);
    keep(record, std::make_shared<const JournalEntry>(std::move(first)));
  }
  return record;
}

void Journal::keep(Record& record, JournalEntryPtr entry) {
  grow(record, cost(*entry));
  if (record.life.entries.size() < limits_.first_entries) {
    record.life.entries.push_back(std::move(entry));
    return;
  }
  record.last.push_back(std::move(entry));
  if (record.last.size() <= limits_.last_entries) return;
  shrink(record, cost(*record.last.front()));
  record.last.erase(record.last.begin());
  ++record.life.left_out;
}

void Journal::learn(Record& record, const JournalEntry& entry) {
  record.had_child |= entry.kind == JournalKind::kChildUp;
  record.had_tunnel |= is_of_tunnel(entry.kind);
  const auto note = [&](std::vector<std::string>& names, std::string_view name) {
    if (name.empty() || (!names.empty() && names.back() == name)) return;
    if (const auto known = std::ranges::find(names, name); known != names.end()) {
      std::rotate(known, known + 1, names.end());
      return;
    }
    grow(record, sizeof(std::string) + name.size());
    names.emplace_back(name);
    if (names.size() <= limits_.names) return;
    shrink(record, sizeof(std::string) + names.front().size());
    names.erase(names.begin());
  };
  for (const auto& [key, value] : entry.details) {
    if (key == "client") note(record.life.clients, value);
    if (key == "identity") note(record.life.identities, value);
    if (key == "user") note(record.life.users, value);
    if (key == "agent") note(record.life.agents, value);
    if (key == "address") note(record.life.addresses, value);
  }
}

void Journal::grow(Record& record, std::size_t more) {
  record.bytes += more;
  bytes_ += more;
}

void Journal::shrink(Record& record, std::size_t less) {
  record.bytes -= less;
  bytes_ -= less;
}

void Journal::set_living(Record& record, std::int64_t ended_ms) {
  auto& from = record.life.ended_ms == 0 ? living_ : ended_;
  auto& to = ended_ms == 0 ? living_ : ended_;
  to.splice(to.end(), from, record.place);
  record.life.ended_ms = ended_ms;
}

// Those that ended first go first; one that lives only where nobody else is left.
void Journal::make_room(const std::string& but) {
  while (records_.size() > 1 && (records_.size() > limits_.records || bytes_ > limits_.bytes)) {
    auto& from = ended_.empty() || (ended_.size() == 1 && ended_.front() == but) ? living_ : ended_;
    forget(from.front() == but ? *std::next(from.begin()) : from.front());
  }
}

void Journal::forget(const std::string& id) {
  const auto at = records_.find(id);
  bytes_ -= at->second.bytes;
  (at->second.life.ended_ms == 0 ? living_ : ended_).erase(at->second.place);
  records_.erase(at);
}

void Journal::stranger_failed(JournalEntryPtr entry) {
  const bool full = strangers_failed_.size() >= kMostCauses && !strangers_failed_.contains(entry->cause);
  ++strangers_failed_[full ? "other" : entry->cause];
  strangers_.push_back(std::move(entry));
  if (strangers_.size() > limits_.strangers) strangers_.pop_front();
}

void Journal::ike_rekeyed(const std::string& correlation) {
  if (const auto at = records_.find(correlation); at != records_.end()) ++at->second.life.ike_rekeys;
}

void Journal::child_rekeyed(const std::string& correlation) {
  if (const auto at = records_.find(correlation); at != records_.end()) ++at->second.life.child_rekeys;
}

}  // namespace sluice::edge
