#pragma once
// One thing that happened, as the journal keeps it. No I/O, no clock.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::edge {

enum class JournalKind : std::uint8_t {
  // of one client, in the order of its life
  kIkePacket,     ///< its first IKE packet
  kIkeFailed,     ///< its handshake failed
  kIkeUp,         ///< an IKE SA is up; re-authentications, too
  kIkeDown,       ///< an IKE SA went
  kChildUp,       ///< its first pair of ESP SAs; later ones are counted as rekeys
  kMoved,         ///< a NAT, or the client itself, gave it another address or port
  kAgentRefused,  ///< an agent did not take its tunnel; the next is asked
  kPlaced,        ///< an agent took its tunnel
  kRefused,       ///< nobody took its tunnel
  kTunnelUp,      ///< L2TP: SCCCN passed
  kSessionOpen,   ///< L2TP: ICCN passed
  kSessionUp,     ///< PPP is up: user and address
  kSessionDown,   ///< a session ended, or never came up
  kClosing,       ///< a CDN or StopCCN passed
  kEnding,        ///< an operator or a limit ends its tunnel
  kClosed,        ///< its tunnel is over
  kResumed,       ///< its tunnel goes on after a restart or a cut
  kGone,          ///< nothing of it is left
  // of no client
  kAgentUp,
  kAgentDown,
  kDrain,
  kNotice,
  kCount,
};
std::string_view name_of(JournalKind kind);
std::optional<JournalKind> journal_kind(std::string_view name);

/// Who closed something.
inline constexpr std::string_view kByClient = "client", kByAgent = "agent", kByEdge = "edge",
                                  kByOperator = "operator";

struct JournalEntry {
  /// Key (a literal) and value. Of these keys the journal knows the client: client (address and port),
  /// identity, user, agent, address.
  using Detail = std::pair<std::string_view, std::string>;

  std::uint64_t sequence = 0;  ///< from 1, without gaps; 0: it was told with a later one
  std::int64_t time_ms = 0;    ///< since the epoch
  JournalKind kind = JournalKind::kNotice;
  std::string correlation;  ///< the client's, or a tunnel's ("1f2e3d4c5b6a-7"); empty: of no client
  std::string cause;        ///< one word; empty where nothing went wrong
  std::string text;         ///< a sentence; strings from peers are as they came: escape before printing
  unsigned error = 0;       ///< the number that Windows shows its user; 0: none
  std::vector<Detail> details;

  std::string_view detail(std::string_view key) const;
};
using JournalEntryPtr = std::shared_ptr<const JournalEntry>;

/// The client's part of a correlation id: that of its tunnels has a number behind it.
std::string_view client_part(std::string_view correlation);

}  // namespace sluice::edge
