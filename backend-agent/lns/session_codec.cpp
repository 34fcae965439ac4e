// Writes a tunnel's value as a protobuf message and reads it back. Each struct's fields are listed once, for
// both directions.

#include <session.pb.h>

#include <utility>

#include "backend-agent/lns/session_value.hpp"

namespace sluice::agent {
namespace {

namespace pb = sluice::session::v1;

constexpr std::uint32_t kFormat = 1;
/// No time in a value is farther off: sums of such times cannot overflow.
constexpr Duration kFarthest = std::chrono::hours(24 * 366 * 10);

// ---- one item on the wire

template <class T>
concept Number = std::integral<T>;
template <class T>
concept Enumeration = std::is_enum_v<T>;

template <Number T>
T to_wire(T value) {
  return value;
}
template <Enumeration T>
std::uint32_t to_wire(T value) {
  return static_cast<std::uint32_t>(value);
}
template <class Tag, class Rep>
Rep to_wire(StrongId<Tag, Rep> id) {
  return id.value();
}
std::int64_t to_wire(Duration value) {
  return value.count();
}
std::int64_t to_wire(std::chrono::seconds value) {
  return value.count();
}
const std::string& to_wire(const std::string& text) {
  return text;
}
std::string to_wire(const ByteVector& bytes) {
  return std::string(as_text(bytes));
}
std::string to_wire(const IpAddress& address) {
  return std::string(as_text(address.bytes()));
}
std::string to_wire(const Prefix& prefix) {
  return to_wire(prefix.network) + static_cast<char>(prefix.length);
}

template <Number W, Number T>
bool from_wire(W wire, T& out) {
  if constexpr (!std::same_as<W, bool>) {
    if (!std::in_range<T>(wire)) return false;
  }
  out = static_cast<T>(wire);
  return true;
}
/// How many values an enumeration has that travels.
constexpr std::uint32_t count_of(ppp::AuthMethod) {
  return static_cast<std::uint32_t>(ppp::AuthMethod::kEap) + 1;
}
constexpr std::uint32_t count_of(l2tp::Role) {
  return static_cast<std::uint32_t>(l2tp::Role::kLac) + 1;
}
constexpr std::uint32_t count_of(l2tp::TunnelState) {
  return static_cast<std::uint32_t>(l2tp::TunnelState::kCount);
}
template <Enumeration T>
bool from_wire(std::uint32_t wire, T& out) {
  if (wire >= count_of(T{})) return false;
  out = static_cast<T>(wire);
  return true;
}
template <class Tag, class Rep>
bool from_wire(std::uint32_t wire, StrongId<Tag, Rep>& out) {
  if (!std::in_range<Rep>(wire)) return false;
  out = StrongId<Tag, Rep>(static_cast<Rep>(wire));
  return true;
}
bool from_wire(std::int64_t wire, Duration& out) {
  out = Duration(wire);
  return out >= -kFarthest && out <= kFarthest;
}
bool from_wire(std::int64_t wire, std::chrono::seconds& out) {
  out = std::chrono::seconds(wire);
  return wire >= 0 && out <= std::chrono::duration_cast<std::chrono::seconds>(kFarthest);
}
bool from_wire(const std::string& wire, std::string& out) {
  out = wire;
  return true;
}
bool from_wire(const std::string& wire, ByteVector& out) {
  const Bytes bytes = as_bytes(wire);
  out.assign(bytes.begin(), bytes.end());
  return true;
}
bool from_wire(const std::string& wire, IpAddress& out) {
  const auto address = IpAddress::from_bytes(as_bytes(wire));
  if (address) out = *address;
  return address.has_value();
}
bool from_wire(const std::string& wire, Prefix& out) {
  if (wire.empty()) return false;
  const Bytes bytes = as_bytes(wire);
  out.length = bytes.back();
  return from_wire(wire.substr(0, wire.size() - 1), out.network) && out.length <= 8 * (bytes.size() - 1);
}

// ---- the two directions

struct Writer {
  template <class T>
  using Message = T;
  template <class T>
  using Value = const T;
};
struct Reader {
  template <class T>
  using Message = const T;
  template <class T>
  using Value = T;
  bool ok = true;
};
template <class Io>
constexpr bool kWrites = std::same_as<Io, Writer>;

#define FIELD(f)                              \
  do {                                        \
    if constexpr (kWrites<Io>)                \
      m.set_##f(to_wire(s.f));                \
    else                                      \
      io.ok = io.ok && from_wire(m.f(), s.f); \
  } while (false)
#define OPTIONAL(f)                                                      \
  do {                                                                   \
    if constexpr (kWrites<Io>) {                                         \
      if (s.f) m.set_##f(to_wire(*s.f));                                 \
    } else {                                                             \
      if (m.has_##f()) io.ok = io.ok && from_wire(m.f(), s.f.emplace()); \
    }                                                                    \
  } while (false)
#define PART(f)                        \
  do {                                 \
    if constexpr (kWrites<Io>)         \
      walk(io, *m.mutable_##f(), s.f); \
    else                               \
      walk(io, m.f(), s.f);            \
  } while (false)
#define OPTIONAL_PART(f)                               \
  do {                                                 \
    if constexpr (kWrites<Io>) {                       \
      if (s.f) walk(io, *m.mutable_##f(), *s.f);       \
    } else {                                           \
      if (m.has_##f()) walk(io, m.f(), s.f.emplace()); \
    }                                                  \
  } while (false)
#define LIST(f)                                                                            \
  do {                                                                                     \
    if constexpr (kWrites<Io>) {                                                           \
      for (const auto& item : s.f) m.add_##f(to_wire(item));                               \
    } else {                                                                               \
      for (const auto& item : m.f()) io.ok = io.ok && from_wire(item, s.f.emplace_back()); \
    }                                                                                      \
  } while (false)
#define PARTS(f)                                                         \
  do {                                                                   \
    if constexpr (kWrites<Io>) {                                         \
      for (const auto& item : s.f) walk(io, *m.add_##f(), item);         \
    } else {                                                             \
      for (const auto& item : m.f()) walk(io, item, s.f.emplace_back()); \
    }                                                                    \
  } while (false)
#define WALK(MessageType, ValueType)                               \
  template <class Io>                                              \
  void walk(Io& io, typename Io::template Message<MessageType>& m, \
            typename Io::template Value<ValueType>& s)

WALK(pb::ControlMessage, l2tp::ControlSnapshot::Message) {
  FIELD(packet);
  FIELD(urgent);
  FIELD(probe);
  FIELD(sent);
  FIELD(due);
  OPTIONAL(resend);
}
WALK(pb::Control, l2tp::ControlSnapshot) {
  PARTS(queue);
  LIST(held);
  FIELD(in_flight);
  FIELD(next_ns);
  FIELD(expected);
  FIELD(peer_window);
  FIELD(cwnd);
  FIELD(ssthresh);
  FIELD(growth);
  FIELD(failed);
  FIELD(ack_owed);
  FIELD(retransmissions);
  OPTIONAL(heard_ago);
}
WALK(pb::Peer, l2tp::TunnelUp) {
  FIELD(local);
  FIELD(remote);
  FIELD(peer_host);
  FIELD(peer_vendor);
  FIELD(peer_firmware);
  FIELD(peer_window);
}
WALK(pb::Call, l2tp::CallInfo) {
  FIELD(serial_number);
  FIELD(bearer_type);
  FIELD(framing_type);
  FIELD(physical_channel);
  FIELD(tx_speed);
  FIELD(rx_speed);
  FIELD(calling_number);
  FIELD(called_number);
  FIELD(sub_address);
  FIELD(private_group);
  FIELD(sequencing_required);
  FIELD(initial_lcp);
  FIELD(last_sent_lcp);
  FIELD(last_received_lcp);
  FIELD(proxy_auth_type);
  FIELD(proxy_auth_id);
  FIELD(proxy_auth_name);
  FIELD(proxy_auth_challenge);
}
WALK(pb::L2tpSession, l2tp::TunnelSnapshot::Session) {
  FIELD(local);
  FIELD(remote);
  FIELD(state);
  FIELD(opened_ago);
  PART(call);
  FIELD(sequencing);
  FIELD(data_ns);
}
WALK(pb::Resting, l2tp::TunnelSnapshot::Resting) {
  FIELD(local);
  OPTIONAL(until);
}
WALK(pb::L2tp, l2tp::TunnelSnapshot) {
  FIELD(role);
  FIELD(state);
  PART(peer);
  FIELD(peer_framing);
  FIELD(challenge);
  FIELD(announced);
  FIELD(stop_sent);
  OPTIONAL(opened_ago);
  OPTIONAL(linger);
  PARTS(sessions);
  PARTS(resting);
  FIELD(call_serial);
  PART(control);
}
WALK(pb::Ipv6Addresses, ppp::Ipv6Addresses) {
  FIELD(local_id);
  FIELD(remote_id);
  OPTIONAL(prefix);
  OPTIONAL(delegated);
  LIST(dns);
}
WALK(pb::Addresses, ppp::Addresses) {
  FIELD(local);
  FIELD(remote);
  LIST(dns);
  LIST(nbns);
  OPTIONAL_PART(v6);
  LIST(split_routes);
  FIELD(domain);
}
WALK(pb::Cp, ppp::CpSnapshot) {
  FIELD(state);
  FIELD(last_id);
  FIELD(request_id);
  FIELD(answered);
  FIELD(gave_up);
  FIELD(restarts_left);
  FIELD(naks_sent);
  FIELD(interval);
  OPTIONAL(timer);
  FIELD(request);
  FIELD(terminate_text);
  OPTIONAL(terminated_by_peer);
}
WALK(pb::Lcp, ppp::LcpSnapshot) {
  PART(cp);
  FIELD(peer_mru);
  FIELD(peer_auth);
  FIELD(peer_pfc);
  FIELD(peer_acfc);
  FIELD(magic);
  FIELD(mru);
  FIELD(auth_index);
  FIELD(auth_tried);
  FIELD(ask_mru);
  FIELD(ask_magic);
  FIELD(ask_pfc);
  FIELD(ask_acfc);
  FIELD(auth_refused);
  FIELD(echo_dead);
  FIELD(loop_count);
  FIELD(echoes_unanswered);
  FIELD(heard_ago);
  OPTIONAL(echo);
}
WALK(pb::Auth, ppp::AuthSnapshot) {
  FIELD(state);
  FIELD(method);
  FIELD(id);
  FIELD(tries_left);
  FIELD(retries_left);
  FIELD(again);
  FIELD(attempts);
  OPTIONAL(retry);
  OPTIONAL(deadline);
  OPTIONAL(rechallenge);
  FIELD(user);
  FIELD(cause);
  FIELD(detail);
  FIELD(verdict_text);
  FIELD(challenge);
  FIELD(response);
  FIELD(expected);
  FIELD(eap_stage);
  FIELD(eap_tried);
  FIELD(eap_packet);
}
WALK(pb::Ipcp, ppp::IpcpSnapshot) {
  PART(cp);
  PART(addresses);
  FIELD(ask_address);
  FIELD(ask_servers);
  if constexpr (kWrites<Io>) {
    for (const auto& server : s.asked_servers) m.add_asked_servers(to_wire(server));
  } else {
    io.ok = io.ok && static_cast<std::size_t>(m.asked_servers_size()) == s.asked_servers.size();
    for (int i = 0; io.ok && i < m.asked_servers_size(); ++i)
      io.ok = from_wire(m.asked_servers(i), s.asked_servers[static_cast<std::size_t>(i)]);
  }
  FIELD(address_naks);
}
WALK(pb::Ipv6cp, ppp::Ipv6cpSnapshot) {
  PART(cp);
  FIELD(local_id);
  FIELD(remote_id);
  FIELD(suggested_id);
  FIELD(ask_id);
  FIELD(collisions);
}
WALK(pb::Link, ppp::LinkSnapshot) {
  FIELD(advertisements_sent);
  OPTIONAL(next_advertisement);
  OPTIONAL(next_answer);
  FIELD(advertised_ago);
  FIELD(ever_advertised);
  FIELD(prefix_bound);
  FIELD(prefix_iaid);
}
WALK(pb::Ppp, ppp::SessionSnapshot) {
  FIELD(phase);
  FIELD(up);
  FIELD(ipv6_up);
  FIELD(address_asked);
  OPTIONAL(proven_user);
  OPTIONAL_PART(addresses);
  FIELD(early_ipcp);
  FIELD(early_ipv6cp);
  FIELD(down_cause);
  FIELD(down_text);
  PART(lcp);
  PART(auth);
  PART(ipcp);
  PART(ipv6cp);
  PART(link);
}
WALK(pb::Policy, SessionPolicy) {
  FIELD(rate_up);
  FIELD(rate_down);
  FIELD(session_timeout);
  FIELD(idle_timeout);
  LIST(routes);
  FIELD(filter);
}
WALK(pb::Accounting, AccountingFacts) {
  FIELD(user);
  FIELD(session_id);
  LIST(classes);
  FIELD(started);
  FIELD(interim);
  FIELD(by_radius);
}
WALK(pb::Session, SessionValue) {
  FIELD(id);
  PART(ppp);
  FIELD(was_up);
  FIELD(ending);
  PART(assigned);
  LIST(owned);
  PART(policy);
  OPTIONAL(began_ago);
  OPTIONAL(last_packet_ago);
  FIELD(packets_in);
  FIELD(packets_out);
  FIELD(bytes_in);
  FIELD(bytes_out);
  OPTIONAL_PART(accounting);
}
WALK(pb::Tunnel, TunnelValue) {
  FIELD(client);
  FIELD(client_port);
  FIELD(peer_identity);
  FIELD(correlation_id);
  FIELD(ppp_mtu);
  FIELD(probe);
  PART(l2tp);
  PARTS(sessions);
  OPTIONAL(empty_ago);
  FIELD(down);
  FIELD(by_client);
  FIELD(down_text);
}

#undef FIELD
#undef OPTIONAL
#undef PART
#undef OPTIONAL_PART
#undef LIST
#undef PARTS
#undef WALK

}  // namespace

ByteVector encode(const TunnelValue& value) {
  pb::Tunnel message;
  message.set_format(kFormat);
  Writer out;
  walk(out, message, value);
  const std::string text = message.SerializeAsString();
  const Bytes bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

std::optional<TunnelValue> decode_tunnel(Bytes message) {
  pb::Tunnel parsed;
  if (!std::in_range<int>(message.size())) return std::nullopt;
  if (!parsed.ParseFromArray(message.data(), static_cast<int>(message.size()))) return std::nullopt;
  if (parsed.format() != kFormat) return std::nullopt;
  Reader in;
  TunnelValue value;
  walk(in, parsed, value);
  if (!in.ok) return std::nullopt;
  return value;
}

}  // namespace sluice::agent
