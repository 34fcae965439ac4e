#pragma once
// One client's tunnel as it goes to an L2TP server that is there already. The edge has told the client's peer
// id before the server chooses its own, so the two are exchanged here, in headers and in the Assigned Tunnel
// ID of SCCRP and StopCCN; everything else passes as it is. No I/O. Thread: the data worker.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "l2tp/header.hpp"
#include "l2tp/observer.hpp"

namespace sluice::agent {

enum class HandoffDrop : std::uint8_t {
  kUnknownTunnel,   ///< a frame for a relay that is not open, or for another tunnel of the peer
  kNotL2tp,         ///< no L2TP header
  kNotAnswered,     ///< from the client, for a tunnel the server has not answered yet
  kHiddenTunnelId,  ///< the server hides its tunnel id (RFC 2661 §4.3), so it cannot be exchanged
  kSendFailed,      ///< the socket did not take it
  kServerRefused,   ///< nobody listens there (ICMP)
  kTooLarge,        ///< from the server
  kCount
};
std::string_view to_string(HandoffDrop reason);

class HandoffTunnel {
 public:
  /// `ours`: what the client shall call the tunnel.
  explicit HandoffTunnel(TunnelId ours) : ours_(ours) {}

  /// An L2TP packet of the client, changed in place for the server; nothing when it may go on.
  std::optional<HandoffDrop> from_client(MutableBytes packet);
  /// One of the server, for the client.
  std::optional<HandoffDrop> from_server(MutableBytes packet);

  /// Octets of PPP in the last packet that may go on; nothing when it was none of data.
  const std::optional<std::size_t>& ppp_octets() const { return ppp_octets_; }

  struct Change {
    l2tp::Observation what;
    l2tp::ObservedSession session;  ///< of a session that came up
  };
  /// What the last packet changed.
  const std::optional<Change>& change() const { return change_; }

  /// A StopCCN to the client in the server's name; to the server in the client's. Nothing when it knows of no
  /// tunnel.
  std::optional<ByteVector> farewell_to_client(std::string_view text);
  std::optional<ByteVector> farewell_to_server(std::string_view text);

  /// The client's view.
  const l2tp::Observer& seen() const { return for_client_; }
  /// A StopCCN has passed and is acknowledged.
  bool over() const;

 private:
  void measure(const l2tp::Classified& packet);
  void note(const l2tp::Observer& observer, l2tp::Observation observation);

  TunnelId ours_;     ///< what the client was told
  TunnelId servers_;  ///< what the server chose
  l2tp::Observer for_client_;
  l2tp::Observer
      for_server_;  ///< as the server sees it: sides exchanged, so that farewell() speaks to the server
  std::optional<Change> change_;
  std::optional<std::size_t> ppp_octets_;
};

}  // namespace sluice::agent
