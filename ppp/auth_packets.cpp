// The bodies of PAP and CHAP packets.

#include "ppp/auth.hpp"

namespace sluice::ppp {

std::optional<PapRequest> parse_pap_request(Bytes body) {
  ByteReader reader(body);
  PapRequest out;
  out.user = as_text(reader.bytes(reader.u8()));
  out.password = reader.bytes(reader.u8());
  if (!reader.ok() || out.user.size() > kMaxUser) return std::nullopt;
  return out;
}

std::optional<ChapValue> parse_chap_value(Bytes body) {
  ByteReader reader(body);
  ChapValue out;
  out.value = reader.bytes(reader.u8());
  out.name = as_text(reader.rest());
  // RFC 1994 §4.1: the Value is one octet or more.
  if (!reader.ok() || out.value.empty() || out.name.size() > kMaxUser) return std::nullopt;
  return out;
}

}  // namespace sluice::ppp
