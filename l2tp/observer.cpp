#include "l2tp/observer.hpp"

#include <algorithm>
#include <functional>

#include "l2tp/control_connection.hpp"

namespace sluice::l2tp {
namespace {

// A client may ask for any number of calls; those beyond are relayed but not followed.
constexpr std::size_t kMaxSessions = 1024;
constexpr std::uint16_t kDefaultWindow = 4;  // §4.4.3
// SCCRQ, SCCCN, ICRQ and ICCN: who has sent these does not resend the first.
constexpr std::uint16_t kNsAfterCall = 4;

std::size_t hash_of(Bytes bytes) {
  return std::hash<std::string_view>{}(as_text(bytes));
}

Side other(Side side) {
  return side == Side::kClient ? Side::kAgent : Side::kClient;
}

ByteVector stop_ccn(TunnelId to, TunnelId from, std::uint16_t ns, std::uint16_t nr, StopResult result,
                    ErrorCode error, std::string_view text) {
  MessageBuilder builder(MessageType::kStopCcn);
  builder.u16(AvpType::kAssignedTunnelId, from.value())
      .result(static_cast<std::uint16_t>(result), static_cast<std::uint16_t>(error), text);
  return builder.finish(to, SessionId{}, ns, nr);
}

}  // namespace

std::string_view to_string(ObservedState state) {
  switch (state) {
    case ObservedState::kOpening:
      return "opening";
    case ObservedState::kEstablished:
      return "established";
    case ObservedState::kClosed:
      return "closed";
  }
  return "unknown";
}

std::optional<SccrqInfo> read_sccrq(Bytes packet) {
  const auto header = parse_header(packet);
  if (!header || !header->control || header->zlb() || header->tunnel || header->session) return std::nullopt;
  const auto message = parse_message(header->payload);
  if (!message || !message->is(MessageType::kSccrq) || !message->assigned_tunnel()) return std::nullopt;
  return SccrqInfo{
      .assigned_tunnel = message->assigned_tunnel(),
      .host_name = std::string(message->text(AvpType::kHostName)),
      .vendor_name = std::string(message->text(AvpType::kVendorName)),
      .receive_window = message->u16(AvpType::kReceiveWindowSize).value_or(kDefaultWindow),
      .protocol_version = message->u16(AvpType::kProtocolVersion).value_or(0),
      .has_challenge = message->has(AvpType::kChallenge),
      .ns = header->ns,
      .size = packet.size(),
  };
}

ByteVector refuse_sccrq(const SccrqInfo& sccrq, std::string_view text, TunnelId local, StopResult result,
                        ErrorCode error) {
  const auto nr = static_cast<std::uint16_t>(sccrq.ns + 1);
  const auto plain = stop_ccn(sccrq.assigned_tunnel, local, 0, nr, result, error, {}).size() +
                     (error == ErrorCode::kNone ? 2 : 0);
  text = text.substr(0, sccrq.size > plain ? sccrq.size - plain : 0);
  return stop_ccn(sccrq.assigned_tunnel, local, 0, nr, result, error, text);
}

Observer::Observer(Known known) {
  client_.tunnel = known.client;
  agent_.tunnel = known.agent;
  // What the agent expects is what the client will use next, and what the client has acknowledged is at most
  // what the agent has sent.
  client_.next_ns = agent_.nr = known.agent_nr;
  agent_.next_ns = client_.nr = known.agent_ns;
  client_.spoke = agent_.spoke = true;
  client_.seen = agent_.seen = ~std::uint64_t{0};
  if (known.established) {
    state_ = ObservedState::kEstablished;
    sccrq_hash_ = 0;  // whatever SCCRQ comes now is no resend
  }
  sessions_ = std::move(known.sessions);
}

Observation Observer::from_client(Bytes packet) {
  return observe(Side::kClient, packet);
}
Observation Observer::from_agent(Bytes packet) {
  return observe(Side::kAgent, packet);
}

bool Observer::SideState::take(const Header& header) {
  if (!spoke || sequence_ahead(header.nr, nr) > 0) nr = header.nr;
  const bool first = !spoke;
  spoke = true;
  if (header.zlb()) {
    if (first) next_ns = header.ns;
    return false;
  }
  // Bit n stands for Ns next_ns - 1 - n.
  const std::int16_t ahead = first ? std::int16_t{0} : sequence_ahead(header.ns, next_ns);
  if (ahead >= 0) {
    const unsigned shift = static_cast<unsigned>(ahead) + 1;
    seen = shift < kRemembered ? (seen << shift) | 1 : 1;
    next_ns = static_cast<std::uint16_t>(header.ns + 1);
    return true;
  }
  const unsigned back = static_cast<unsigned>(-ahead) - 1;
  if (back >= kRemembered || ((seen >> back) & 1) != 0) {
    ++resent;
    return false;
  }
  seen |= std::uint64_t{1} << back;
  return true;
}

Observation Observer::observe(Side from, Bytes packet) {
  const auto header = parse_header(packet);
  if (!header || !header->control) return Observation::kUnreadable;
  // What is sent to a side names that side's tunnel; hidden ids are learned this way.
  SideState& to = of(other(from));
  if (header->tunnel && !to.tunnel) to.tunnel = header->tunnel;
  if (!of(from).take(*header)) return Observation::kNothing;
  const auto message = parse_message(header->payload);
  if (!message) return Observation::kUnreadable;
  return interpret(from, *header, *message);
}

Observation Observer::interpret(Side from, const Header& header, const Message& message) {
  if (state_ == ObservedState::kClosed) return Observation::kNothing;
  switch (message.type()) {
    case MessageType::kSccrq:
      client_host_ = message.text(AvpType::kHostName);
      sccrq_hash_ = hash_of(header.payload);
      [[fallthrough]];
    case MessageType::kSccrp:
      if (const TunnelId id = message.assigned_tunnel()) of(from).tunnel = id;
      of(from).window = message.u16(AvpType::kReceiveWindowSize).value_or(kDefaultWindow);
      return Observation::kNothing;
    case MessageType::kScccn:
      if (state_ == ObservedState::kEstablished) return Observation::kNothing;
      state_ = ObservedState::kEstablished;
      return Observation::kTunnelUp;
    case MessageType::kStopCcn:
      if (const TunnelId id = message.assigned_tunnel(); id && !of(from).tunnel) of(from).tunnel = id;
      closed_ = Close{from, message.close_cause()};
      state_ = ObservedState::kClosed;
      sessions_.clear();
      return Observation::kTunnelClosed;
    case MessageType::kIcrq:
      return on_icrq(from, message);
    case MessageType::kIcrp:
      if (ObservedSession* session = find(other(from), header.session)) {
        (from == Side::kClient ? session->client : session->agent) = message.assigned_session();
      }
      return Observation::kNothing;
    case MessageType::kIccn: {
      ObservedSession* session = find(other(from), header.session);
      if (!session || session->state == ObservedState::kEstablished) return Observation::kNothing;
      session->state = ObservedState::kEstablished;
      session->tx_speed = message.u32(AvpType::kTxConnectSpeed).value_or(0);
      return Observation::kSessionUp;
    }
    case MessageType::kCdn:
      return on_cdn(from, header, message);
    default:
      return Observation::kNothing;  // nothing else changes what is tracked
  }
}

Observation Observer::on_icrq(Side from, const Message& message) {
  const SessionId id = message.assigned_session();
  if (!id || sessions_.size() >= kMaxSessions || find(from, id)) return Observation::kNothing;
  ObservedSession session;
  (from == Side::kClient ? session.client : session.agent) = id;
  session.calling_number = message.text(AvpType::kCallingNumber);
  sessions_.push_back(std::move(session));
  return Observation::kNothing;
}

Observation Observer::on_cdn(Side from, const Header& header, const Message& message) {
  // The header names the receiver's session; 0 while the sender does not know it.
  const ObservedSession* session =
      header.session ? find(other(from), header.session) : find(from, message.assigned_session());
  if (!session) return Observation::kNothing;
  last_session_close_ = Close{from, message.close_cause()};
  sessions_.erase(sessions_.begin() + (session - sessions_.data()));
  return Observation::kSessionClosed;
}

ObservedSession* Observer::find(Side owner, SessionId id) {
  const auto at =
      std::find_if(sessions_.begin(), sessions_.end(), [owner, id](const ObservedSession& session) {
        return (owner == Side::kClient ? session.client : session.agent) == id;
      });
  return !id || at == sessions_.end() ? nullptr : &*at;
}

std::size_t Observer::sessions_up() const {
  return static_cast<std::size_t>(
      std::count_if(sessions_.begin(), sessions_.end(),
                    [](const ObservedSession& s) { return s.state == ObservedState::kEstablished; }));
}

std::string Observer::describe(const Close& close) {
  return (close.by == Side::kClient ? "client: " : "agent: ") + describe_reason(close.cause);
}

bool Observer::starts_anew(Bytes sccrq) const {
  const auto header = parse_header(sccrq);
  if (!header || !header->control || !sccrq_hash_) return false;
  if (hash_of(header->payload) != *sccrq_hash_ || state_ == ObservedState::kClosed) return true;
  return sequence_ahead(client_.next_ns, kNsAfterCall) >= 0;
}

std::optional<ByteVector> Observer::farewell(StopResult result, std::string_view text, ErrorCode error) {
  if (!client_.tunnel) return std::nullopt;
  // What the agent said last may be lost on the way or not acknowledged yet. Nobody is left to resend it, so
  // by turns the farewell takes the number after it and the number that the client says it expects.
  const bool as_expected = farewells_ % 2 == 1 && client_.spoke;
  const std::uint16_t ns = as_expected ? client_.nr : agent_.next_ns;
  ++farewells_;
  return stop_ccn(client_.tunnel, agent_.tunnel, ns, client_.next_ns, result, error, text);
}

bool Observer::farewell_acknowledged() const {
  return farewells_ > 0 && sequence_ahead(client_.nr, agent_.next_ns) > 0;
}

}  // namespace sluice::l2tp
