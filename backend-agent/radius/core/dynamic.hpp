#pragma once
// The server's side of dynamic authorisation: CoA-Request and Disconnect-Request from listed sources (RFC
// 5176). No I/O. Thread: whichever owns it.

#include <deque>
#include <map>
#include <string_view>

#include "backend-agent/radius/core/grant.hpp"
#include "backend-agent/radius/core/sign.hpp"
#include "base/counters.hpp"
#include "base/time.hpp"

namespace sluice::radius {

struct DynamicSource {
  IpAddress address;
  Secret secret;
};

struct DynamicSettings {
  std::vector<DynamicSource> sources;
  std::string nas_identifier;  ///< ours; a request that names another is refused
  std::optional<IpAddress> nas_address;
  std::chrono::seconds window{300};     ///< how far Event-Timestamp may be from our clock
  bool demand_timestamp = true;         ///< without one a recorded request could be played again
  std::size_t max_remembered = 32'768;  ///< requests within twice the window; more are refused
};

enum class DynamicDrop : std::uint8_t {
  kUnknownSource,  ///< not listed; nothing is answered
  kMalformed,
  kBadCode,  ///< neither CoA- nor Disconnect-Request
  kBadAuthenticator,
  kNoMessageAuthenticator,
  kBadMessageAuthenticator,
  kNoTimestamp,
  kStale,     ///< Event-Timestamp outside the window
  kRepeated,  ///< known already: the same answer went out again
  kTooMany,   ///< no more can be remembered: it could be played again
  kCount
};
std::string_view to_string(DynamicDrop reason);

/// A genuine request. The session is the one that all of what is named agree upon.
struct DynamicRequest {
  Endpoint from;
  bool disconnect = false;
  std::optional<std::string> session_id, user, multi_session_id, calling_station;
  std::optional<IpAddress> address;
  Grant change;
  /// Why it cannot be carried out, found already.
  ErrorCause wrong = ErrorCause::kNone;
  bool names_session() const { return session_id || user || multi_session_id || calling_station || address; }

  // What the answer needs.
  std::uint8_t id = 0;
  Authenticator authenticator{};
  ByteVector proxy_states;  ///< attributes to be echoed, as they stood
  std::size_t source = 0;
};

class DynamicServer {
 public:
  explicit DynamicServer(DynamicSettings settings) : settings_(std::move(settings)) {}

  struct Outgoing {
    Endpoint to;
    ByteVector bytes;
  };
  /// A request to carry out; follow it by answer(). `unix_seconds` is the wall clock.
  std::optional<DynamicRequest> on_datagram(const Endpoint& from, Bytes datagram, Instant now,
                                            std::int64_t unix_seconds);
  /// ACK, or NAK when there is a cause.
  void answer(const DynamicRequest& request, ErrorCause cause, Instant now);
  std::optional<Outgoing> poll_transmit();
  const CounterArray<DynamicDrop>& drops() const { return drops_; }

 private:
  struct Seen {
    Authenticator authenticator{};
    Instant at;
  };
  void forget_old(Instant now);
  std::optional<DynamicDrop> judge(const Packet& packet, const DynamicSource& source,
                                   std::int64_t unix_seconds) const;
  DynamicRequest read(const Packet& packet) const;

  DynamicSettings settings_;
  /// Answers, for requests sent again (RFC 5080 §2.2.2) or played again. A request's authenticator proves
  /// all of it, so that the same one is the same request, whatever port or address it comes from.
  std::map<Authenticator, ByteVector> given_;
  std::deque<Seen> seen_;  ///< oldest first
  std::deque<Outgoing> out_;
  CounterArray<DynamicDrop> drops_;
};

}  // namespace sluice::radius
