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
  TunnelId local_tunnel;                ///< our id; must not be 0
  std::string host_name = "sluice";     ///< Host Name AVP; must not be empty
  std::string vendor_name = "Sluice";   ///< Vendor Name AVP; empty leaves it out
  std::uint16_t firmware_revision = 1;  ///< Firmware Revision AVP
  std::uint16_t receive_window = 8;     ///< control messages we take at once; 1 or more
  Duration hello_interval =
      std::chrono::seconds(60);  ///< HELLO after so long without a packet from the peer; 0 never
  Duration setup_timeout = std::chrono::seconds(60);  ///< longest time a tunnel or session may stay half open
  Retransmission retransmission;
  std::size_t max_sessions = 16;               ///< ICRQs beyond are refused with result 4
  std::uint32_t max_control_per_second = 100;  ///< control messages beyond are dropped; 0 no limit
  bool length_in_data = false;                 ///< write the L bit and Length in data messages
  bool sequencing = false;                     ///< LAC: ask for sequence numbers in data messages
  bool demand_authentication = false;          ///< send a Challenge; macOS and iOS then do not connect
  /// Shared secret for Challenge Responses and hidden AVPs. None: a peer's Challenge is refused.
  std::shared_ptr<const Secret> secret;
  /// LAC: protocol version and other oddities for tests are made with MessageBuilder, not here.
  std::uint32_t tx_connect_speed = 100'000'000;  ///< LAC: bits a second in ICCN
};

struct TunnelUp {
  TunnelId local, remote;
  std::string peer_host;    ///< from the peer: escape before printing
  std::string peer_vendor;  ///< likewise
  std::uint16_t peer_firmware = 0;
  std::uint16_t peer_window = 0;
};

/// What the peer told of a call in ICRQ and ICCN. Strings and bytes come from the peer as they are.
struct CallInfo {
  std::uint32_t serial_number = 0;
  std::uint32_t bearer_type = 0;
  std::uint32_t framing_type = 0;
  std::uint32_t physical_channel = 0;
  std::uint32_t tx_speed = 0;  ///< bits a second
  std::uint32_t rx_speed = 0;  ///< bits a second; equals tx_speed where the peer left it out
  std::string calling_number, called_number, sub_address;
  ByteVector private_group;
  bool sequencing_required = false;
  /// Proxy LCP and authentication (§4.4.5); empty where the peer left them out.
  ByteVector initial_lcp, last_sent_lcp, last_received_lcp;
};

struct SessionUp {
  SessionId local, remote;
  CallInfo call;
};
struct SessionDown {
  SessionId local, remote;
  bool was_up = false;  ///< a SessionUp was handed out before
  CloseCause cause;
};
struct TunnelDown {
  bool was_up = false;  ///< a TunnelUp was handed out before
  CloseCause cause;
};
/// Set-Link-Info: the ACCMs that asynchronous framing would use (§6.14).
struct LinkInfo {
  SessionId local;
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
  SessionId session;  ///< local id
  Bytes ppp;          ///< the PPP frame, a view into the datagram

  bool is_data() const { return kind == Kind::kData; }
};

/// Shared by LnsTunnel and LacTunnel; not made by itself. Drain poll_transmit() and poll_event() after each
/// call.
class Tunnel {
 public:
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;
  ~Tunnel();

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
  /// Established sessions.
  std::size_t sessions_up() const;
  /// All sessions, half open ones included.
  std::size_t sessions() const { return sessions_.size(); }
  const ControlConnection& control() const { return control_; }

 protected:
  /// `random` outlives the tunnel.
  Tunnel(Role role, TunnelConfig config, RandomSource& random);

  void start_connect(Instant now);
  std::optional<SessionId> start_call(const CallInfo& call, Instant now);

 private:
  enum class SessionState : std::uint8_t { kWaitReply, kWaitConnect, kEstablished };
  struct Session {
    SessionId local, remote;
    SessionState state = SessionState::kWaitConnect;
    Instant opened;
    CallInfo call;
    std::uint16_t data_ns = 0;  ///< next to send, when sequencing
    std::uint16_t data_nr = 0;  ///< one more than the last received
  };
  /// A session id that must not be used again until its CDN is certain to have been seen.
  struct Resting {
    SessionId local;
    Instant until;
  };
  struct Authentication {
    ByteVector our_challenge;
    ByteVector peer_challenge;
  };

  friend struct TunnelTables;
  using Handler = DropReason (Tunnel::*)(const Message&, const Header&, Instant);

  Received on_data(const Header& header, Instant now);
  Received on_control(const Header& header, Instant now);
  DropReason deliver(const Header& header, Instant now);
  DropReason refuse_fault(const Message& message, const Header& header, Instant now);
  bool within_rate(Instant now);

  // Control connection messages (§7.2).
  DropReason on_sccrq(const Message&, const Header&, Instant);
  DropReason on_sccrp(const Message&, const Header&, Instant);
  DropReason on_scccn(const Message&, const Header&, Instant);
  DropReason on_stop(const Message&, const Header&, Instant);
  DropReason on_hello(const Message&, const Header&, Instant);
  // Session messages (§7.4).
  DropReason on_icrq(const Message&, const Header&, Instant);
  DropReason on_icrp(const Message&, const Header&, Instant);
  DropReason on_iccn(const Message&, const Header&, Instant);
  DropReason on_ocrq(const Message&, const Header&, Instant);
  DropReason on_cdn(const Message&, const Header&, Instant);
  DropReason on_sli(const Message&, const Header&, Instant);
  DropReason on_ignored(const Message&, const Header&, Instant);
  DropReason on_out_of_place(const Message&, const Header&, Instant);
  DropReason on_out_of_place_call(const Message&, const Header&, Instant);

  void learn_peer(const Message& message);
  bool answer_challenge(const Message& message, Instant now);
  bool check_response(const Message& message, MessageType type) const;
  void make_challenge();
  void add_capabilities(MessageBuilder& builder) const;
  void send(MessageBuilder& builder, SessionId remote_session, Instant now);
  void refuse_call(SessionId remote, CallResult result, ErrorCode error, std::string_view text, Instant now);
  void stop(CloseCause cause, bool tell, Instant now);
  void end_session(SessionId local, CloseCause cause, bool tell, Instant now, const PppCause* ppp = nullptr);
  void tunnel_up();
  void check_half_open(Instant now);
  SessionId new_session_id(Instant now);
  Session* find(SessionId local);
  Session* find_by_remote(SessionId remote);
  Session* session_of(const Message& message, const Header& header);
  bool consistent() const;

  Role role_;
  TunnelConfig config_;
  RandomSource& random_;
  ControlConnection control_;
  TunnelState state_ = TunnelState::kIdle;
  TunnelId remote_;
  TunnelUp peer_;
  Authentication auth_;
  bool announced_ = false;
  std::optional<Instant> opened_;
  std::optional<Instant> linger_until_;
  std::unordered_map<SessionId, Session> sessions_;
  std::deque<Resting> resting_;
  std::deque<Event> events_;
  std::optional<Instant> rate_start_;
  std::uint32_t rate_used_ = 0;
};

}  // namespace sluice::l2tp
