#pragma once
// Sends IKE datagrams from the control thread through duplicates of the workers' sockets: the kernel allows
// two threads to send on one socket, so that a worker need not be asked. Thread: control.

#include <cstdint>
#include <map>

#include "base/app/unique_fd.hpp"
#include "base/bytes.hpp"
#include "base/counters.hpp"
#include "base/ip.hpp"

namespace sluice::edge {

class IkeSender {
 public:
  /// Duplicates `fd`, which is bound to `local`. False when there are no descriptors left.
  bool add(const Endpoint& local, int fd);
  /// `marker`: puts four zero bytes in front (RFC 3948 §2.2).
  void send(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram);
  /// Datagrams that no socket fits, or that the kernel did not take.
  const Counter& failed() const { return failed_; }

 private:
  std::map<Endpoint, app::UniqueFd> sockets_;
  Counter failed_;
};

}  // namespace sluice::edge
