#include "edge/ike/feed_codec.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <optional>

namespace sluice::edge::feed {
namespace {

// The structures are what the plugin's compiler sees; any change here is a change of SF_VERSION.
static_assert(sizeof(sf_header) == 8 && sizeof(sf_address) == 20 && sizeof(sf_hello) == 16);
static_assert(sizeof(sf_get_spi) == 304 && sizeof(sf_sa) == 464 && sizeof(sf_sa_ref) == 48);
static_assert(sizeof(sf_update_sa) == 96 && sizeof(sf_reply) == 96 && sizeof(sf_ike) == 44);
static_assert(sizeof(sf_expire) == 28 && sizeof(sf_mapping) == 68 && sizeof(sf_alert) == 308);
static_assert(sizeof(sf_adopted) == 8 && sizeof(sf_reserve) == 40 && sizeof(sf_seen) == 16);
static_assert(sizeof(sf_restored) == 8 && kSequenceChunk == SF_RESERVE_CHUNK);

/// Reads structures off a packet; the first fault stays.
class FrameReader {
 public:
  explicit FrameReader(Bytes bytes) : reader_(bytes) {}

  template <class T>
  T take() {
    T out{};
    const Bytes raw = reader_.bytes(sizeof(T));
    if (reader_.ok()) {
      std::memcpy(&out, raw.data(), sizeof(T));
    } else {
      fail(Fault::kLength);
    }
    return out;
  }
  Bytes bytes(std::size_t count) {
    const Bytes out = reader_.bytes(count);
    if (!reader_.ok()) fail(Fault::kLength);
    return out;
  }
  Bytes rest() { return reader_.rest(); }

  Endpoint endpoint(const sf_address& raw) {
    if (raw.family == 0) return Endpoint{{}, raw.port};
    if (raw.family != 4 && raw.family != 6) {
      fail(Fault::kAddress);
      return {};
    }
    const auto address = IpAddress::from_bytes(Bytes(raw.bytes, raw.family == 4 ? 4u : 16u));
    return Endpoint{address.value_or(IpAddress{}), raw.port};
  }
  /// An address that must be one.
  Endpoint known_endpoint(const sf_address& raw) {
    if (raw.family == 0) fail(Fault::kAddress);
    return endpoint(raw);
  }
  template <std::size_t kSize>
  std::string text(const char (&field)[kSize]) {
    const auto* end = static_cast<const char*>(std::memchr(field, 0, sizeof(field)));
    if (end == nullptr) {
      fail(Fault::kText);
      return {};
    }
    return std::string(field, end);
  }
  bool flag(std::uint8_t raw) {
    require(raw <= 1, Fault::kValue);
    return raw == 1;
  }
  void require(bool condition, Fault fault) {
    if (!condition) fail(fault);
  }
  void fail(Fault fault) {
    if (!fault_) fault_ = fault;
  }
  std::optional<Fault> fault() const { return fault_; }
  bool at_end() const { return reader_.at_end(); }

 private:
  ByteReader reader_;
  std::optional<Fault> fault_;
};

template <class T>
T read_hello(FrameReader& in) {
  const auto raw = in.take<sf_hello>();
  T out;
  out.boot = raw.boot;
  out.pid = raw.pid;
  return out;
}

GetSpi read_get_spi(FrameReader& in) {
  const auto raw = in.take<sf_get_spi>();
  return {.source = in.endpoint(raw.src),
          .destination = in.known_endpoint(raw.dst),
          .ike_uid = raw.ike_uid,
          .protocol = raw.protocol,
          .peer_id = in.text(raw.peer_id)};
}

SaLifetime to_lifetime(const sf_lifetime& raw) {
  return {.soft_bytes = raw.soft_bytes,
          .hard_bytes = raw.hard_bytes,
          .soft_packets = raw.soft_packets,
          .hard_packets = raw.hard_packets,
          .soft_seconds = raw.soft_seconds,
          .hard_seconds = raw.hard_seconds};
}

AddSa read_add_sa(FrameReader& in) {
  const auto raw = in.take<sf_sa>();
  AddSa out;
  out.protocol = raw.protocol;
  out.mode = raw.mode;
  in.require(raw.mode >= 1 && raw.mode <= 3, Fault::kValue);
  in.require(raw.spi != 0, Fault::kValue);
  SaSpec& spec = out.spec;
  spec.spi = Spi(raw.spi);
  spec.ike_sa = IkeSaId(raw.ike_uid);
  spec.peer_identity = in.text(raw.peer_id);
  spec.source = in.known_endpoint(raw.src);
  spec.destination = in.known_endpoint(raw.dst);
  spec.inbound = in.flag(raw.inbound);
  spec.udp_encapsulated = in.flag(raw.encap);
  spec.extended_sequence = in.flag(raw.esn);
  spec.transport_mode = raw.mode == 1;
  spec.rekeyed = in.flag(raw.rekeyed);
  spec.replay_window = raw.replay_window;
  spec.encryption = raw.encr_alg;
  spec.integrity = raw.integ_alg;
  spec.ike_version = raw.ike_version;
  spec.reqid = raw.reqid;
  spec.lifetime = to_lifetime(raw.lifetime);
  spec.local_port = raw.ts_local_port;
  spec.remote_port = raw.ts_remote_port;
  spec.protocol = raw.ts_protocol;
  spec.last_sequence = raw.last_sequence;
  spec.reserved = raw.reserved;
  spec.restored = in.flag(raw.restored);
  spec.note = in.text(raw.note);
  in.require(raw.encr_key_size <= SF_MAX_KEY && raw.integ_key_size <= SF_MAX_KEY, Fault::kKeySize);
  if (!in.fault()) {
    spec.encryption_key = Secret(in.bytes(raw.encr_key_size));
    spec.integrity_key = Secret(in.bytes(raw.integ_key_size));
  }
  return out;
}

SaRef to_ref(FrameReader& in, const sf_sa_ref& raw) {
  return {.source = in.endpoint(raw.src),
          .destination = in.known_endpoint(raw.dst),
          .spi = Spi(raw.spi),
          .protocol = raw.protocol,
          .inbound = in.flag(raw.inbound)};
}

UpdateSa read_update(FrameReader& in) {
  const auto raw = in.take<sf_update_sa>();
  return {.sa = to_ref(in, raw.sa),
          .new_source = in.known_endpoint(raw.new_src),
          .new_destination = in.known_endpoint(raw.new_dst),
          .udp_encapsulated = in.flag(raw.encap),
          .new_udp_encapsulated = in.flag(raw.new_encap)};
}

Reply read_reply(FrameReader& in) {
  const auto raw = in.take<sf_reply>();
  in.require(raw.status <= SF_NOT_SUPPORTED, Fault::kValue);
  return {.bytes = raw.bytes,
          .packets = raw.packets,
          .last_use = raw.last_use,
          .status = raw.status <= SF_NOT_SUPPORTED ? static_cast<sf_status>(raw.status) : SF_FAILED,
          .spi = Spi(raw.spi),
          .note = in.text(raw.note)};
}

template <class T>
T read_ike(FrameReader& in) {
  const auto raw = in.take<sf_ike>();
  T out;
  out.source = in.known_endpoint(raw.src);
  out.destination = in.known_endpoint(raw.dst);
  out.marker = in.flag(raw.natt);
  out.datagram = in.rest();
  in.require(!out.datagram.empty() && out.datagram.size() <= 65535, Fault::kLength);
  return out;
}

Expire read_expire(FrameReader& in) {
  const auto raw = in.take<sf_expire>();
  return {.destination = in.known_endpoint(raw.dst),
          .spi = Spi(raw.spi),
          .protocol = raw.protocol,
          .hard = in.flag(raw.hard)};
}

Mapping read_mapping(FrameReader& in) {
  const auto raw = in.take<sf_mapping>();
  return {.spi = Spi(raw.spi),
          .destination = in.known_endpoint(raw.dst),
          .old_remote = in.endpoint(raw.old_remote),
          .new_remote = in.known_endpoint(raw.new_remote)};
}

Alert read_alert(FrameReader& in) {
  const auto raw = in.take<sf_alert>();
  const bool known = raw.cause >= SF_CAUSE_PEER_AUTH && raw.cause <= SF_CAUSE_PROTOCOL;
  in.require(known, Fault::kValue);
  return {.local = in.endpoint(raw.local),
          .remote = in.endpoint(raw.remote),
          .ike_uid = raw.ike_uid,
          .cause = known ? static_cast<sf_cause>(raw.cause) : SF_CAUSE_PROTOCOL,
          .notify = raw.notify,
          .ike_version = raw.ike_version,
          .established = in.flag(raw.established),
          .peer_id = in.text(raw.peer_id)};
}

Adopted read_adopted(FrameReader& in) {
  const auto raw = in.take<sf_adopted>();
  return {.old_uid = raw.old_uid, .new_uid = raw.new_uid};
}

template <class T>
T read_reserve(FrameReader& in) {
  const auto raw = in.take<sf_reserve>();
  T out{.destination = in.known_endpoint(raw.dst), .spi = Spi(raw.spi), .last = raw.last};
  const bool known = in.flag(raw.known);
  if constexpr (std::is_same_v<T, Reserved>) out.known = known;
  return out;
}

Seen read_seen(FrameReader& in) {
  Seen out;
  do {
    const auto raw = in.take<sf_seen>();
    in.require(raw.spi != 0, Fault::kValue);
    out.sas.push_back({Spi(raw.spi), raw.sequence});
  } while (!in.at_end() && !in.fault() && out.sas.size() < SF_MAX_SEEN);
  return out;
}

Restored read_restored(FrameReader& in) {
  const auto raw = in.take<sf_restored>();
  return {.count = raw.count, .failed = raw.failed};
}

std::optional<Body> read_body(std::uint16_t type, FrameReader& in) {
  switch (type) {
    case SF_HELLO:
      return read_hello<Hello>(in);
    case SF_WELCOME:
      return read_hello<Welcome>(in);
    case SF_GET_SPI:
      return read_get_spi(in);
    case SF_ADD_SA:
      return read_add_sa(in);
    case SF_UPDATE_SA:
      return read_update(in);
    case SF_QUERY_SA:
      return QuerySa{to_ref(in, in.take<sf_sa_ref>())};
    case SF_DEL_SA:
      return DelSa{to_ref(in, in.take<sf_sa_ref>())};
    case SF_FLUSH:
      return Flush{};
    case SF_REPLY:
      return read_reply(in);
    case SF_IKE_IN:
      return read_ike<IkeIn>(in);
    case SF_IKE_OUT:
      return read_ike<IkeOut>(in);
    case SF_EXPIRE:
      return read_expire(in);
    case SF_MAPPING:
      return read_mapping(in);
    case SF_ALERT:
      return read_alert(in);
    case SF_ADOPTED:
      return read_adopted(in);
    case SF_RESERVE:
      return read_reserve<Reserve>(in);
    case SF_RESERVED:
      return read_reserve<Reserved>(in);
    case SF_SEEN:
      return read_seen(in);
    case SF_RESTORED:
      return read_restored(in);
    default:
      return std::nullopt;
  }
}

}  // namespace

const char* describe(Fault fault) {
  switch (fault) {
    case Fault::kTooShort:
      return "no header";
    case Fault::kVersion:
      return "another version of the protocol";
    case Fault::kType:
      return "an unknown type";
    case Fault::kLength:
      return "a wrong length";
    case Fault::kAddress:
      return "an impossible address";
    case Fault::kKeySize:
      return "an impossible key size";
    case Fault::kText:
      return "text without an end";
    case Fault::kValue:
      return "a number out of range";
    case Fault::kCount:
      break;
  }
  return "?";
}

Result<Frame, Fault> parse(Bytes packet) {
  if (packet.size() < sizeof(sf_header)) return Failure{Fault::kTooShort};
  FrameReader in(packet);
  const auto header = in.take<sf_header>();
  if (header.version != SF_VERSION) return Failure{Fault::kVersion};
  auto body = read_body(header.type, in);
  if (!body) return Failure{Fault::kType};
  if (!in.at_end()) in.fail(Fault::kLength);
  if (in.fault()) return Failure{*in.fault()};
  return Frame{header.id, std::move(*body)};
}

bool is_request(const Body& body) {
  return std::holds_alternative<GetSpi>(body) || std::holds_alternative<AddSa>(body) ||
         std::holds_alternative<UpdateSa>(body) || std::holds_alternative<QuerySa>(body) ||
         std::holds_alternative<DelSa>(body) || std::holds_alternative<Flush>(body);
}

}  // namespace sluice::edge::feed
