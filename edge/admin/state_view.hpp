#pragma once
// What the operations socket shows of the edge, as plain values, and the seam through which it asks for them.
// Thread: control thread. Numbers are counts since the object began unless said otherwise; "in" is from the
// client.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/ip.hpp"
#include "edge/ike/provider.hpp"

namespace sluice::edge {

/// Seconds since the epoch; 0 means never or not known.
using UnixSeconds = std::int64_t;

struct TrafficView {
  std::uint64_t packets_in = 0, bytes_in = 0;    ///< from the client
  std::uint64_t packets_out = 0, bytes_out = 0;  ///< to the client
};

/// How far a client has come.
enum class SessionStage : std::uint8_t {
  kTunnel,   ///< SCCRQ seen, tunnel placed
  kSession,  ///< L2TP session agreed, PPP under way
  kUp,       ///< the agent reported a user and an address
};
std::string_view name_of(SessionStage stage);

/// One L2TP session joined from IKE to PPP. Strings that a peer chose are as it gave them.
struct SessionView {
  std::string correlation_id;
  SessionStage stage = SessionStage::kTunnel;
  // IKE and IPsec
  PeerId peer;
  std::string peer_identity;
  Endpoint client;  ///< public address and port as the edge sees them
  Endpoint edge;    ///< the address the client dialled
  bool nat = false;
  IkeSaId ike_sa;
  std::uint8_t ike_version = 0;
  std::string ike_proposal;
  Spi spi_in, spi_out;
  std::string cipher;  ///< of the child SA
  // L2TP
  TunnelId client_tunnel, agent_tunnel;     ///< as assigned by the client, by the agent
  SessionId client_session, agent_session;  ///< likewise
  RelayId relay;
  std::uint32_t worker = 0;
  // agent and PPP
  std::string agent;
  std::string user;
  std::string auth_method;
  std::optional<IpAddress> assigned_ip;
  UnixSeconds up_since = 0;
  TrafficView traffic;  ///< L2TP packets relayed
};

/// One side of a tunnel's control connection, as its relay saw it.
struct ControlView {
  std::uint64_t resent = 0;  ///< messages that it sent again
  std::uint64_t window = 0;  ///< how many it takes at once; 0: not known
};

/// One L2TP tunnel with all its sessions.
struct TunnelView {
  std::string correlation_id;
  std::string stage;  ///< "placing", "bound", "farewell"
  std::string state;  ///< "opening", "established", "closing"
  bool closing = false;
  PeerId peer;
  std::string peer_identity;
  Endpoint client;
  std::uint16_t l2tp_port = 0;  ///< of the client's L2TP within ESP
  std::string host_name;        ///< as its L2TP tells
  std::string agent;
  TunnelId client_tunnel, agent_tunnel;
  RelayId relay;
  std::uint32_t worker = 0, agent_worker = 0;
  std::uint32_t sessions = 0;
  UnixSeconds opened_at = 0;
  ControlView client_control, agent_control;
  TrafficView traffic;
};

enum class BackendState : std::uint8_t {
  kUp,        ///< takes tunnels
  kDraining,  ///< keeps what it has, takes no more
  kSuspect,   ///< connected, but its report is late
  kNoL2tp,    ///< connected, but a probe found that it does not speak L2TP: takes no tunnels
  kDown,      ///< not connected
};
std::string_view name_of(BackendState state);

/// What probes found of an agent's L2TP.
enum class L2tpState : std::uint8_t { kUnknown, kSpeaks, kSilent };
std::string_view name_of(L2tpState state);

struct BackendView {
  BackendId id;
  std::string name;  ///< from its certificate
  std::optional<Endpoint> address;
  BackendState state = BackendState::kDown;
  std::uint32_t weight = 0;
  std::uint32_t sessions = 0, tunnels = 0;
  std::uint32_t max_sessions = 0;  ///< 0: no limit
  std::uint32_t cpu_permille = 0;  ///< of one core, its busiest data worker
  std::uint64_t packets_per_second = 0;
  std::optional<std::uint32_t> free_addresses;  ///< nothing: the agent gives none itself
  bool draining = false;
  std::optional<std::chrono::microseconds> rtt;
  std::optional<std::chrono::milliseconds> report_age;  ///< since its last load report
  UnixSeconds connected_since = 0;
  UnixSeconds certificate_expires = 0;
  std::string carrier;  ///< "udp" or "tls"
  std::string software;
  L2tpState l2tp = L2tpState::kUnknown;
  std::string l2tp_text;         ///< why it does not
  UnixSeconds l2tp_checked = 0;  ///< by the latest probe
};

/// What came of a probe that was asked for.
struct ProbeView {
  std::string agent;
  L2tpState l2tp = L2tpState::kUnknown;
  std::string text;  ///< unless it speaks: why, printable
  std::chrono::milliseconds took{};
};

/// One child SA pair of a peer.
struct SaView {
  Spi spi_in, spi_out;
  std::string cipher;
  bool udp_encapsulated = false;
  std::uint32_t worker = 0;
  UnixSeconds installed_at = 0;
  TrafficView traffic;            ///< ESP packets and their plaintext bytes
  std::uint64_t replayed = 0;     ///< dropped by the replay window
  std::uint64_t unauthentic = 0;  ///< dropped for a bad integrity check
  std::uint64_t malformed = 0;    ///< dropped for anything else
};

struct PeerView {
  PeerId id;
  std::string correlation_id;
  std::string identity;
  Endpoint remote, local;
  bool nat = false;
  IkeSaId ike_sa;
  std::uint8_t ike_version = 0;
  std::string ike_proposal;
  UnixSeconds up_since = 0;
  std::uint32_t tunnels = 0, sessions = 0;
  // Over all SAs it had, those that are gone included.
  TrafficView traffic;
  std::uint64_t replayed = 0, unauthentic = 0, malformed = 0;
  std::vector<SaView> sas;
};

/// One drop reason's counter.
struct DropView {
  std::string stage;   ///< "esp", "l2tp", "channel", "sa-feed", "vici" ...
  std::string reason;  ///< the enumerator's name in words
  std::uint64_t count = 0;
};

struct VersionView {
  std::string daemon = "sluice-edge";
  std::string version;
  std::string edge_name;
  std::string ike_provider;  ///< for instance "charon 5.9.8"
};

/// What the edge's IKE probe found, from outside: see edge/probe.
struct IkeProbeView {
  std::string state = "unknown";  ///< "answers", "silent", "unknown"
  std::string text;               ///< a sentence
  std::chrono::milliseconds took{};
  UnixSeconds checked_at = 0;
};

/// The edge's certificate on the channel.
struct CertificateView {
  std::string name, serial;
  UnixSeconds expires_at = 0;
  UnixSeconds crl_next_update = 0;  ///< 0: no revocation list
};

struct StatsView {
  UnixSeconds started_at = 0;
  std::uint32_t workers = 0;
  bool ready = false;      ///< a new client can get a session: IKE answers and an agent takes tunnels
  bool draining = false;   ///< an operator takes this edge out of service: not ready, whatever else
  std::string not_ready;   ///< why not, for an operator; empty when it is
  bool ike_ready = false;  ///< the IKE daemon is up and has its configuration
  IkeProbeView ike_probe;
  std::uint64_t peers = 0, sas = 0, tunnels = 0, sessions = 0;
  std::uint32_t backends_up = 0, backends_total = 0;
  std::uint64_t drops = 0;
  TrafficView traffic;
  CertificateView certificate;
};

/// The edge's state, as values taken at the call. Some of it may be missing (a worker that did not answer):
/// see `partial`.
class StateView {
 public:
  virtual ~StateView() = default;
  virtual std::vector<SessionView> sessions() const = 0;
  virtual std::vector<TunnelView> tunnels() const = 0;
  virtual std::vector<BackendView> backends() const = 0;
  virtual std::vector<PeerView> peers() const = 0;
  virtual std::vector<DropView> drops() const = 0;
  virtual VersionView version() const = 0;
  virtual StatsView stats() const = 0;
  /// Why the last answers lack something, for an operator; empty when they are whole.
  virtual std::string partial() const { return {}; }
};

}  // namespace sluice::edge
