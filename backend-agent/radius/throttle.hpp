#pragma once
// Slows down whoever fails to log in again and again: by user, by source address, and by peer (address and
// IKE identity). Bounded tables; no I/O, no clock. Thread: control.

#include <array>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "backend-agent/radius/authenticator.hpp"
#include "base/counters.hpp"
#include "base/time.hpp"

namespace sluice::agent {

enum class ThrottleKey : std::uint8_t { kUser, kSource, kPeer, kCount };
std::string_view to_string(ThrottleKey key);

struct ThrottleSettings {
  /// Failures without consequence, by key; 0: this key never slows anybody down. Many clients may share a
  /// source address, so it has the largest number.
  std::array<std::uint32_t, 3> free_failures{10, 50, 5};
  Duration first_delay = std::chrono::seconds(2);  ///< doubles with each further failure
  Duration max_delay = std::chrono::minutes(5);
  /// Without a failure. A source's failures are halved as often.
  Duration forget_after = std::chrono::minutes(15);
  std::size_t max_entries = 16'384;  ///< of each table; the longest unused is forgotten
};

/// Whom an attempt counts for, in the order of ThrottleKey; an empty name counts for nobody. The name outside
/// an EAP dialogue that is passed through proves nothing, and is often the same for all ("anonymous").
using LoginNames = std::array<std::string, 3>;
LoginNames login_names(const AuthAttempt& attempt);

class LoginThrottle {
 public:
  explicit LoginThrottle(ThrottleSettings settings) : settings_(settings) {}

  struct Verdict {
    ThrottleKey key = ThrottleKey::kUser;
    Duration wait{};
    /// This is the first refusal since the last failure: worth a line in the log.
    bool first = false;
  };
  /// Nothing when the attempt may be judged.
  std::optional<Verdict> check(const LoginNames& names, Instant now);
  /// Counts for all three; but not for the source when the user or the peer is slowed down already.
  void failed(const LoginNames& names, Instant now);
  /// The user and the peer start afresh; the source, which others share, has one failure less.
  void succeeded(const LoginNames& names);

  /// Who is slowed down already stays so.
  void set(ThrottleSettings settings) { settings_ = settings; }
  std::size_t entries(ThrottleKey key) const { return tables_[static_cast<std::size_t>(key)].index.size(); }
  const CounterArray<ThrottleKey>& refused() const { return refused_; }

 private:
  struct Entry {
    std::string name;
    std::uint32_t failures = 0;
    Instant last{}, blocked_until{}, aged{};
    bool told = false;
  };
  struct Table {
    std::list<Entry> entries;  ///< latest failure first
    std::unordered_map<std::string, std::list<Entry>::iterator> index;
  };
  Entry* find(ThrottleKey key, const std::string& name, Instant now);
  void age(Entry& entry, Instant now) const;
  bool at_limit(ThrottleKey key, const LoginNames& names, Instant now);
  void forget(Table& table, const std::string& name);

  ThrottleSettings settings_;
  std::array<Table, 3> tables_;
  CounterArray<ThrottleKey> refused_;
};

}  // namespace sluice::agent
