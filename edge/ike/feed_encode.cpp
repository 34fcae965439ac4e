#include <algorithm>
#include <cassert>
#include <cstring>

#include "edge/ike/feed_codec.hpp"

namespace sluice::edge::feed {
namespace {

sf_address to_wire(const Endpoint& endpoint) {
  sf_address out{};
  out.family = endpoint.address.is_v4() ? 4 : 6;
  out.port = endpoint.port;
  const Bytes raw = endpoint.address.bytes();
  std::copy(raw.begin(), raw.end(), out.bytes);
  return out;
}

template <std::size_t kSize>
void put_text(char (&field)[kSize], const std::string& text) {
  const std::size_t size =
      std::min(text.find('\0') == std::string::npos ? text.size() : text.find('\0'), kSize - 1);
  std::memcpy(field, text.data(), size);
}

sf_sa_ref to_wire(const SaRef& ref) {
  sf_sa_ref out{};
  out.src = to_wire(ref.source);
  out.dst = to_wire(ref.destination);
  out.spi = ref.spi.value();
  out.protocol = ref.protocol;
  out.inbound = ref.inbound;
  return out;
}

/// A packet made of a header, a structure and up to two tails.
template <class T>
Secret packet(sf_type type, std::uint32_t id, const T& body, Bytes tail = {}, Bytes second_tail = {}) {
  sf_header header{};
  header.version = SF_VERSION;
  header.type = static_cast<std::uint16_t>(type);
  header.id = id;
  Secret out(sizeof(header) + sizeof(T) + tail.size() + second_tail.size());
  auto* at = out.mutable_bytes().data();
  std::memcpy(at, &header, sizeof(header));
  at += sizeof(header);
  std::memcpy(at, &body, sizeof(T));
  at += sizeof(T);
  at = std::copy(tail.begin(), tail.end(), at);
  std::copy(second_tail.begin(), second_tail.end(), at);
  return out;
}

struct Serializer {
  std::uint32_t id;

  Secret hello(sf_type type, const Hello& in) const {
    sf_hello out{};
    out.boot = in.boot;
    out.pid = in.pid;
    return packet(type, id, out);
  }
  Secret operator()(const Hello& in) const { return hello(SF_HELLO, in); }
  Secret operator()(const Welcome& in) const { return hello(SF_WELCOME, in); }
  Secret operator()(const GetSpi& in) const {
    sf_get_spi out{};
    out.src = to_wire(in.source);
    out.dst = to_wire(in.destination);
    out.ike_uid = in.ike_uid;
    out.protocol = in.protocol;
    put_text(out.peer_id, in.peer_id);
    return packet(SF_GET_SPI, id, out);
  }
  Secret operator()(const AddSa& in) const {
    const SaSpec& spec = in.spec;
    assert(spec.encryption_key.size() <= SF_MAX_KEY && spec.integrity_key.size() <= SF_MAX_KEY);
    sf_sa out{};
    const SaLifetime& life = spec.lifetime;
    out.lifetime = {life.soft_bytes,   life.hard_bytes,   life.soft_packets,
                    life.hard_packets, life.soft_seconds, life.hard_seconds};
    out.src = to_wire(spec.source);
    out.dst = to_wire(spec.destination);
    out.spi = spec.spi.value();
    out.ike_uid = spec.ike_sa.value();
    out.reqid = spec.reqid;
    out.replay_window = spec.replay_window;
    out.encr_alg = spec.encryption;
    out.integ_alg = spec.integrity;
    out.encr_key_size = static_cast<std::uint16_t>(spec.encryption_key.size());
    out.integ_key_size = static_cast<std::uint16_t>(spec.integrity_key.size());
    out.protocol = in.protocol;
    out.mode = in.mode;
    out.inbound = spec.inbound;
    out.encap = spec.udp_encapsulated;
    out.esn = spec.extended_sequence;
    out.ike_version = spec.ike_version;
    out.rekeyed = spec.rekeyed;
    out.ts_local_port = spec.local_port;
    out.ts_remote_port = spec.remote_port;
    out.ts_protocol = spec.protocol;
    out.last_sequence = spec.last_sequence;
    out.reserved = spec.reserved;
    out.restored = spec.restored;
    put_text(out.note, spec.note);
    put_text(out.peer_id, spec.peer_identity);
    return packet(SF_ADD_SA, id, out, spec.encryption_key.bytes(), spec.integrity_key.bytes());
  }
  Secret operator()(const UpdateSa& in) const {
    sf_update_sa out{};
    out.sa = to_wire(in.sa);
    out.new_src = to_wire(in.new_source);
    out.new_dst = to_wire(in.new_destination);
    out.encap = in.udp_encapsulated;
    out.new_encap = in.new_udp_encapsulated;
    return packet(SF_UPDATE_SA, id, out);
  }
  Secret operator()(const QuerySa& in) const { return packet(SF_QUERY_SA, id, to_wire(in.sa)); }
  Secret operator()(const DelSa& in) const { return packet(SF_DEL_SA, id, to_wire(in.sa)); }
  Secret operator()(const Flush&) const {
    sf_header header{};
    header.version = SF_VERSION;
    header.type = SF_FLUSH;
    header.id = id;
    Secret out(sizeof(header));
    std::memcpy(out.mutable_bytes().data(), &header, sizeof(header));
    return out;
  }
  Secret operator()(const Reply& in) const {
    sf_reply out{};
    out.bytes = in.bytes;
    out.packets = in.packets;
    out.last_use = in.last_use;
    out.status = in.status;
    out.spi = in.spi.value();
    put_text(out.note, in.note);
    return packet(SF_REPLY, id, out);
  }
  template <class T>
  Secret ike(sf_type type, const T& in) const {
    assert(in.datagram.size() <= 65535);
    sf_ike out{};
    out.src = to_wire(in.source);
    out.dst = to_wire(in.destination);
    out.natt = in.marker;
    return packet(type, id, out, in.datagram);
  }
  Secret operator()(const IkeIn& in) const { return ike(SF_IKE_IN, in); }
  Secret operator()(const IkeOut& in) const { return ike(SF_IKE_OUT, in); }
  Secret operator()(const Expire& in) const {
    sf_expire out{};
    out.dst = to_wire(in.destination);
    out.spi = in.spi.value();
    out.protocol = in.protocol;
    out.hard = in.hard;
    return packet(SF_EXPIRE, id, out);
  }
  Secret operator()(const Mapping& in) const {
    sf_mapping out{};
    out.spi = in.spi.value();
    out.dst = to_wire(in.destination);
    out.old_remote = to_wire(in.old_remote);
    out.new_remote = to_wire(in.new_remote);
    return packet(SF_MAPPING, id, out);
  }
  Secret operator()(const Alert& in) const {
    sf_alert out{};
    out.local = to_wire(in.local);
    out.remote = to_wire(in.remote);
    out.ike_uid = in.ike_uid;
    out.cause = static_cast<std::uint16_t>(in.cause);
    out.notify = in.notify;
    out.ike_version = in.ike_version;
    out.established = in.established;
    put_text(out.peer_id, in.peer_id);
    return packet(SF_ALERT, id, out);
  }
  Secret operator()(const Adopted& in) const {
    sf_adopted out{};
    out.old_uid = in.old_uid;
    out.new_uid = in.new_uid;
    return packet(SF_ADOPTED, id, out);
  }
  template <class T>
  static sf_reserve reserve(const T& in) {
    sf_reserve out{};
    out.dst = to_wire(in.destination);
    out.spi = in.spi.value();
    out.last = in.last;
    return out;
  }
  Secret operator()(const Reserve& in) const { return packet(SF_RESERVE, id, reserve(in)); }
  Secret operator()(const Reserved& in) const {
    sf_reserve out = reserve(in);
    out.known = in.known;
    return packet(SF_RESERVED, id, out);
  }
  Secret operator()(const Seen& in) const {
    assert(!in.sas.empty() && in.sas.size() <= SF_MAX_SEEN);
    std::vector<sf_seen> rows;
    for (const auto& sa : in.sas) rows.push_back({sa.inbound.value(), 0, sa.sequence});
    const auto* rest = reinterpret_cast<const std::uint8_t*>(rows.data() + 1);
    return packet(SF_SEEN, id, rows.front(), Bytes(rest, (rows.size() - 1) * sizeof(sf_seen)));
  }
  Secret operator()(const Restored& in) const {
    sf_restored out{};
    out.count = in.count;
    out.failed = in.failed;
    return packet(SF_RESTORED, id, out);
  }
};

}  // namespace

Secret serialize(const Frame& frame) {
  return std::visit(Serializer{frame.id}, frame.body);
}

}  // namespace sluice::edge::feed
