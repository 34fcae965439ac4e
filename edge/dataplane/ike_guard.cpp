#include "edge/dataplane/ike_guard.hpp"

#include <algorithm>

#include "edge/dataplane/ike_view.hpp"

namespace sluice::edge {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSourceGroups = 8192, kPrefixGroups = 1024;
constexpr std::uint32_t kBurstSeconds = 4, kNewBurstSeconds = 2;
// A handshake is 3 to 6 messages, an EAP one some more; rekeys and keepalives of many clients come on top.
constexpr std::uint32_t kMessagesPerHandshake = 20;
// Messages a second of handshakes that we did not answer: of clients whose address changed, and after a
// restart.
constexpr std::uint32_t kStrays = 50;
constexpr Duration kProvenFor = 5min;
/// A client sends its first message so often before it gives up, more or less; who sends more is not waiting.
constexpr unsigned kFew = 4;
constexpr std::uint32_t kManyShare = 4;
constexpr Duration kSightingUnit = 250ms;
constexpr int kSightingLasts = 240;  // units: a minute

// /24 or /56: what one customer of a provider is given, more or less.
Bytes prefix_of(const IpAddress& address) {
  return address.bytes().first(address.is_v4() ? 3 : 7);
}

}  // namespace

std::string_view name_of(IkeDrop drop) {
  switch (drop) {
    case IkeDrop::kMalformed:
      return "malformed";
    case IkeDrop::kSourceRate:
      return "source-rate";
    case IkeDrop::kPrefixRate:
      return "prefix-rate";
    case IkeDrop::kNewRate:
      return "new-rate";
    case IkeDrop::kUnknownSa:
      return "unknown-sa";
    case IkeDrop::kCount:
      break;
  }
  return "?";
}

IkeGuard::Entry* IkeGuard::Table::find(std::uint64_t key) {
  auto& group = groups_[key % groups_.size()];
  const auto at = std::find_if(group.begin(), group.end(), [&](const Entry& e) { return e.key == key; });
  return at == group.end() ? nullptr : &*at;
}

IkeGuard::Entry& IkeGuard::Table::place(std::uint64_t key, Instant now) {
  auto& group = groups_[key % groups_.size()];
  const auto rank = [&](const Entry& e) { return std::pair(e.proven_until > now, e.seen); };
  auto& entry = *std::min_element(group.begin(), group.end(),
                                  [&](const Entry& a, const Entry& b) { return rank(a) < rank(b); });
  entry = Entry{};
  entry.key = key;
  return entry;
}

unsigned IkeGuard::Sightings::count(std::uint64_t key, Instant now) {
  auto& group = groups_[key % kGroups];
  const auto tag = static_cast<std::uint16_t>((key >> 32) | 1);
  const auto stamp = static_cast<std::uint16_t>(now.time_since_epoch() / kSightingUnit);
  const auto age = [&](const Sighting& s) {
    return s.tag == 0 ? UINT16_MAX + 1 : static_cast<int>(static_cast<std::uint16_t>(stamp - s.when));
  };
  auto at = std::find_if(group.begin(), group.end(), [&](const Sighting& s) { return s.tag == tag; });
  if (at == group.end()) {
    at = std::max_element(group.begin(), group.end(),
                          [&](const Sighting& a, const Sighting& b) { return age(a) < age(b); });
    *at = {tag, stamp, 0};
  } else if (age(*at) > kSightingLasts) {
    at->count = 0;
  }
  const unsigned before = at->count;
  if (at->count < UINT8_MAX) ++at->count;
  at->when = stamp;
  return before;
}

void IkeGuard::Tokens::add(std::uint64_t fingerprint) {
  groups_[fingerprint % kGroups][turn_++ % 4] = fingerprint;
}

bool IkeGuard::Tokens::contains(std::uint64_t fingerprint) const {
  const auto& group = groups_[fingerprint % kGroups];
  return std::find(group.begin(), group.end(), fingerprint) != group.end();
}

IkeGuard::IkeGuard(const IkeLimits& limits)
    : limits_(limits), sources_(kSourceGroups), prefixes_(kPrefixGroups) {}

// Never 0, which marks a free place.
std::uint64_t IkeGuard::hash(Bytes bytes) const {
  return siphash(limits_.key, bytes) | 1ULL << 63;
}

std::uint64_t IkeGuard::fingerprint(const IpAddress& source, std::uint64_t token) const {
  std::array<std::uint8_t, 24> raw{};
  store_be64(raw.data(), token);
  const auto address = source.bytes();
  std::copy(address.begin(), address.end(), raw.begin() + 8);
  return hash(raw);
}

void IkeGuard::expect(const IpAddress& source, std::uint64_t token) {
  const auto print = fingerprint(source, token);
  if (token != 0 && !tokens_.contains(print)) tokens_.add(print);
}

void IkeGuard::add_live(const IpAddress& source) {
  ++live_[source];
}

void IkeGuard::remove_live(const IpAddress& source) {
  const auto found = live_.find(source);
  if (found != live_.end() && --found->second == 0) live_.erase(found);
}

IkeGuard::Verdict IkeGuard::admit(const IpAddress& source, Bytes message, Instant now) {
  const auto view = view_ike(message);
  if (!view || (view->first() && view->response)) return {IkeDrop::kMalformed, false};
  const auto key = hash(source.bytes());
  Entry* entry = sources_.find(key);
  const bool answered = view->token() != 0 && tokens_.contains(fingerprint(source, view->token()));
  // Strangers that begin nothing do not get a place.
  if (entry == nullptr && (view->first() || answered || live_.contains(source)))
    entry = &sources_.place(key, now);
  if (entry != nullptr) {
    entry->seen = now;
    if (answered) entry->proven_until = now + kProvenFor;
  }
  const bool proven = live_.contains(source) || (entry != nullptr && entry->proven_until > now);
  const auto drop =
      view->first() ? admit_first(*entry, proven, source, now) : admit_later(entry, proven, now);
  return {drop, proven};
}

std::optional<IkeDrop> IkeGuard::admit_first(Entry& entry, bool proven, const IpAddress& source,
                                             Instant now) {
  const unsigned sightings = proven ? 0 : sightings_.count(entry.key, now);
  if (!entry.first.take(now, limits_.per_source, kBurstSeconds)) return IkeDrop::kSourceRate;
  if (proven) return std::nullopt;
  const auto key = hash(prefix_of(source));
  Entry* prefix = prefixes_.find(key);
  if (prefix == nullptr) prefix = &prefixes_.place(key, now);
  prefix->seen = now;
  if (!prefix->first.take(now, limits_.per_prefix, kBurstSeconds)) return IkeDrop::kPrefixRate;
  const std::uint32_t rate = limits_.new_sources;
  const bool room = sightings == 0 ? fresh_.take(now, rate, kNewBurstSeconds)
                    : sightings <= kFew
                        ? few_.take(now, rate, kNewBurstSeconds)
                        : many_.take(now, (rate + kManyShare - 1) / kManyShare, kNewBurstSeconds);
  if (!room) return IkeDrop::kNewRate;
  return std::nullopt;
}

std::optional<IkeDrop> IkeGuard::admit_later(Entry* entry, bool proven, Instant now) {
  if (!proven || entry == nullptr) {
    if (strays_.take(now, limits_.new_sources == 0 ? 0 : kStrays)) return std::nullopt;
    return IkeDrop::kUnknownSa;
  }
  if (entry->follow.take(now, limits_.per_source * kMessagesPerHandshake, kBurstSeconds)) return std::nullopt;
  return IkeDrop::kSourceRate;
}

}  // namespace sluice::edge
