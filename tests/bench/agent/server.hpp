#pragma once
// What ends the clients' L2TP and PPP in the benchmark: our data worker, or l2tpns. Both run in the middle
// namespace of relay/nets.hpp ("edge" there): clients reach them from the namespace "agent" there, the inside
// is "clients" there.

#include <memory>
#include <string_view>
#include <vector>

#include "tests/bench/relay/nets.hpp"
#include "tests/unit/agent/dialler.hpp"

namespace sluice::bench {

/// Where upstream packets go: routed to the inside, where nobody has it.
inline const IpAddress kNowhere = IpAddress::v4(0x0ac80001);
inline constexpr std::uint32_t kPackets = 64;  ///< in a round: what l2tpns has room for in its socket

class Server {
 public:
  virtual ~Server() = default;
  virtual std::string_view name() const = 0;
  /// CPU time so far of the thread that moves packets, seconds; the kernel's part on it included.
  virtual double cpu() const = 0;
  /// IP packets that came out on the inside so far.
  virtual std::uint64_t packets_up() const = 0;
  /// Sends the clients' L2TP packets to it in one go.
  virtual void send(std::size_t client, const std::vector<ByteVector>& l2tp) = 0;
  struct Received {
    std::size_t client;
    ByteVector l2tp;
  };
  /// What it has sent meanwhile.
  virtual std::vector<Received> receive() = 0;
  /// Likewise, only counted.
  virtual std::size_t receive_count() = 0;
  /// The control thread's work, where there is one.
  virtual void control() {}
};

std::unique_ptr<Server> make_ours(const Nets& nets, std::size_t clients);
std::unique_ptr<Server> make_l2tpns(const Nets& nets, std::size_t clients);

/// Sends a thread and what it starts to `core`, where they do not push aside whoever runs (SCHED_BATCH), so
/// that bursts are full; undone at the end of the scope.
class Backstage {
 public:
  explicit Backstage(unsigned core);
  ~Backstage();
};

}  // namespace sluice::bench
