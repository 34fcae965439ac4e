#pragma once
// PAP (RFC 1334), CHAP-MD5 (RFC 1994) and MS-CHAPv2 (RFC 2759): the packets and both ends of the exchange.
// The server's end decides nothing: it hands out an AuthRequest and waits for the verdict.

#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/time.hpp"
#include "ppp/config.hpp"
#include "ppp/cp.hpp"
#include "ppp/outbox.hpp"
#include "ppp/verify.hpp"

namespace sluice::ppp {

/// Longest user name taken: what a RADIUS attribute holds.
inline constexpr std::size_t kMaxUser = 253;

/// The body of a PAP Authenticate-Request (RFC 1334 §2.2.1).
struct PapRequest {
  std::string_view user;
  Bytes password;
};
std::optional<PapRequest> parse_pap_request(Bytes body);
/// The body of a CHAP Challenge or Response (RFC 1994 §4.1).
struct ChapValue {
  Bytes value;
  std::string_view name;
};
std::optional<ChapValue> parse_chap_value(Bytes body);

class Auth {
 public:
  enum class State : std::uint8_t { kIdle, kWaiting, kPending, kAccepted, kRejected, kTimedOut };

  Auth(const PppConfig& config, RandomSource& random, Outbox& out, Drops& drops);

  /// Server: ask for proof. Client: be ready to give it.
  void start(AuthMethod method, Instant now);
  void reset();
  void on_packet(Protocol protocol, Bytes packet, Instant now);
  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const;

  /// Server: an attempt to be decided, once.
  std::optional<AuthRequest> take_request() { return std::exchange(request_, std::nullopt); }
  /// Server: decides it. False when nothing is pending.
  bool result(const AuthVerdict& verdict);

  State state() const { return state_; }
  AuthMethod method() const { return method_; }
  const std::string& user() const { return user_; }
  /// One word and a sentence about a refusal.
  const std::string& cause() const { return cause_; }
  const std::string& detail() const { return detail_; }

 private:
  void server_pap(const CpPacket& packet, Instant now);
  void server_chap(const CpPacket& packet, Instant now);
  void client_pap(const CpPacket& packet);
  void client_chap(const CpPacket& packet, Instant now);
  void answer_challenge(const CpPacket& packet, Instant now);
  std::optional<ByteVector> make_response(Bytes challenge);
  void repeat();
  void send_challenge();
  void send_pap_request();
  void send(std::uint8_t code, std::uint8_t id, Bytes body);
  void send_verdict();
  void raise(AuthRequest request);
  void refuse(std::string_view cause, std::string_view detail);

  const PppConfig& config_;
  RandomSource& random_;
  Outbox& out_;
  Drops& drops_;
  State state_ = State::kIdle;
  AuthMethod method_ = AuthMethod::kNone;
  std::uint8_t id_ = 0;
  unsigned tries_left_ = 0;
  std::optional<Instant> retry_at_, deadline_;
  std::string user_, cause_, detail_;
  ByteVector challenge_;
  std::string verdict_text_;
  ByteVector response_;   ///< client: the body of the last Response, for the same Challenge again
  std::string expected_;  ///< client: what the server must prove (S=...)
  std::optional<AuthRequest> request_;
};

}  // namespace sluice::ppp
