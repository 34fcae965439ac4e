#pragma once
// The edge's memory of what happened: each client's life under its correlation id, and the last events of
// all. Bounded in every direction; strangers' failures cannot push out clients. No I/O, no clock; thread:
// control.

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/journal/entry.hpp"

namespace sluice::edge {

struct JournalLimits {
  std::size_t records = 32768;           ///< clients
  std::size_t bytes = 64 * 1024 * 1024;  ///< of all clients' records
  std::size_t first_entries = 16;        ///< of one record: these stay …
  std::size_t last_entries = 48;         ///< … and these; what is between is counted
  std::size_t names = 4;                 ///< users, addresses and so on of one record, each
  std::size_t events = 8192;             ///< of the last of all
  std::size_t strangers = 2048;          ///< failures of those who never became clients
  std::size_t handshakes = 16384;        ///< begun and not done yet
  std::size_t text = 512;                ///< bytes of a text or value; more is cut
};

/// One client's record. Names are those it had at any time, the newest last.
struct JournalLife {
  std::string correlation;
  std::int64_t began_ms = 0;
  std::int64_t ended_ms = 0;  ///< 0: it lives
  std::vector<std::string> clients, identities, users, agents, addresses;
  std::uint32_t ike_rekeys = 0, child_rekeys = 0;
  std::size_t left_out = 0, left_out_at = 0;  ///< how many entries are missing, and before which one
  std::vector<JournalEntryPtr> entries;       ///< oldest first
};

/// Whose lives; what is set must all fit. A stranger's failure is a life of one entry.
struct JournalQuery {
  std::string who{};          ///< any of the following
  std::string correlation{};  ///< a client's or one of its tunnels'
  std::string user{}, identity{};
  std::string client{};   ///< public address, or address:port
  std::string address{};  ///< that it was given
};

/// Which events.
struct JournalFilter {
  std::vector<JournalKind> kinds{};  ///< empty: all
  std::string correlation{}, user{}, identity{}, client{}, agent{};
  std::uint64_t after = 0;  ///< sequence number
};

/// How something ended badly, or just ended.
struct JournalVerdict {
  JournalEntryPtr entry;
  std::string client, identity, user;  ///< what is known of it by now
  std::string_view advice;             ///< what to do; empty: nothing
};

class Journal {
 public:
  explicit Journal(JournalLimits limits = {}) : limits_(limits) {}

  /// An IKE packet of a handshake with that id; its first counts.
  void ike_packet(const std::string& correlation, const std::string& client, std::int64_t now_ms);
  /// What was added, numbered. An ike-failed of an id that is no client's is a stranger's; anything else with
  /// an id makes a record of it.
  JournalEntryPtr add(JournalEntry entry);
  void ike_rekeyed(const std::string& correlation);
  void child_rekeyed(const std::string& correlation);

  struct Lives {
    std::vector<JournalLife> lives;  ///< the newest first
    std::size_t matched = 0;         ///< that there are
  };
  Lives lives(const JournalQuery& query, std::size_t most) const;
  /// Failures and ends, the newest first: one for each.
  std::vector<JournalVerdict> verdicts(const JournalQuery& query, std::size_t most) const;

  struct Events {
    std::vector<JournalEntryPtr> rows;  ///< oldest first
    std::uint64_t missed = 0;           ///< since JournalFilter::after, not kept any more
  };
  /// The last that fit, `most` at most.
  Events events(const JournalFilter& filter, std::size_t most) const;
  bool fits(const JournalEntry& entry, const JournalFilter& filter) const;

  /// Names known of the entry's client by now: the newest of each.
  struct Names {
    std::string client, identity, user, agent, address;
  };
  Names names_of(const JournalEntry& entry) const;

  std::uint64_t last_sequence() const { return sequence_; }
  std::size_t records() const { return records_.size(); }
  std::size_t bytes() const { return bytes_; }
  /// By cause; beyond some hundred different ones the rest is "other".
  const std::map<std::string, std::uint64_t>& strangers_failed() const { return strangers_failed_; }

 private:
  struct Record {
    JournalLife life;                   ///< its entries: the first ones
    std::vector<JournalEntryPtr> last;  ///< no deque: an empty one takes half a KiB
    std::size_t bytes = 0;
    bool had_child = false, had_tunnel = false;
    std::list<std::string>::iterator place;  ///< in living_ or ended_
  };
  struct Handshake {
    std::string client;
    std::int64_t time_ms = 0;
  };

  bool is_strangers(const JournalEntry& entry) const;
  Record& record_of(const std::string& id, std::int64_t now_ms);
  void keep(Record& record, JournalEntryPtr entry);
  void learn(Record& record, const JournalEntry& entry);
  void grow(Record& record, std::size_t more);
  void shrink(Record& record, std::size_t less);
  void set_living(Record& record, std::int64_t ended_ms);
  void make_room(const std::string& but);
  void forget(const std::string& id);
  void stranger_failed(JournalEntryPtr entry);

  JournalLimits limits_;
  std::uint64_t sequence_ = 0;
  std::unordered_map<std::string, Record> records_;
  std::list<std::string> living_, ended_;  ///< ids, oldest first
  std::size_t bytes_ = 0;
  std::deque<JournalEntryPtr> events_;     ///< but for strangers' failures
  std::deque<JournalEntryPtr> strangers_;  ///< those
  std::map<std::string, std::uint64_t> strangers_failed_;
  std::unordered_map<std::string, Handshake> handshakes_;
  std::deque<std::string> handshake_order_;
};

}  // namespace sluice::edge
