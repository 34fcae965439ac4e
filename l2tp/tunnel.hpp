#pragma once
// One L2TP tunnel with its sessions: the part LNS and LAC share. No I/O: packets, time and commands go in;
// packets and events are drained out. Everything on one thread.

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "l2tp/codes.hpp"
#include "l2tp/control_connection.hpp"
#include "l2tp/header.hpp"
#include "l2tp/message.hpp"

namespace sluice::l2tp {

enum class Role : std::uint8_t { kLns, kLac };

struct TunnelConfig {
  TunnelId local_tunnel{};              ///< our id; must not be 0
  std::string host_name = "sluice";     ///< Host Name AVP; must not be empty
  std::string vendor_name = "Sluice";   ///< Vendor Name AVP; empty leaves it out
  std::uint16_t firmware_revision = 1;  ///< Firmware Revision AVP
  std::uint16_t receive_window = 8;     ///< control messages we take at once; 1 or more
  Duration hello_interval =
      std::chrono::seconds(60);  ///< HELLO after so long without a packet from the peer; 0 never
  Duration setup_timeout = std::chrono::seconds(60);  ///< longest time a tunnel or session may stay half open
  Retransmission retransmission{};
  std::size_t max_sessions = 16;               ///< ICRQs beyond are refused with result 4
  std::uint32_t max_control_per_second = 100;  ///< control messages beyond are dropped; 0 no limit
  bool length_in_data = false;                 ///< write the L bit and Length in data messages
  bool sequencing = false;                     ///< LAC: ask for sequence numbers in data messages
  bool demand_authentication = false;          ///< send a Challenge; macOS and iOS then do not connect
  /// Shared secret for Challenge Responses and hidden AVPs. None: a peer's Challenge is refused.
  std::shared_ptr<const Secret> secret{};
  std::uint32_t tx_connect_speed = 100'000'000;  ///< LAC: bits a second in ICCN
};

struct TunnelUp {
  TunnelId local{}, remote{};
  std::string peer_host{};    ///< from the peer: escape before printing
  std::string peer_vendor{};  ///< likewise
  std::uint16_t peer_firmware = 0;
  std::uint16_t peer_window = 0;
  bool operator==(const TunnelUp&) const = default;
};

/// What the peer told of a call in ICRQ and ICCN. Strings and bytes come from the peer as they are.
struct CallInfo {
  std::uint32_t serial_number = 0;
  std::uint32_t bearer_type = 0;
  std::uint32_t framing_type = 0;
  std::uint32_t physical_channel = 0;
  std::uint32_t tx_speed = 0;  ///< bits a second
  std::uint32_t rx_speed = 0;  ///< bits a second; equals tx_speed where the peer left it out
  std::string calling_number{}, called_number{}, sub_address{};
  ByteVector private_group{};
  bool sequencing_required = false;
  /// Proxy LCP and authentication (§4.4.5); empty where the peer left them out.
  ByteVector initial_lcp{}, last_sent_lcp{}, last_received_lcp{};
  std::uint16_t proxy_auth_type = 0;  ///< §4.4.5 Proxy Authen Type; 0: left out, 4: none was made
  std::uint16_t proxy_auth_id = 0;
  std::string proxy_auth_name{};
  ByteVector proxy_auth_challenge{};
  std::shared_ptr<const Secret> proxy_auth_response{};  ///< with PAP (type 3) the password itself
  bool operator==(const CallInfo&) const = default;
};

struct SessionUp {
  SessionId local{}, remote{};
  CallInfo call{};
};
struct SessionDown {
  SessionId local{}, remote{};
  bool was_up = false;  ///< a SessionUp was handed out before
  CloseCause cause{};
};
struct TunnelDown {
  bool was_up = false;  ///< a TunnelUp was handed out before
  CloseCause cause{};
};
/// Set-Link-Info: the ACCMs that asynchronous framing would use (§6.14).
struct LinkInfo {
  SessionId local{};
  std::uint32_t send_accm = 0, receive_accm = 0;
};

using Event = std::variant<TunnelUp, SessionUp, SessionDown, TunnelDown, LinkInfo>;

enum class TunnelState : std::uint8_t {
  kIdle,         ///< LNS: waits for SCCRQ; LAC: connect() not called
  kWaitReply,    ///< LAC: SCCRQ sent
  kWaitConnect,  ///< LNS: SCCRP sent
  kEstablished,
  kClosing,  ///< StopCCN sent or received; lingers to acknowledge and retransmit
  kClosed,   ///< nothing more to do: the object may go
  kCount
};
std::string_view to_string(TunnelState state);

/// What became of one datagram.
struct Received {
  enum class Kind : std::uint8_t {
    kControl,  ///< taken; look at poll_transmit() and poll_event()
    kData,     ///< `session` and `ppp` are set
    kDropped   ///< `reason` says why; a duplicate is dropped but acknowledged again
  };
  Kind kind = Kind::kDropped;
  DropReason reason = DropReason::kNone;
  SessionId session{};  ///< local id
  Bytes ppp{};          ///< the PPP frame, a view into the datagram

  bool is_data() const { return kind == Kind::kData; }
};

struct TunnelSnapshot;

/// Shared by LnsTunnel and LacTunnel; not made by itself. Drain poll_transmit() and poll_event() after each
/// call.
class Tunnel {
 public:
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;
  virtual ~Tunnel();

  /// A whole L2TP packet (UDP payload) for this tunnel. For data nothing is copied or queued.
  Received on_datagram(Bytes packet, Instant now);
  /// To be called at or after next_timeout().
  void on_timeout(Instant now);
  /// When on_timeout() wants to be called; nothing while there is nothing to wait for.
  std::optional<Instant> next_timeout() const;

  /// The next whole L2TP control packet to send.
  std::optional<ByteVector> poll_transmit();
  std::optional<Event> poll_event();

  /// Writes the data header right in front of the PPP frame that starts at `ppp_offset` of `buffer` and
  /// reaches to its end. `ppp_offset` must be at least kDataHeadroom. Gives the whole L2TP packet, a part of
  /// `buffer`; nothing when the session is not up.
  std::optional<MutableBytes> frame_data(SessionId local, MutableBytes buffer, std::size_t ppp_offset);

  /// Sends CDN; SessionDown follows at once. Nothing happens for an unknown session.
  void close_session(SessionId local, CallResult result, std::string_view text, Instant now,
                     const PppCause* ppp = nullptr, ErrorCode error = ErrorCode::kNone);
  /// Sends StopCCN; SessionDown for each session and TunnelDown follow at once. The object lingers until
  /// finished().
  void close_tunnel(StopResult result, std::string_view text, Instant now,
                    ErrorCode error = ErrorCode::kNone);

  TunnelState state() const { return state_; }
  bool established() const { return state_ == TunnelState::kEstablished; }
  /// Nothing to send, nothing to wait for: the object may be destroyed.
  bool finished() const { return state_ == TunnelState::kClosed; }
  TunnelId local_id() const { return config_.local_tunnel; }
  TunnelId remote_id() const { return remote_; }
  /// The peer's id for a session of ours; 0 if there is none.
  SessionId remote_session(SessionId local) const;
  /// Established sessions.
  std::size_t sessions_up() const;
  /// All sessions, half open ones included.
  std::size_t sessions() const { return sessions_.size(); }
  const ControlConnection& control() const { return control_; }

  /// The whole state (snapshot.hpp). What waits in poll_event() is not in it: drain it first.
  TunnelSnapshot snapshot(Instant now) const;
  /// Instead of the first packet: goes on where another tunnel was, without telling again what that one has
  /// told. False when the values contradict one another or the configuration; then the object is of no use.
  bool restore(const TunnelSnapshot& from, Instant now);

 protected:
  /// `random` outlives the tunnel.
  Tunnel(Role role, TunnelConfig config, RandomSource& random);

  void start_connect(Instant now);
  std::optional<SessionId> start_call(const CallInfo& call, Instant now);

 private:
  friend struct TunnelTable;
  using Handler = DropReason (Tunnel::*)(const Message&, const Header&);

  /// Ids at rest are bounded: a peer that opens and closes calls without end is refused until some are free
  /// again.
  static constexpr std::size_t kMaxResting = 4096;
  enum class SessionState : std::uint8_t { kWaitReply, kWaitConnect, kEstablished };
  struct Session {
    SessionId local{}, remote{};
    SessionState state = SessionState::kWaitConnect;
    Instant opened{};
    CallInfo call{};
    bool sequencing = false;    ///< whether data messages carry sequence numbers now
    std::uint16_t data_ns = 0;  ///< next to send, when sequencing
  };
  /// A session id that is not given out again until its CDN is certain to have been seen.
  struct Resting {
    SessionId local{};
    Instant until{};
  };

  void set_now(Instant now) {
    now_ = now;
    control_.set_now(now);
  }
  Received on_data(const Header& header);
  Received on_control(const Header& header);
  DropReason check_address(const Header& header) const;
  bool can_address() const;
  DropReason deliver(const Header& header);
  DropReason refuse_fault(const Message& message, const Header& header);
  bool within_rate();
  std::optional<Instant> hello_at() const;

  // Control connection messages (§7.2).
  DropReason on_sccrq(const Message& message, const Header& header);
  DropReason on_sccrp(const Message& message, const Header& header);
  DropReason on_scccn(const Message& message, const Header& header);
  DropReason on_stop(const Message& message, const Header& header);
  DropReason on_hello(const Message& message, const Header& header);
  DropReason on_out_of_place(const Message& message, const Header& header);
  // Session messages (§7.4).
  DropReason on_icrq(const Message& message, const Header& header);
  DropReason on_icrp(const Message& message, const Header& header);
  DropReason on_iccn(const Message& message, const Header& header);
  DropReason on_ocrq(const Message& message, const Header& header);
  DropReason on_cdn(const Message& message, const Header& header);
  DropReason on_sli(const Message& message, const Header& header);
  DropReason on_wen(const Message& message, const Header& header);
  DropReason on_call_out_of_place(const Message& message, const Header& header);

  void learn_peer(const Message& message);
  bool acceptable_version(const Message& message);
  bool check_response(const Message& message);
  void add_capabilities(MessageBuilder& builder) const;
  /// Adds the Challenge Response the peer asked for; false when there is no secret to make it with.
  bool answer_challenge(const Message& message, MessageBuilder& builder) const;
  void add_challenge(MessageBuilder& builder);
  void tunnel_up();
  void send(const MessageBuilder& builder, SessionId remote_session, ControlConnection::Options options = {});
  void refuse_call(SessionId remote, CallResult result, ErrorCode error, std::string_view text);
  /// Ends all sessions and the tunnel; `tell` sends StopCCN.
  void stop(CloseCause cause, bool tell);
  void stop_for(StopResult result, ErrorCode error, std::string_view text);
  /// Ends one session; `tell` sends CDN.
  void end_session(SessionId local, CloseCause cause, bool tell, const PppCause* ppp = nullptr);
  void end_session_for(SessionId local, CallResult result, ErrorCode error, std::string_view text);
  void check_half_open();
  std::optional<SessionId> new_session_id();
  Session* find(SessionId local);
  Session* find_by_remote(SessionId remote);
  Session* session_of(const Message& message, const Header& header);
  bool consistent() const;
  void check_consistent() const;
  bool plausible(const TunnelSnapshot& from) const;
  bool plausible_sessions(const TunnelSnapshot& from) const;
  bool spoil();

  Role role_;
  TunnelConfig config_;
  RandomSource& random_;
  ControlConnection control_;
  Instant now_{};
  TunnelState state_ = TunnelState::kIdle;
  TunnelId remote_;
  TunnelUp peer_;
  std::uint32_t peer_framing_ = 0;  ///< its Framing Capabilities
  ByteVector our_challenge_;
  bool announced_ = false;               ///< TunnelUp was queued
  bool stop_sent_ = false;               ///< a StopCCN of ours is on its way
  std::optional<Instant> opened_;        ///< while half open
  std::optional<Instant> linger_until_;  ///< while closing
  std::unordered_map<SessionId, Session> sessions_;
  std::deque<Resting> resting_;
  std::deque<Event> events_;
  std::uint32_t call_serial_ = 0;
  Instant rate_start_{};
  std::uint32_t rate_used_ = 0;
};

}  // namespace sluice::l2tp
