#pragma once
// The sa-feed's frames (vici/sa_feed.h, docs/sa-feed.md) as values. Both directions, so that a round trip can
// be tested and the tests can play the plugin. No I/O; any thread.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "edge/ike/provider.hpp"
#include "vici/sa_feed.h"

namespace sluice::edge::feed {

/// Why a packet is no frame. kCount is the number of reasons.
enum class Fault : std::uint8_t {
  kTooShort,  ///< no header
  kVersion,   ///< another version of the protocol
  kType,      ///< a type outside sf_type
  kLength,    ///< the body is not as long as its type says
  kAddress,   ///< an address family that is none
  kKeySize,   ///< keys longer than allowed or not there
  kText,      ///< text without an end
  kValue,     ///< a number outside its range
  kCount
};
const char* describe(Fault fault);

/// SF_HELLO, SF_WELCOME.
struct Hello {
  std::uint64_t boot = 0;
  std::uint32_t pid = 0;
};
/// SF_GET_SPI. Packets with it go from source (the peer) to destination (us).
struct GetSpi {
  Endpoint source, destination;
  std::uint32_t ike_uid = 0;
  std::uint8_t protocol = SF_PROTOCOL_ESP;
  std::string peer_id{};
};
/// SF_ADD_SA. spec.ike_sa holds charon's own number.
struct AddSa {
  SaSpec spec;
  std::uint8_t protocol = SF_PROTOCOL_ESP;
  std::uint8_t mode = 1;
};
/// SF_QUERY_SA, SF_DEL_SA and part of SF_UPDATE_SA.
struct SaRef {
  Endpoint source, destination;
  Spi spi;
  std::uint8_t protocol = SF_PROTOCOL_ESP;
  bool inbound = false;
};
struct UpdateSa {
  SaRef sa;
  Endpoint new_source, new_destination;
  bool udp_encapsulated = false, new_udp_encapsulated = false;
};
struct QuerySa {
  SaRef sa;
};
struct DelSa {
  SaRef sa;
};
/// SF_FLUSH.
struct Flush {};
struct Reply {
  std::uint64_t bytes = 0, packets = 0, last_use = 0;
  sf_status status = SF_OK;
  Spi spi;
  std::string note{};  ///< to AddSa
};
/// SF_IKE_IN, SF_IKE_OUT. The datagram is a view into the parsed packet.
struct IkeIn {
  Endpoint source, destination;
  bool marker = false;
  Bytes datagram;
};
struct IkeOut {
  Endpoint source, destination;
  bool marker = false;
  Bytes datagram;
};
struct Expire {
  Endpoint destination;
  Spi spi;
  std::uint8_t protocol = SF_PROTOCOL_ESP;
  bool hard = false;
};
struct Mapping {
  Spi spi;
  Endpoint destination, old_remote, new_remote;
};
struct Alert {
  Endpoint local{}, remote{};
  std::uint32_t ike_uid = 0;
  sf_cause cause = SF_CAUSE_PROTOCOL;
  std::uint16_t notify = 0;
  std::uint8_t ike_version = 0;
  bool established = false;
  std::string peer_id{};
};
struct Adopted {
  std::uint32_t old_uid = 0, new_uid = 0;
};
struct Welcome : Hello {};
/// SF_RESERVE, SF_RESERVED.
struct Reserve {
  Endpoint destination;
  Spi spi;
  std::uint64_t last = 0;
};
struct Reserved {
  Endpoint destination;
  Spi spi;
  std::uint64_t last = 0;
  bool known = false;
};
/// SF_SEEN. At most SF_MAX_SEEN.
struct Seen {
  std::vector<SaSeen> sas;
};
struct Restored {
  std::uint32_t count = 0, failed = 0;
};

using Body = std::variant<Hello, Welcome, GetSpi, AddSa, UpdateSa, QuerySa, DelSa, Flush, Reply, IkeIn,
                          IkeOut, Expire, Mapping, Alert, Adopted, Reserve, Reserved, Seen, Restored>;

struct Frame {
  std::uint32_t id = 0;  ///< of a request and its reply; 0 elsewhere
  Body body;
};

/// Views in the result live as long as `packet`.
Result<Frame, Fault> parse(Bytes packet);
/// The packet; it wipes itself, for it may hold keys. Strings too long for their field are cut, keys and
/// datagrams must fit (asserted).
Secret serialize(const Frame& frame);

/// Whether the sender wants a reply.
bool is_request(const Body& body);

}  // namespace sluice::edge::feed
