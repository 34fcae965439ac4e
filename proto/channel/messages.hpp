#pragma once
// The control stream's messages as values. Whatever decode() gives has been checked field by field, so that
// nobody above this file sees protobuf or has to ask whether a number is in range.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"

namespace sluice::channel {

inline constexpr std::uint32_t kVersionMin = 1;
inline constexpr std::uint32_t kVersionMax = 2;
/// The first version with hellos on data paths and the carrier "tls".
inline constexpr std::uint32_t kVersionCarriers = 2;
inline constexpr std::uint32_t kMaxWorkers = 64;

/// Each worker takes data frames on a UDP port of its own, consecutive from the first worker's: so each pair
/// of workers is a flow of its own, and neither the kernel nor a NIC joins packets of two pairs.
constexpr std::uint16_t port_of(std::uint16_t data_port, std::uint32_t worker) {
  return static_cast<std::uint16_t>(data_port + worker);
}

/// What data frames travel by.
enum class CarrierMode : std::uint8_t {
  kUdp,   ///< UDP, whether it works or not; all that version 1 knows
  kAuto,  ///< UDP, and TLS while UDP does not work
  kTls,   ///< a TLS connection of their own
  kCount,
};
std::string_view to_string(CarrierMode mode);
std::optional<CarrierMode> parse_carrier_mode(std::string_view text);
/// What holds where the two ends want these; nothing where one wants UDP alone and the other TLS alone.
std::optional<CarrierMode> agree(CarrierMode one, CarrierMode other);

/// Agent, first. Ranges as in schema/channel.proto.
struct Hello {
  std::uint32_t version_min = kVersionMin;
  std::uint32_t version_max = kVersionMax;
  std::uint64_t boot_id = 0;       ///< random, new at each start of the agent
  std::uint32_t weight = 1;        ///< share of the tunnels, 1..1000
  std::uint32_t workers = 1;       ///< 1..kMaxWorkers
  std::uint16_t data_port = 0;     ///< UDP, the first worker's (port_of); the address is the control stream's
  std::uint32_t max_sessions = 0;  ///< 0: no limit
  std::string software;            ///< escape before printing
  CarrierMode carrier = CarrierMode::kUdp;  ///< as configured; version 1 says nothing, and knows UDP
  bool operator==(const Hello&) const = default;
};

/// The SA pair between one edge worker and one agent worker. Each side picked the SPI it receives on.
struct DataPath {
  std::uint32_t edge_worker = 0;
  std::uint32_t agent_worker = 0;
  Spi spi_to_edge;
  Spi spi_to_agent;
  bool operator==(const DataPath&) const = default;
};
/// All pairs of one key epoch, ordered by edge worker, then agent worker.
struct DataPaths {
  std::uint32_t epoch = 0;
  std::vector<DataPath> paths;
  bool operator==(const DataPaths&) const = default;
};

/// Edge, answers Hello. paths.spi_to_agent is 0: the agent fills it in its DataPaths.
struct Welcome {
  std::uint32_t version = kVersionMax;
  std::uint64_t boot_id = 0;
  std::string edge_name;
  std::uint32_t workers = 1;
  std::uint16_t data_port =
      0;  ///< UDP, the first worker's (port_of); the address is the one the agent dialled
  DataPaths paths;
  CarrierMode carrier = CarrierMode::kUdp;  ///< what holds
  bool operator==(const Welcome&) const = default;
};

/// Free addresses of an agent that gives none itself.
inline constexpr std::uint32_t kNoAddressLimit = UINT32_MAX;

struct LoadReport {
  std::uint32_t sessions = 0;
  std::uint32_t tunnels = 0;
  std::uint32_t cpu_permille = 0;  ///< of one core, of the busiest data worker
  std::uint64_t packets_per_second = 0;
  std::uint32_t free_addresses = 0;  ///< kNoAddressLimit: as many as one likes
  bool draining = false;
  std::uint32_t cpu_wait_permille = 0;  ///< of the same worker: how much it waited for a core
  std::uint32_t radius_ms = 0;          ///< how long RADIUS takes to answer, lately; 0: not known
  bool operator==(const LoadReport&) const = default;
};
struct KeepAlive {
  std::uint64_t sequence = 0;
  bool operator==(const KeepAlive&) const = default;
};

/// Edge asks the agent to take a tunnel.
struct TunnelOpen {
  RelayId relay;
  std::uint32_t edge_worker = 0;
  std::uint32_t agent_worker = 0;
  TunnelId assigned_tunnel;   ///< what the agent's LNS shall call the tunnel: unique within the peer
  Endpoint client;            ///< the client's true address as the edge sees it
  IpAddress edge_address;     ///< the address the client dialled
  std::string peer_identity;  ///< IKE identity as the peer gave it: escape before printing
  std::string cipher;         ///< of the client's child SA
  std::string correlation_id;
  std::uint16_t ppp_mtu = 0;    ///< largest PPP payload whose outer packet fits the path; 0: not known
  bool probe = false;           ///< no client but the edge itself: nothing to log or account
  std::uint16_t l2tp_port = 0;  ///< the client's UDP port inside ESP; the agent only gives it back
  bool operator==(const TunnelOpen&) const = default;
};
struct TunnelAccept {
  RelayId relay;
  bool operator==(const TunnelAccept&) const = default;
};
struct TunnelRefuse {
  RelayId relay;
  std::string reason;  ///< escape before printing
  bool operator==(const TunnelRefuse&) const = default;
};
enum class CloseCause : std::uint8_t {
  kUnspecified,
  kByClient,  ///< StopCCN came, or its SAs were deleted
  kByAgent,
  kPeerGone,  ///< no SA left and the grace time is over
  kAdmin,
  kEdgeStopping,
  kCount,
};
std::string_view to_string(CloseCause cause);
/// Either side: the tunnel is over and its relay id dead.
struct TunnelClose {
  RelayId relay;
  CloseCause cause = CloseCause::kUnspecified;
  std::string text;  ///< escape before printing
  bool operator==(const TunnelClose&) const = default;
};

/// Edge: the agent is to end the tunnel in good order and tell the client; TunnelClose follows.
struct TunnelEnd {
  RelayId relay;
  std::string text;  ///< escape before printing
  bool operator==(const TunnelEnd&) const = default;
};

struct SessionUp {
  RelayId relay;
  SessionId session;  ///< assigned by the agent
  std::string user;   ///< escape before printing
  std::string auth_method;
  std::optional<IpAddress> client_ip;  ///< the address given to the client
  std::uint64_t started_at = 0;        ///< seconds since the epoch
  bool operator==(const SessionUp&) const = default;
};
struct SessionDown {
  RelayId relay;
  SessionId session;
  std::string cause;  ///< one word: user-request, authentication-failed, echo-timeout, ...
  std::string text;   ///< what an operator reads; escape before printing
  std::string user;   ///< escape before printing
  bool operator==(const SessionDown&) const = default;
};
struct Goodbye {
  std::string reason;
  bool operator==(const Goodbye&) const = default;
};
/// One session of a tunnel that is offered for resumption.
struct ResumedSession {
  SessionId agent, client;  ///< each side's own id
  bool up = false;          ///< PPP is; then the rest is as in SessionUp
  std::string user;         ///< escape before printing
  std::string auth_method;
  std::optional<IpAddress> client_ip;
  std::uint64_t started_at = 0;  ///< seconds since the epoch
  bool operator==(const ResumedSession&) const = default;
};
/// Agent: it kept this tunnel while the channel was down. Answered by TunnelResumed or TunnelLost.
struct TunnelResume {
  std::uint32_t resume = 0;  ///< the agent's number for this offer; not 0
  RelayId relay;             ///< of the connection before
  std::string correlation_id;
  std::string peer_identity;
  Endpoint client;  ///< as TunnelOpen had it
  std::uint16_t l2tp_port = 0;
  TunnelId agent_tunnel, client_tunnel;
  std::uint32_t agent_worker = 0;
  std::uint16_t ns = 0;  ///< next that the agent sends
  std::uint16_t nr = 0;  ///< next that it expects of the client
  bool established = false;
  std::vector<ResumedSession> sessions;
  bool operator==(const TunnelResume&) const = default;
};
/// Edge: the tunnel goes on under this relay id.
struct TunnelResumed {
  std::uint32_t resume = 0;
  RelayId relay;
  std::uint32_t edge_worker = 0;
  bool operator==(const TunnelResumed&) const = default;
};
/// Edge: the tunnel's client is gone, or was never here.
struct TunnelLost {
  std::uint32_t resume = 0;
  CloseCause cause = CloseCause::kUnspecified;
  std::string text;  ///< escape before printing
  bool operator==(const TunnelLost&) const = default;
};
/// A message of a later version: counted and passed over.
struct UnknownMessage {
  bool operator==(const UnknownMessage&) const = default;
};

using Message = std::variant<UnknownMessage, Hello, Welcome, DataPaths, LoadReport, KeepAlive, TunnelOpen,
                             TunnelAccept, TunnelRefuse, TunnelClose, SessionUp, SessionDown, Goodbye,
                             TunnelResume, TunnelResumed, TunnelLost, TunnelEnd>;
/// The message's name as the schema has it, for logs.
std::string_view name_of(const Message& message);

struct DecodeError {
  bool malformed = false;  ///< not protobuf at all, rather than a value out of range
  std::string field;       ///< "tunnel_open.assigned_tunnel_id"
};

/// One frame's payload. Strings longer than kMaxText bytes are an error, not cut.
inline constexpr std::size_t kMaxText = 1024;
/// Sessions of one TunnelResume at most.
inline constexpr std::size_t kMaxResumedSessions = 64;
Result<Message, DecodeError> decode(Bytes payload);
/// The protobuf payload, without its length. Strings are cut to kMaxText bytes.
ByteVector encode(const Message& message);

}  // namespace sluice::channel
