#include "l2tp/message.hpp"

#include <algorithm>

namespace sluice::l2tp {

ErrorCode fault_error(const MessageFault& fault) {
  switch (fault.reason) {
    case DropReason::kUnknownMandatoryAvp:
    case DropReason::kHiddenAvp:
      return ErrorCode::kUnknownAvp;  // §4.3: what cannot be revealed is not recognised
    case DropReason::kMalformedAvp: {
      const auto* info = fault.vendor == 0 ? avp_info(fault.attribute) : nullptr;
      const bool fixed = info && info->min_size == info->max_size;
      return fixed ? ErrorCode::kLength : ErrorCode::kValue;
    }
    default:
      return ErrorCode::kValue;
  }
}

std::string fault_words(const MessageFault& fault) {
  const auto* info = fault.vendor == 0 ? avp_info(fault.attribute) : nullptr;
  const std::string name =
      info ? std::string(info->name)
           : "AVP " + std::to_string(fault.vendor) + ":" + std::to_string(fault.attribute);
  switch (fault.reason) {
    case DropReason::kUnknownMandatoryAvp:
      return "unknown mandatory " + name;
    case DropReason::kHiddenAvp:
      return "cannot reveal hidden " + name;
    case DropReason::kMalformedAvp:
      return "malformed " + name;
    case DropReason::kMissingAvp:
      return "missing " + name;
    case DropReason::kUnknownMessage:
      return "unknown mandatory message type";
    default:
      return "unacceptable message";
  }
}

void Message::fail(DropReason reason, const Avp& avp) {
  if (!fault_) fault_ = MessageFault{reason, avp.vendor, avp.type};
}

bool Message::uncover(Avp& avp, std::optional<Bytes> random_vector, const Secret* secret) {
  if (!random_vector || !secret || secret->empty()) return false;
  ByteVector clear(avp.value.begin(), avp.value.end());
  reveal(avp.type, secret->bytes(), *random_vector, clear);
  // §4.3: two octets of original length, the value, padding.
  ByteReader in(clear);
  const std::size_t size = in.u16();
  if (!in.ok() || size > in.remaining()) return false;
  revealed_.push_back(std::move(clear));
  avp.value = Bytes(revealed_.back()).subspan(2, size);
  avp.hidden = false;
  return true;
}

// §4.1 and §7.1: what we do not know or cannot use ends the session or tunnel when it is mandatory, and is
// passed over when it is not.
void Message::check(Avp& avp, std::optional<Bytes> random_vector, const Secret* secret) {
  const auto refuse = [&](DropReason reason) {
    avp.usable = false;
    if (avp.mandatory) fail(reason, avp);
  };
  const AvpInfo* info = avp.vendor == 0 ? avp_info(avp.type) : nullptr;
  if (!info || avp.reserved) return refuse(DropReason::kUnknownMandatoryAvp);
  if (avp.hidden) {
    if (!info->may_hide) return refuse(DropReason::kMalformedAvp);
    if (!uncover(avp, random_vector, secret)) return refuse(DropReason::kHiddenAvp);
  }
  if (avp.value.size() < info->min_size || avp.value.size() > info->max_size) {
    return refuse(DropReason::kMalformedAvp);
  }
  // §4.4.2: the error code is two octets or absent.
  if (info->value == AvpValue::kResultCode && avp.value.size() == 3) return refuse(DropReason::kMalformedAvp);
  // Ids are not 0 (§3.1), except in a CDN that was sent before one was assigned.
  const bool id = avp.is(AvpType::kAssignedTunnelId) || avp.is(AvpType::kAssignedSessionId);
  const bool closing = is(MessageType::kStopCcn) || is(MessageType::kCdn);
  if (id && !closing && load_be16(avp.value.data()) == 0) refuse(DropReason::kMalformedAvp);
}

void Message::check_required() {
  for (const AvpType type : std::span(info_->required).first(info_->required_count)) {
    if (!has(type)) {
      fail(DropReason::kMissingAvp, Avp{.type = static_cast<std::uint16_t>(type)});
      return;
    }
  }
}

Result<Message, DropReason> parse_message(Bytes avps, const Secret* secret) {
  ByteReader in(avps);
  // §4.4.1: Message Type comes first, and is never hidden.
  const auto first = read_avp(in);
  if (!first) return Failure{first.error()};
  if (!first->is(AvpType::kMessageType) || first->hidden || first->reserved || first->value.size() != 2) {
    return Failure{DropReason::kNoMessageType};
  }
  Result<Message, DropReason> result{Message{}};
  Message& message = *result;
  message.type_ = load_be16(first->value.data());
  message.type_mandatory_ = first->mandatory;
  message.info_ = message_info(message.type_);
  if (!message.info_ && message.type_mandatory_) message.fail(DropReason::kUnknownMessage, *first);

  std::optional<Bytes> random_vector;
  while (!in.at_end()) {
    const auto avp = read_avp(in);
    if (!avp) return Failure{avp.error()};
    if (message.count_ == Message::kMaxAvps) return Failure{DropReason::kTooManyAvps};
    Avp& kept = message.avps_[message.count_++] = *avp;
    message.check(kept, random_vector, secret);
    if (kept.usable && kept.is(AvpType::kRandomVector)) random_vector = kept.value;
  }
  if (message.info_) message.check_required();
  return result;
}

const Avp* Message::find(AvpType type) const {
  const auto all = avps();
  const auto at =
      std::find_if(all.begin(), all.end(), [type](const Avp& avp) { return avp.usable && avp.is(type); });
  return at == all.end() ? nullptr : &*at;
}

std::optional<std::uint16_t> Message::u16(AvpType type) const {
  const Avp* avp = find(type);
  if (!avp || avp->value.size() != 2) return std::nullopt;
  return load_be16(avp->value.data());
}

std::optional<std::uint32_t> Message::u32(AvpType type) const {
  const Avp* avp = find(type);
  if (!avp || avp->value.size() != 4) return std::nullopt;
  return load_be32(avp->value.data());
}

std::optional<std::uint64_t> Message::u64(AvpType type) const {
  const Avp* avp = find(type);
  if (!avp || avp->value.size() != 8) return std::nullopt;
  return load_be64(avp->value.data());
}

Bytes Message::bytes(AvpType type) const {
  const Avp* avp = find(type);
  return avp ? avp->value : Bytes{};
}

std::string_view Message::text(AvpType type) const {
  return as_text(bytes(type));
}

std::optional<Message::ResultCode> Message::result_code() const {
  const Avp* avp = find(AvpType::kResultCode);
  if (!avp) return std::nullopt;
  ByteReader in(avp->value);
  ResultCode code;
  code.result = in.u16();
  if (!in.at_end()) code.error = in.u16();
  code.text = as_text(in.rest());
  return code;
}

std::optional<PppCause> Message::ppp_cause() const {
  const Avp* avp = find(AvpType::kPppDisconnectCause);
  if (!avp) return std::nullopt;
  ByteReader in(avp->value);
  PppCause cause;
  cause.code = static_cast<DisconnectCode>(in.u16());
  cause.protocol = in.u16();
  cause.direction = static_cast<DisconnectDirection>(in.u8());
  cause.text = as_text(in.rest());
  return cause;
}

CloseCause Message::close_cause() const {
  CloseCause cause;
  cause.by = ClosedBy::kPeer;
  cause.of_tunnel = is(MessageType::kStopCcn);
  if (const auto code = result_code()) {
    cause.result = code->result;
    cause.error = code->error;
    cause.text = code->text;
  }
  if (auto ppp = ppp_cause()) {
    cause.has_ppp = true;
    cause.ppp = std::move(*ppp);
  }
  return cause;
}

}  // namespace sluice::l2tp
