#pragma once
// A tunnel with its sessions as a plain value: what another Lns needs to go on with it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend-agent/lns/messages.hpp"
#include "base/time_left.hpp"
#include "l2tp/snapshot.hpp"
#include "ppp/snapshot.hpp"

namespace sluice::agent {

/// What accounting goes on with; the worker does not know it, whoever does adds it.
struct AccountingFacts {
  std::string user;        ///< what the session's user is called, which its judge may have chosen
  std::string session_id;  ///< Acct-Session-Id
  std::vector<ByteVector> classes;
  std::int64_t started = 0;  ///< seconds since 1970
  std::chrono::seconds interim{0};
  bool by_radius = false;
  bool operator==(const AccountingFacts&) const = default;
};

struct SessionValue {
  SessionId id;
  ppp::SessionSnapshot ppp;
  bool was_up = false, ending = false;
  ppp::Addresses assigned;
  std::vector<Prefix> owned;  ///< routed to the session
  SessionPolicy policy;
  std::optional<Duration> began_ago, last_packet_ago;
  std::uint64_t packets_in = 0, packets_out = 0, bytes_in = 0, bytes_out = 0;
  std::optional<AccountingFacts> accounting;
  bool operator==(const SessionValue&) const = default;
};

struct TunnelValue {
  IpAddress client;
  std::uint16_t client_port = 0;
  std::string peer_identity, correlation_id;
  std::uint16_t ppp_mtu = 0;
  bool probe = false;
  l2tp::TunnelSnapshot l2tp;
  std::vector<SessionValue> sessions;
  std::optional<Duration> empty_ago;
  bool down = false, by_client = false;
  std::string down_text;
  bool operator==(const TunnelValue&) const = default;
};

/// One message of proto/schema/session.proto.
ByteVector encode(const TunnelValue& value);
/// Nothing when the bytes are no such message or a number is out of its range. Whether the values fit one
/// another is for Lns::restore() to say.
std::optional<TunnelValue> decode_tunnel(Bytes message);

}  // namespace sluice::agent
