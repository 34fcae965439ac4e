#pragma once
// Accounting of sessions (RFC 2866, 2869 §2.1): start, interim with jitter, stop. Stop records that no server
// took are kept and sent again, so many of them at most. Sends through a seam and reads no clock. Thread:
// control.

#include <deque>
#include <functional>
#include <map>
#include <string>

#include "backend-agent/radius/nas.hpp"
#include "base/random.hpp"
#include "base/time.hpp"

namespace sluice::agent {

struct SessionCounters {
  std::uint64_t packets_in = 0, packets_out = 0, bytes_in = 0, bytes_out = 0;  ///< "in" is from the client
};

/// What accounting tells of a session.
struct AccountedSession {
  Caller caller;
  std::string user;
  IpAddress address;
  std::optional<Prefix> ipv6_prefix, delegated_prefix;
  std::vector<ByteVector> classes;
  std::chrono::seconds interim{0};  ///< 0: none
  bool by_radius = false;
};

struct AccountingContext {
  NasIdentity nas;
  RandomSource& random;
  /// Sends a request; `done` later, once: whether a server took it.
  std::function<void(radius::Draft draft, std::function<void(bool taken)> done)> send;
  /// Wants counters() for a session.
  std::function<void(SessionSerial session)> ask_counters;
  std::function<std::int64_t()> unix_seconds;
  std::size_t max_kept = 10'000;
};

class Accounting {
 public:
  explicit Accounting(AccountingContext context) : context_(std::move(context)) {}

  void start(AccountedSession session, Instant now);
  /// A session that began elsewhere, so long ago, goes on here: no start record is due for it.
  void resume(AccountedSession session, std::chrono::seconds lasted, Instant now);
  /// Answers ask_counters: an interim record goes out.
  void counters(SessionSerial session, const SessionCounters& counters, Instant now);
  /// Class in all further records (RFC 5176 §3.6).
  void set_classes(SessionSerial session, std::vector<ByteVector> classes);
  void set_interim(SessionSerial session, std::chrono::seconds interval, Instant now);
  void stop(SessionSerial session, std::string_view cause, const SessionCounters& counters, Instant now);
  /// Accounting-On or -Off: sessions that the server believes in are over (RFC 2866 §5.1).
  void announce(bool on);
  void on_timeout(Instant now);
  /// What is kept is sent now, whatever its pause: there may be no later.
  void send_kept();

  /// Stop records that nobody has taken yet.
  std::size_t kept() const { return kept_.size() + under_way_; }
  std::uint64_t lost() const { return lost_; }

 private:
  struct Session {
    AccountedSession facts;
    Instant started;
    std::optional<Instant> interim_at;
  };
  struct Record {
    AccountedSession facts;
    std::uint32_t terminate_cause = 0;
    SessionCounters counters;
    std::chrono::seconds lasted{0};
    std::int64_t ended = 0;  ///< seconds since 1970
    Instant due{};
    Duration pause = std::chrono::seconds(5);
  };
  radius::Draft draft(const AccountedSession& facts, std::uint32_t status) const;
  void plan_interim(Session& session, Instant now);
  void send_stop(Record record);
  void keep(Record record);

  AccountingContext context_;
  Instant now_{};
  std::map<SessionSerial, Session> sessions_;
  std::deque<Record> kept_;
  std::size_t under_way_ = 0;
  std::uint64_t lost_ = 0;
};

/// Acct-Terminate-Cause (RFC 2866 §5.10) for a cause word of SessionGone.
radius::TerminateCause terminate_cause(std::string_view cause);

}  // namespace sluice::agent
