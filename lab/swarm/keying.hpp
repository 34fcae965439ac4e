#pragma once
// How the swarm's clients come by their SAs: from IKE, or by hand.

#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/ip.hpp"
#include "edge/ike/provider.hpp"

namespace sluice::swarm {

using ClientId = std::uint32_t;

/// What a client that dials brings along.
struct Dialler {
  ClientId client = 0;
  Endpoint source;
  std::string identity;  ///< IKE's
};

/// Called from the event loop, never from within a call into Keying.
class KeyingEvents {
 public:
  virtual ~KeyingEvents() = default;
  /// Clients may connect.
  virtual void keying_ready() = 0;
  /// No client can connect any more, or ever could: a sentence with what to do.
  virtual void keying_broken(const std::string& why) = 0;
  /// One direction of a client's SAs; `spec.inbound` as the client sees it.
  virtual void sa_added(ClientId client, edge::SaSpec spec) = 0;
  virtual void sa_removed(ClientId client, Spi spi) = 0;
  /// The client's keys are gone, or never came. One short sentence, printable.
  virtual void keys_over(ClientId client, const std::string& cause) = 0;
  /// Something went wrong with IKE that belongs to no client that is known.
  virtual void keying_trouble(const std::string& cause) = 0;
  /// To send from a client's place, whole.
  virtual void send_ike(const Endpoint& local, const Endpoint& remote, Bytes datagram) = 0;
};

/// Thread: the event loop's.
class Keying {
 public:
  virtual ~Keying() = default;
  /// Throws std::runtime_error, with what to do, where it cannot work.
  virtual void start() = 0;
  /// Two sa_added() follow, or keys_over(), or nothing for as long as nobody answers.
  virtual void connect(const Dialler& dialler) = 0;
  /// Ends the client's SAs and tells the edge. No further event of this connection comes.
  virtual void disconnect(ClientId client) = 0;
  /// An IKE message from the network, without non-ESP marker; `marker` says that it had one.
  virtual void on_ike(const Endpoint& local, const Endpoint& remote, bool marker, Bytes message) = 0;
  virtual void stop() = 0;
};

}  // namespace sluice::swarm
