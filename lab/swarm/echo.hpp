#pragma once
// The traffic of a client: ICMP echoes that carry their number and when they were sent, and what became of
// them.

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/ip.hpp"
#include "base/time.hpp"

namespace sluice::swarm {

/// IPv4 and ICMP header, number and time.
inline constexpr std::size_t kSmallestEcho = 20 + 8 + 12;

struct Echo {
  std::uint32_t number = 0;  ///< of this client, from 1
  Instant sent{};
};

/// Fills all of `packet`, at least kSmallestEcho octets, with an IPv4 echo request (RFC 792).
void write_echo(MutableBytes packet, const IpAddress& from, const IpAddress& to, std::uint16_t id,
                const Echo& echo);
/// What an echo reply of ours carries; nothing where it is something else.
std::optional<Echo> parse_echo_reply(Bytes packet);

/// Counts each answer once. An answer that comes after 64 later ones does not count.
class EchoCount {
 public:
  /// The next number to send.
  std::uint32_t next() { return ++sent_; }
  /// False for one that was counted or cannot be.
  bool answered(std::uint32_t number);
  std::uint64_t sent() const { return sent_; }
  std::uint64_t answered() const { return answered_; }

 private:
  std::uint32_t sent_ = 0, newest_ = 0;
  std::uint64_t answered_ = 0, window_ = 0;  // bit i: newest_ - i was answered
};

}  // namespace sluice::swarm
