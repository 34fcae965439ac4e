// Packets in words.

#include "base/text.hpp"
#include "l2tp/message.hpp"

namespace sluice::l2tp {
namespace {

std::string result_words(Bytes value) {
  ByteReader in(value);
  std::string out = std::to_string(in.u16());
  if (!in.at_end()) out += " error " + std::to_string(in.u16());
  if (!in.at_end()) out += " \"" + escaped(as_text(in.rest())) + "\"";
  return out;
}

std::string q931_words(Bytes value) {
  ByteReader in(value);
  std::string out = std::to_string(in.u16()) + " message " + std::to_string(in.u8());
  if (!in.at_end()) out += " \"" + escaped(as_text(in.rest())) + "\"";
  return out;
}

std::string words_of_32(Bytes value) {
  ByteReader in(value);
  in.skip(2);  // reserved
  std::string out;
  while (in.remaining() >= 4) out += (out.empty() ? "" : "/") + std::to_string(in.u32());
  return out;
}

std::string disconnect_text(Bytes value) {
  ByteReader in(value);
  std::string out = std::to_string(in.u16());
  out += " protocol " + std::to_string(in.u16());
  out += " direction " + std::to_string(in.u8());
  if (!in.at_end()) out += " \"" + escaped(as_text(in.rest())) + "\"";
  return out;
}

std::string value_words(const AvpInfo& info, Bytes value) {
  switch (info.value) {
    case AvpValue::kEmpty:
      return "yes";
    case AvpValue::kUint16:
      return std::to_string(ByteReader(value).u16());
    case AvpValue::kUint32:
      return std::to_string(ByteReader(value).u32());
    case AvpValue::kUint64:
      return "0x" + to_hex(value);
    case AvpValue::kText:
      return "\"" + escaped(as_text(value)) + "\"";
    case AvpValue::kBytes:
      return to_hex(value);
    case AvpValue::kResultCode:
      return result_words(value);
    case AvpValue::kVersion:
      return std::to_string(value[0]) + "." + std::to_string(value[1]);
    case AvpValue::kQ931:
      return q931_words(value);
    case AvpValue::kCallErrors:
    case AvpValue::kAccm:
      return words_of_32(value);
    case AvpValue::kDisconnectCause:
      return disconnect_text(value);
  }
  return {};
}

std::string numbers(const Header& header) {
  return "tunnel " + std::to_string(header.tunnel.value()) + " session " +
         std::to_string(header.session.value());
}

}  // namespace

std::string describe(const Avp& avp) {
  const AvpInfo* info = avp.vendor == 0 ? avp_info(avp.type) : nullptr;
  if (!info) {
    return "AVP " + std::to_string(avp.vendor) + ":" + std::to_string(avp.type) + "=" +
           std::to_string(avp.value.size()) + " octets";
  }
  const std::string name = std::string(info->name) + "=";
  if (avp.hidden) return name + "hidden";
  if (info->sensitive) return name + "not shown";
  if (avp.value.size() < info->min_size || avp.value.size() > info->max_size) return name + "malformed";
  return name + value_words(*info, avp.value);
}

std::string describe_packet(Bytes packet, const Secret* secret) {
  const auto header = parse_header(packet);
  if (!header) return "not L2TPv2: " + std::string(to_string(header.error()));
  if (!header->control)
    return "data " + numbers(*header) + " " + std::to_string(header->payload.size()) + " octets";
  const std::string tail =
      " " + numbers(*header) + " Ns " + std::to_string(header->ns) + " Nr " + std::to_string(header->nr);
  if (header->zlb()) return "ZLB" + tail;
  const auto message = parse_message(header->payload, secret);
  if (!message) return "control" + tail + " unreadable: " + std::string(to_string(message.error()));
  std::string out = message_name(message->type_number()) + tail;
  for (const Avp& avp : message->avps()) out += " " + describe(avp);
  if (message->fault()) out += " (" + fault_words(*message->fault()) + ")";
  return out;
}

}  // namespace sluice::l2tp
