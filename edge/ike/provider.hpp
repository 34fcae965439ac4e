#pragma once
// The seam between the edge and whoever speaks IKE. Nothing outside edge/ike names charon.
// Thread: all of it on the control thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/ip.hpp"
#include "base/secret.hpp"
#include "edge/ike/config.hpp"

namespace sluice::edge {

/// The IKE daemon's number for one IKE SA. It changes with each re-authentication. 0 means not known.
using IkeSaId = StrongId<struct IkeSaIdTag, std::uint32_t>;

/// Sequence numbers that an outbound SA is given at a time; it asks for more when half of them are used.
inline constexpr std::uint64_t kSequenceChunk = std::uint64_t{1} << 20;

/// Traffic and time limits of one SA; 0 means none.
struct SaLifetime {
  std::uint64_t soft_bytes = 0, hard_bytes = 0;
  std::uint64_t soft_packets = 0, hard_packets = 0;
  std::uint64_t soft_seconds = 0, hard_seconds = 0;
};

/// One direction of a child SA, as negotiated.
struct SaSpec {
  Spi spi;
  IkeSaId ike_sa;
  std::string peer_identity;  ///< as the peer gave it: escape before printing
  Endpoint source, destination;
  bool inbound = false;
  bool udp_encapsulated = false;
  bool extended_sequence = false;
  bool transport_mode = true;
  bool rekeyed = false;
  std::uint32_t replay_window = 0;  ///< packets; 0 leaves it to the data plane
  std::uint16_t encryption = 0;     ///< IKEv2 transform id (IANA)
  std::uint16_t integrity = 0;      ///< IKEv2 transform id; 0 with an AEAD
  Secret encryption_key;            ///< with the salt of a counter mode at its end
  Secret integrity_key;
  std::uint8_t ike_version = 0;
  std::uint32_t reqid = 0;
  SaLifetime lifetime;
  std::uint16_t local_port = 0, remote_port = 0;  ///< traffic selectors; 0 any
  std::uint8_t protocol = 0;                      ///< 17, or 0 any
  /// Sequence numbers up to this one count as used (outbound) or seen (inbound).
  std::uint64_t last_sequence = 0;
  /// Outbound: numbers beyond this one need DataPlane::reserved() first.
  std::uint64_t reserved = UINT64_MAX;
  /// The SA was installed before, by an edge that is gone; `note` is what that edge gave for it.
  bool restored = false;
  std::string note;
};

/// The newest sequence number that came in on an SA.
struct SaSeen {
  Spi inbound;
  std::uint64_t sequence = 0;
};

struct SaUsage {
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t last_use_seconds = 0;  ///< since the epoch; 0 never
};

enum class SaError { kNotFound, kNotSupported, kFailed };

/// What the IKE side asks of a data plane.
class DataPlane {
 public:
  virtual ~DataPlane() = default;
  /// An SPI for packets from `remote` to `local`, its low bits naming the worker that will own the peer's
  /// SAs.
  virtual std::optional<Spi> allocate_spi(IkeSaId ike_sa, const std::string& peer_identity,
                                          const Endpoint& local, const Endpoint& remote) = 0;
  virtual std::optional<SaError> add_sa(SaSpec spec) = 0;
  /// What a successor of this process needs to know an SA's peer again; given back in SaSpec::note.
  virtual std::string note_of(Spi spi, bool inbound, const Endpoint& destination) const = 0;
  /// Sequence numbers of an outbound SA up to `last` are safe to use: no successor will use them again.
  virtual void reserved(Spi outbound, const Endpoint& destination, std::uint64_t last) = 0;
  /// All SAs that were there before this process have been told, `count` of them.
  virtual void restored(std::size_t count) = 0;
  virtual std::optional<SaError> update_sa(Spi spi, bool inbound, const Endpoint& new_source,
                                           const Endpoint& new_destination, bool udp_encapsulated) = 0;
  virtual std::optional<SaError> remove_sa(Spi spi, bool inbound, const Endpoint& destination) = 0;
  virtual std::optional<SaUsage> query_sa(Spi spi, bool inbound, const Endpoint& destination) = 0;
  virtual void flush() = 0;
};

/// One IKE SA as the provider tells it.
struct IkePeer {
  IkeSaId ike_sa;
  std::uint8_t version = 0;
  Endpoint local, remote;
  std::string identity;  ///< as the peer gave it
  std::string proposal;  ///< "AES_CBC-256/HMAC_SHA1_96/MODP_2048"
  bool nat = false;
};

/// A handshake that failed. All but the identity is ours, and free of secrets.
struct IkeFailure {
  Endpoint remote;
  std::string identity;  ///< as the peer gave it; empty if it did not get that far
  std::string cause;     ///< one word
  std::string text;      ///< a sentence, with the number Windows shows its user
  int windows = 0;       ///< that number; 0: none
};

/// What the provider tells the edge. Calls come from the event loop, never from within a call into the
/// provider.
class IkeEvents {
 public:
  virtual ~IkeEvents() = default;
  virtual void ike_up(const IkePeer& peer) = 0;
  virtual void ike_rekeyed(IkeSaId old_sa, const IkePeer& peer) = 0;
  virtual void ike_down(IkeSaId ike_sa) = 0;
  /// A child SA's pair of SPIs, inbound and outbound, as it came up or replaced another.
  virtual void child_up(IkeSaId ike_sa, Spi inbound, Spi outbound) = 0;
  virtual void child_down(IkeSaId ike_sa, Spi inbound, Spi outbound) = 0;
  virtual void ike_failed(const IkeFailure& failure) = 0;
  /// An IKE datagram to send, without non-ESP marker; `marker` says whether the port wants one.
  virtual void ike_send(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) = 0;
  /// The provider can answer peers, or no longer can.
  virtual void ike_ready(bool ready) = 0;
};

/// Speaks IKE. start() before anything else; objects handed to it outlive it.
class IkeProvider {
 public:
  virtual ~IkeProvider() = default;
  virtual void start() = 0;
  virtual void stop() = 0;
  /// Takes a new configuration without ending anything that is up. Nothing: it is being loaded; else what is
  /// wrong with it, and the old one stays.
  virtual std::optional<std::string> reload(IkeConfig config) = 0;
  /// Ends this side only: the IKE daemon and its SAs stay, for a successor or until they have waited long
  /// enough. stop() where nothing can stay.
  virtual void leave() = 0;
  /// An IKE datagram that came in, without non-ESP marker.
  virtual void ike_receive(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) = 0;
  /// Ends an IKE SA and its children, telling the peer.
  virtual void terminate(IkeSaId ike_sa) = 0;
  /// An SA reached a limit.
  virtual void expired(Spi inbound, const Endpoint& local, bool hard) = 0;
  /// An outbound SA needs sequence numbers up to `last`; DataPlane::reserved() follows.
  virtual void reserve(Spi outbound, const Endpoint& destination, std::uint64_t last) = 0;
  /// How far inbound SAs have got, so that a successor takes no older packets. Call it each second or so.
  virtual void seen(std::span<const SaSeen> sas) = 0;
  /// A peer's authenticated packets come from a new address or port.
  virtual void moved(Spi inbound, const Endpoint& local, const Endpoint& old_remote,
                     const Endpoint& new_remote) = 0;
  virtual bool ready() const = 0;
};

}  // namespace sluice::edge
