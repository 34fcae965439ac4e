#pragma once
// PAP (RFC 1334), CHAP-MD5 (RFC 1994), MS-CHAPv2 (RFC 2759) and EAP (RFC 3748): both ends of the exchange.
// The server's end decides nothing: it hands out an AuthRequest and waits for the verdict.

#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/time.hpp"
#include "ppp/config.hpp"
#include "ppp/cp.hpp"
#include "ppp/eap.hpp"
#include "ppp/outbox.hpp"
#include "ppp/snapshot.hpp"
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
  /// A network control packet came. It says to a client whose EAP-Success was lost that there was one (RFC
  /// 3748 §4.2), to a server that its verdict arrived.
  void on_network_packet(Instant now);
  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const;

  /// Server: an attempt to be decided, once.
  std::optional<AuthRequest> take_request() { return std::exchange(request_, std::nullopt); }
  /// Server: the attempt that waits for its verdict; 0 when none does.
  AttemptId pending() const { return state_ == State::kPending ? last_attempt_ : AttemptId(); }
  /// Server: decides it, or with `more` hands on the next EAP Request. False when that attempt is not
  /// pending.
  bool result(AttemptId attempt, const AuthVerdict& verdict, Instant now);

  /// Server, while IP flows: the judge may take its time.
  void wait_for_judge() { deadline_.reset(); }
  /// Server, while IP flows: nobody could judge the attempt. The peer stays accepted, hears nothing and is
  /// asked again after the interval of rechallenges. False when that attempt is not pending.
  bool postpone(AttemptId attempt, Instant now);

  State state() const { return state_; }
  AuthMethod method() const { return method_; }
  const std::string& user() const { return user_; }
  /// One word and a sentence about a refusal.
  const std::string& cause() const { return cause_; }
  const std::string& detail() const { return detail_; }

  AuthSnapshot snapshot(Instant now) const;
  /// An attempt that was being decided is asked for again. False when the values cannot be a state of this
  /// exchange.
  bool restore(const AuthSnapshot& from, Instant now);

 private:
  /// How far an EAP conversation is. kProven: judged well, the peer has yet to answer the method's last word.
  enum class EapStage : std::uint8_t { kIdentity, kMethod, kProven, kFailing };

  void server_pap(const CpPacket& packet);
  void server_chap(const CpPacket& packet);
  void client_pap(const CpPacket& packet);
  void client_chap(const CpPacket& packet, Instant now);
  void answer_challenge(const CpPacket& packet, Instant now);
  std::optional<ByteVector> make_response(AuthMethod method, std::uint8_t id, Bytes challenge);
  void ask(Instant now);
  void rechallenge(Instant now);
  void allow_retry(const AuthVerdict& verdict, Instant now);
  std::string failure_text(const AuthVerdict& verdict, Bytes challenge, bool retry) const;
  void refuse_password_change(const CpPacket& packet);
  void settle(bool accepted, Instant now);
  void resume(Instant now);

  void server_eap(Bytes packet, Instant now);
  void server_eap_method(const EapPacket& packet, Instant now);
  void server_eap_nak(const EapPacket& packet, Instant now);
  void server_eap_md5(const EapPacket& packet);
  void server_eap_mschap(const EapPacket& packet, Instant now);
  void offer_eap_method(AuthMethod method, Instant now);
  void request_eap(EapType type, Bytes data, Instant now);
  void eap_result(const AuthVerdict& verdict, Instant now);
  void finish_eap(bool accepted, Bytes packet, Instant now);
  void client_eap(Bytes packet, Instant now);
  void client_eap_request(const EapPacket& packet);
  ByteVector client_eap_method(const EapPacket& packet);
  ByteVector client_eap_mschap(const EapPacket& packet);
  void send_eap(ByteVector packet);
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
  unsigned tries_left_ = 0;    ///< to send what was sent again
  unsigned retries_left_ = 0;  ///< other passwords the peer may try
  bool again_ = false;         ///< the peer has been accepted before
  std::optional<Instant> retry_at_, deadline_, rechallenge_at_;
  std::string user_, cause_, detail_;
  ByteVector challenge_;
  std::string verdict_text_;
  ByteVector response_;   ///< client: the body of the last Response, for the same Challenge again
  std::string expected_;  ///< client: what the server must prove (S=...)
  EapStage eap_stage_ = EapStage::kIdentity;
  std::uint8_t eap_tried_ = 0;  ///< server: bits of config_.eap_methods
  ByteVector eap_packet_;       ///< the last EAP packet sent
  AttemptId last_attempt_;      ///< outlives reset(): an old verdict never fits a new attempt
  std::optional<AuthRequest> request_;
};

}  // namespace sluice::ppp
