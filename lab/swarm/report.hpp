#pragma once
// What a run came to: numbers as a value, as JSON and as a table.

#include <cstdint>
#include <map>
#include <string>

#include "base/time.hpp"
#include "lab/swarm/histogram.hpp"

namespace sluice::swarm {

/// Echoes of some clients.
struct EchoTotals {
  std::uint64_t clients = 0, sent = 0, answered = 0;
  std::uint64_t lost() const { return sent - answered; }
};

/// `up`, `connecting` and `idle` are those of the moment; the rest counts from the start.
struct Report {
  std::uint32_t clients = 0;
  std::uint32_t up = 0, connecting = 0, most_up = 0;
  std::uint64_t connected = 0;                  ///< times that a client came up
  std::uint64_t failed = 0;                     ///< attempts that came to nothing
  std::uint64_t lost = 0;                       ///< clients that were up and were cut off
  std::uint64_t never_up = 0;                   ///< clients
  Duration elapsed{}, connecting_time{};        ///< all of it; from the first start to the last that came up
  Histogram keys, l2tp, ppp, total;             ///< of connections that came up
  Histogram recovery;                           ///< from being cut off to being up again
  Histogram echo;                               ///< round trip times
  EchoTotals undisturbed, disturbed;            ///< clients that were never cut off, and the others
  std::map<std::string, std::uint64_t> causes;  ///< of failures and losses
  std::uint64_t not_sent = 0, dropped_in = 0;   ///< datagrams, by the swarm's own sockets
  std::map<std::string, std::uint64_t> drops;   ///< packets that the swarm could not use, by reason

  /// Connections that came up, a second, while there were any to make.
  double rate() const;
};

std::string to_json(const Report& report);
std::string to_table(const Report& report);
/// One line about the moment: "12.0 s: 300 of 300 up, 0 connecting, ...".
std::string progress_line(const Report& report);

}  // namespace sluice::swarm
