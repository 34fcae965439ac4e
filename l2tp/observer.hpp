#pragma once
// Follows the control messages of one relayed tunnel without changing a byte, and speaks for an agent that is
// gone. No I/O, no clock. Everything on one thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "l2tp/codes.hpp"
#include "l2tp/header.hpp"
#include "l2tp/message.hpp"

namespace sluice::l2tp {

/// What placement needs to know of an SCCRQ.
struct SccrqInfo {
  TunnelId assigned_tunnel{};  ///< the client's id
  std::string host_name{};     ///< from the peer: escape before printing
  std::string vendor_name{};   ///< likewise
  std::uint16_t receive_window = 4;
  std::uint16_t protocol_version = 0x0100;
  bool has_challenge = false;
  std::uint16_t ns = 0;
  std::size_t size = 0;  ///< of the packet, octets
};

/// Reads a packet that is an SCCRQ; nothing if it is anything else or lacks its Assigned Tunnel ID.
std::optional<SccrqInfo> read_sccrq(Bytes packet);

/// A StopCCN that refuses an SCCRQ without a tunnel of our own: result 2 error 4 ("insufficient resources")
/// by default. `local` is named as our tunnel id. Stateless: answer each SCCRQ with it again. The text is cut
/// so that the answer is no longer than the question.
ByteVector refuse_sccrq(const SccrqInfo& sccrq, std::string_view text, TunnelId local = TunnelId{1},
                        StopResult result = StopResult::kError, ErrorCode error = ErrorCode::kResources);

enum class ObservedState : std::uint8_t { kOpening, kEstablished, kClosed };
std::string_view to_string(ObservedState state);

struct ObservedSession {
  SessionId client{}, agent{};  ///< each side's own id; 0 while not known
  ObservedState state = ObservedState::kOpening;
  std::string calling_number{};  ///< from the peer: escape before printing
  std::uint32_t tx_speed = 0;    ///< bits a second
};

enum class Side : std::uint8_t { kClient, kAgent };

/// What one observed control message changed.
enum class Observation : std::uint8_t {
  kNothing,
  kTunnelUp,       ///< SCCCN passed
  kTunnelClosed,   ///< StopCCN passed: see closed()
  kSessionUp,      ///< ICCN passed
  kSessionClosed,  ///< CDN passed: see last_session_close()
  kUnreadable      ///< not a control message this observer understands; relay it all the same
};

/// One object is one relayed tunnel. It sees control messages in the order they pass, duplicates and losses
/// included.
class Observer {
 public:
  Observer() = default;
  /// A tunnel in the middle of its life, as its agent tells: it is followed from here on.
  struct Known {
    TunnelId client{}, agent{};
    std::uint16_t agent_ns = 0;  ///< next that the agent sends
    std::uint16_t agent_nr = 0;  ///< next that it expects of the client
    bool established = false;
    std::vector<ObservedSession> sessions{};
  };
  explicit Observer(Known known);

  /// A control packet (or ZLB) from the client, before it is relayed.
  Observation from_client(Bytes packet);
  /// One from the agent.
  Observation from_agent(Bytes packet);

  TunnelId client_tunnel() const { return client_.tunnel; }
  TunnelId agent_tunnel() const { return agent_.tunnel; }
  ObservedState state() const { return state_; }
  const std::vector<ObservedSession>& sessions() const { return sessions_; }
  std::size_t sessions_up() const;
  const std::string& client_host() const { return client_host_; }
  /// Next Ns each side will use, and the Nr it told last (what it expects next).
  std::uint16_t next_ns(Side side) const { return of(side).next_ns; }
  std::uint16_t expects(Side side) const { return of(side).nr; }
  /// Messages of this side that were seen before: sent again.
  std::uint64_t resent(Side side) const { return of(side).resent; }
  /// How many control messages this side takes at once; 0 while it has not said so.
  std::uint16_t receive_window(Side side) const { return of(side).window; }

  /// Who closed the tunnel and why; nothing while it is open.
  struct Close {
    Side by = Side::kClient;
    CloseCause cause{};
  };
  const std::optional<Close>& closed() const { return closed_; }
  const std::optional<Close>& last_session_close() const { return last_session_close_; }
  /// "client: 6 requester is being shut down", text escaped.
  static std::string describe(const Close& close);

  /// True when an SCCRQ for this tunnel is not a resend of the one that opened it: the client started anew.
  bool starts_anew(Bytes sccrq) const;

  /// A StopCCN in the agent's name with the right ids, Ns and Nr. Call it again for each retransmission
  /// (after 1, 2, 4 and 8 s): it adjusts to what the client has acknowledged meanwhile. Nothing while the
  /// client's id is not known.
  std::optional<ByteVector> farewell(StopResult result, std::string_view text,
                                     ErrorCode error = ErrorCode::kNone);
  /// The client has acknowledged the farewell: no need to send it again.
  bool farewell_acknowledged() const;

 private:
  static constexpr unsigned kRemembered = 64;
  struct SideState {
    TunnelId tunnel{};          ///< this side's own id
    std::uint16_t next_ns = 0;  ///< one more than the highest Ns seen from it
    std::uint16_t nr = 0;       ///< latest Nr seen from it
    bool spoke = false;
    std::uint16_t window = 0;
    std::uint64_t resent = 0;
    std::uint64_t seen = 0;  ///< which of the last Ns were seen

    /// Notes the numbers; true when it is a message not seen before.
    bool take(const Header& header);
  };
  SideState& of(Side side) { return side == Side::kClient ? client_ : agent_; }
  const SideState& of(Side side) const { return side == Side::kClient ? client_ : agent_; }
  Observation observe(Side from, Bytes packet);
  Observation interpret(Side from, const Header& header, const Message& message);
  Observation on_icrq(Side from, const Message& message);
  Observation on_cdn(Side from, const Header& header, const Message& message);
  ObservedSession* find(Side owner, SessionId id);

  SideState client_, agent_;
  ObservedState state_ = ObservedState::kOpening;
  std::vector<ObservedSession> sessions_;
  std::optional<Close> closed_, last_session_close_;
  std::string client_host_;
  std::optional<std::size_t> sccrq_hash_;
  unsigned farewells_ = 0;
};

}  // namespace sluice::l2tp
