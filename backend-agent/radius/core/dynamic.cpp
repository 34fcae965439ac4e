#include "backend-agent/radius/core/dynamic.hpp"

#include <algorithm>
#include <array>

namespace sluice::radius {
namespace {

/// What names a session, the NAS or the transaction, and what a CoA may change (RFC 5176 §3, §3.6).
constexpr std::array kUnderstood{attr::kUserName,
                                 attr::kNasIpAddress,
                                 attr::kNasIdentifier,
                                 attr::kNasIpv6Address,
                                 attr::kFramedIpAddress,
                                 attr::kAcctSessionId,
                                 attr::kAcctMultiSessionId,
                                 attr::kCallingStationId,
                                 attr::kCalledStationId,
                                 attr::kNasPort,
                                 attr::kNasPortType,
                                 attr::kEventTimestamp,
                                 attr::kMessageAuthenticator,
                                 attr::kProxyState,
                                 attr::kServiceType,
                                 attr::kReplyMessage,
                                 attr::kClass,
                                 attr::kAcctTerminateCause};
constexpr std::array kChangeable{attr::kSessionTimeout, attr::kIdleTimeout,         attr::kSluiceRateUp,
                                 attr::kSluiceRateDown, attr::kAcctInterimInterval, attr::kClass,
                                 attr::kFilterId};

std::optional<DynamicDrop> refusal_of(Proof proof) {
  switch (proof) {
    case Proof::kGood:
      return std::nullopt;
    case Proof::kBadAuthenticator:
      return DynamicDrop::kBadAuthenticator;
    case Proof::kNoMessageAuthenticator:
      return DynamicDrop::kNoMessageAuthenticator;
    case Proof::kBadMessageAuthenticator:
      return DynamicDrop::kBadMessageAuthenticator;
  }
  return DynamicDrop::kBadAuthenticator;
}

std::optional<std::string> text_of(const Packet& packet, AttributeType type) {
  const auto value = packet.first(type);
  if (!value) return std::nullopt;
  return std::string(as_text(*value));
}

template <class Array>
bool holds(const Array& array, AttributeType type) {
  return std::find(array.begin(), array.end(), type) != array.end();
}

}  // namespace

std::string_view to_string(DynamicDrop reason) {
  switch (reason) {
    case DynamicDrop::kUnknownSource:
      return "unknown-source";
    case DynamicDrop::kMalformed:
      return "malformed";
    case DynamicDrop::kBadCode:
      return "bad-code";
    case DynamicDrop::kBadAuthenticator:
      return "bad-authenticator";
    case DynamicDrop::kNoMessageAuthenticator:
      return "no-message-authenticator";
    case DynamicDrop::kBadMessageAuthenticator:
      return "bad-message-authenticator";
    case DynamicDrop::kNoTimestamp:
      return "no-timestamp";
    case DynamicDrop::kStale:
      return "stale";
    case DynamicDrop::kRepeated:
      return "repeated";
    case DynamicDrop::kTooMany:
      return "too-many";
    case DynamicDrop::kCount:
      break;
  }
  return "unknown";
}

std::optional<DynamicRequest> DynamicServer::on_datagram(const Endpoint& from, Bytes datagram, Instant now,
                                                         std::int64_t unix_seconds) {
  const auto refuse = [&](DynamicDrop reason) {
    drops_.add(reason);
    return std::optional<DynamicRequest>();
  };
  const auto listed = std::find_if(settings_.sources.begin(), settings_.sources.end(),
                                   [&](const DynamicSource& s) { return s.address == from.address; });
  if (listed == settings_.sources.end()) return refuse(DynamicDrop::kUnknownSource);
  const auto packet = Packet::parse(datagram);
  if (!packet) return refuse(DynamicDrop::kMalformed);
  if (const auto reason = judge(*packet, *listed, unix_seconds)) return refuse(*reason);

  forget_old(now);
  Authenticator authenticator{};
  std::copy(packet->authenticator().begin(), packet->authenticator().end(), authenticator.begin());
  if (const auto given = given_.find(authenticator); given != given_.end()) {
    if (!given->second.empty()) out_.push_back({from, given->second});
    return refuse(DynamicDrop::kRepeated);
  }
  if (given_.size() >= settings_.max_remembered) return refuse(DynamicDrop::kTooMany);
  DynamicRequest request = read(*packet);
  request.from = from;
  request.source = static_cast<std::size_t>(listed - settings_.sources.begin());
  return request;
}

/// A request stamped as far ahead as may be is good for twice the window, and our clock shows whole seconds.
void DynamicServer::forget_old(Instant now) {
  const Duration keep = 2 * settings_.window + std::chrono::seconds(1);
  while (!seen_.empty() && seen_.front().at + keep < now) {
    given_.erase(seen_.front().authenticator);
    seen_.pop_front();
  }
}

std::optional<DynamicDrop> DynamicServer::judge(const Packet& packet, const DynamicSource& source,
                                                std::int64_t unix_seconds) const {
  if (packet.code() != Code::kCoaRequest && packet.code() != Code::kDisconnectRequest)
    return DynamicDrop::kBadCode;
  if (const auto refused = refusal_of(check_request(packet, source.secret.bytes(), true))) return refused;
  const auto stamp = packet.first(attr::kEventTimestamp);
  if (!stamp) {
    if (settings_.demand_timestamp) return DynamicDrop::kNoTimestamp;
    return std::nullopt;
  }
  if (stamp->size() != 4) return DynamicDrop::kMalformed;
  const std::int64_t off = std::int64_t{load_be32(stamp->data())} - unix_seconds;
  if (off > settings_.window.count() || -off > settings_.window.count()) return DynamicDrop::kStale;
  return std::nullopt;
}

DynamicRequest DynamicServer::read(const Packet& packet) const {
  DynamicRequest out;
  out.disconnect = packet.code() == Code::kDisconnectRequest;
  out.id = packet.id();
  std::copy(packet.authenticator().begin(), packet.authenticator().end(), out.authenticator.begin());
  out.session_id = text_of(packet, attr::kAcctSessionId);
  out.user = text_of(packet, attr::kUserName);
  out.multi_session_id = text_of(packet, attr::kAcctMultiSessionId);
  out.calling_station = text_of(packet, attr::kCallingStationId);
  if (const auto address = packet.first(attr::kFramedIpAddress))
    out.address = IpAddress::from_bytes(*address);
  out.change = read_grant(packet);

  bool changes = false;
  for (const auto& attribute : packet.attributes()) {
    const bool change = !out.disconnect && holds(kChangeable, attribute.type);
    changes |= change;
    if (!change && !holds(kUnderstood, attribute.type)) out.wrong = ErrorCause::kUnsupportedAttribute;
    if (attribute.type != attr::kProxyState) continue;
    Draft echo(packet.code());
    echo.add(attr::kProxyState, attribute.value);
    out.proxy_states.insert(out.proxy_states.end(), echo.attributes().begin(), echo.attributes().end());
  }
  const auto nas = text_of(packet, attr::kNasIdentifier);
  const auto nas_address = packet.first(attr::kNasIpAddress);
  const bool other_nas =
      (nas && *nas != settings_.nas_identifier) ||
      (nas_address && settings_.nas_address && !equal(*nas_address, settings_.nas_address->bytes()));
  const auto service = packet.first(attr::kServiceType);
  if (out.wrong != ErrorCause::kNone) return out;
  if (!out.change.bad.empty()) {
    out.wrong = ErrorCause::kInvalidValue;
  } else if (other_nas) {
    out.wrong = ErrorCause::kNasMismatch;
  } else if (service && service->size() == 4 && load_be32(service->data()) == value::kServiceAuthorizeOnly) {
    out.wrong = ErrorCause::kUnsupportedService;
  } else if (!out.names_session() || (!out.disconnect && !changes)) {
    out.wrong = ErrorCause::kMissingAttribute;
  }
  return out;
}

void DynamicServer::answer(const DynamicRequest& request, ErrorCause cause, Instant now) {
  const bool good = cause == ErrorCause::kNone;
  const Code code = request.disconnect ? (good ? Code::kDisconnectAck : Code::kDisconnectNak)
                                       : (good ? Code::kCoaAck : Code::kCoaNak);
  Draft draft(code);
  if (!good) draft.add(attr::kErrorCause, static_cast<std::uint32_t>(cause));
  ByteReader states(request.proxy_states);
  while (!states.at_end()) {
    states.skip(1);
    const std::uint8_t size = states.u8();
    draft.add(attr::kProxyState, states.bytes(size - 2U));
  }
  const auto& secret = settings_.sources[request.source].secret;
  auto bytes = sign_reply(draft, request.id, request.authenticator, secret.bytes());
  const bool fresh = given_.emplace(request.authenticator, bytes ? *bytes : ByteVector()).second;
  if (fresh) seen_.push_back({request.authenticator, now});
  if (bytes) out_.push_back({request.from, std::move(*bytes)});
}

std::optional<DynamicServer::Outgoing> DynamicServer::poll_transmit() {
  if (out_.empty()) return std::nullopt;
  auto first = std::move(out_.front());
  out_.pop_front();
  return first;
}

}  // namespace sluice::radius
