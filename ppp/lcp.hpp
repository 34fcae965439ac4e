#pragma once
// Link Control Protocol (RFC 1661 §6, RFC 1570): MRU, authentication protocol, magic number, PFC, ACFC; echo.

#include <optional>
#include <string>

#include "base/random.hpp"
#include "ppp/cp.hpp"

namespace sluice::ppp {

namespace lcp_option {
inline constexpr std::uint8_t kMru = 1, kAccm = 2, kAuth = 3, kMagic = 5, kPfc = 7, kAcfc = 8;
}
/// RFC 1661 §6.1: what holds when nothing is said.
inline constexpr std::uint16_t kDefaultMru = 1500;
/// Less than this an MRU request is answered with a Nak: no IPv4 host need take less (RFC 791 §3.2 asks for
/// 68).
inline constexpr std::uint16_t kMinMru = 128;

/// The value of the Authentication-Protocol option, and back (RFC 1334 §2.1, RFC 1994 §3, RFC 2759 §3,
/// RFC 3748 §2).
ByteVector auth_option_value(AuthMethod method);
std::optional<AuthMethod> parse_auth_option(Bytes value);

class Lcp final : public ControlProtocol {
 public:
  Lcp(const PppConfig& config, RandomSource& random, Outbox& out, Drops& drops);

  std::uint16_t peer_mru() const { return peer_.mru; }
  bool send_pfc() const { return peer_.pfc; }
  bool send_acfc() const { return peer_.acfc; }
  std::uint32_t magic() const { return magic_; }
  /// What the peer must prove to us; kNone for a client.
  AuthMethod auth() const;
  /// What the peer wants us to prove.
  AuthMethod peer_auth() const { return peer_.auth; }
  bool auth_refused() const { return auth_refused_; }
  bool looped() const { return loop_count_ >= kLoopLimit; }

  /// Answers a frame of an unknown protocol (§5.7); only in the opened state.
  void reject_protocol(Protocol protocol, Bytes payload);
  /// Time-Remaining (RFC 1570 §2.2); only in the opened state.
  void tell_time_remaining(std::chrono::seconds left, std::string_view text);
  /// The protocol that the peer rejected last.
  std::optional<Protocol> take_rejected_protocol() { return std::exchange(rejected_, std::nullopt); }
  /// The text of an Identification or Time-Remaining packet.
  std::optional<std::string> take_message() { return std::exchange(message_, std::nullopt); }

  /// Any frame from the peer is a sign of life.
  void heard(Instant now) { last_heard_ = now; }
  void start_echo(Instant now);
  void stop_echo() { echo_at_.reset(); }
  void on_echo_timeout(Instant now);
  std::optional<Instant> next_echo() const { return echo_at_; }
  bool echo_dead() const { return echo_dead_; }

  LcpSnapshot snapshot(Instant now) const;
  /// False when the values cannot be a state of LCP under this configuration.
  bool restore(const LcpSnapshot& from, Instant now);

 protected:
  void write_request(ByteWriter& out) override;
  void reset_request() override;
  void begin_request(Bytes options) override;
  Answer judge(const CpOption& option, ByteWriter& nak) override;
  void on_nak(const CpOption& option) override;
  void on_reject(const CpOption& option) override;
  bool on_extra(const CpPacket& packet, Instant now) override;

 private:
  static constexpr unsigned kLoopLimit = 5;
  struct PeerOptions {
    std::uint16_t mru = kDefaultMru;
    AuthMethod auth = AuthMethod::kNone;
    bool pfc = false, acfc = false;
  };
  Answer judge_auth(const CpOption& option, ByteWriter& nak);
  Answer judge_mru(const CpOption& option, ByteWriter& nak);
  Answer judge_magic(const CpOption& option, ByteWriter& nak);
  void next_auth(std::optional<AuthMethod> wanted);
  std::uint32_t new_magic();

  const PppConfig& config_;
  RandomSource& random_;
  PeerOptions peer_;
  std::uint32_t magic_ = 0;
  std::uint16_t mru_ = 0;
  std::uint8_t auth_index_ = 0;
  std::uint8_t auth_tried_ = 0;  ///< bits of config_.auth
  bool ask_mru_ = true, ask_magic_ = true, ask_pfc_ = false, ask_acfc_ = false;
  bool auth_refused_ = false;
  bool own_request_seen_ = false;
  bool echo_dead_ = false;
  unsigned loop_count_ = 0;
  unsigned echoes_unanswered_ = 0;
  Instant last_heard_{};
  std::optional<Instant> echo_at_;
  std::optional<Protocol> rejected_;
  std::optional<std::string> message_;
};

}  // namespace sluice::ppp
