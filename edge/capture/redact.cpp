#include "edge/capture/redact.hpp"

#include <algorithm>

#include "l2tp/avp.hpp"
#include "l2tp/header.hpp"

namespace sluice::edge {
namespace {

// IANA ppp-numbers. Protocols from 0xc000 to 0xcfff belong to the link: what is not named here may be one of
// a dozen ways to tell a password.
constexpr std::uint16_t kMultilink = 0x003d;
constexpr std::uint16_t kLcp = 0xc021, kPap = 0xc023, kLinkQuality = 0xc025, kChap = 0xc223, kEap = 0xc227;
constexpr std::uint16_t kFirstOfLink = 0xc000, kLastOfLink = 0xcfff;
// Code, identifier and length, the same in all of them (RFC 1661 §5).
constexpr std::size_t kPacketHeader = 4;
// Deeper rejects of rejects nobody sends.
constexpr int kMaxNesting = 3;
constexpr std::size_t kL2tpFlagsAndIds = 6;

void blank(MutableBytes bytes) {
  std::ranges::fill(bytes, kBlank);
}

/// The data of a packet; what is behind it is blanked, and all of it where Length does not fit.
MutableBytes body_of(MutableBytes packet) {
  if (packet.size() < kPacketHeader) return blank(packet), MutableBytes();
  const std::size_t length = load_be16(packet.data() + 2);
  if (length < kPacketHeader || length > packet.size()) {
    return blank(packet.subspan(kPacketHeader)), MutableBytes();
  }
  blank(packet.subspan(length));
  return packet.subspan(kPacketHeader, length - kPacketHeader);
}

// RFC 1334 §2.2.
void redact_pap(MutableBytes packet) {
  constexpr std::uint8_t kRequest = 1, kAck = 2, kNak = 3;
  auto body = body_of(packet);
  if (body.empty() || packet[0] == kAck || packet[0] == kNak) return;
  const std::size_t password = 1 + std::size_t{body[0]};  // where its length stands
  if (packet[0] != kRequest || password + 1 > body.size()) return blank(body);
  blank(body.subspan(password + 1));
}

/// "S=" and "C=" of MS-CHAP (RFC 2433 §6, RFC 2759 §5, §6) let a password be guessed offline.
void blank_hex_words(MutableBytes text) {
  constexpr std::ptrdiff_t kLongest = 7;
  const auto is_hex = [](std::uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  for (auto at = text.begin(); at != text.end();) {
    at = std::find_if(at, text.end(), is_hex);
    const auto end = std::find_if_not(at, text.end(), is_hex);
    if (end - at > kLongest) std::fill(at, end, kBlank);
    at = end;
  }
}

// RFC 1994 §4.
void redact_chap(MutableBytes packet) {
  constexpr std::uint8_t kChallenge = 1, kResponse = 2, kSuccess = 3, kFailure = 4;
  auto body = body_of(packet);
  if (body.empty()) return;
  if (packet[0] == kSuccess || packet[0] == kFailure) return blank_hex_words(body);
  const std::size_t value = body[0];
  const bool known = packet[0] == kChallenge || packet[0] == kResponse;
  // Change-Password packets of MS-CHAP are among the others.
  if (!known || value + 1 > body.size()) return blank(body);
  blank(body.subspan(1, value));
}

// RFC 3748 §4, §5.
void redact_eap(MutableBytes packet) {
  constexpr std::uint8_t kRequest = 1, kResponse = 2;
  constexpr std::uint8_t kIdentity = 1, kNotification = 2, kNak = 3;
  auto body = body_of(packet);
  if (body.empty()) return;
  if (packet[0] != kRequest && packet[0] != kResponse) return blank(body);
  const auto type = body[0];
  if (type != kIdentity && type != kNotification && type != kNak) blank(body.subspan(1));
}

void redact_frame(MutableBytes frame, int nesting);

// RFC 1661 §5.6, §5.7: rejects carry a copy of what was rejected.
void redact_lcp(MutableBytes packet, int nesting) {
  constexpr std::uint8_t kCodeReject = 7, kProtocolReject = 8;
  auto body = body_of(packet);
  if (body.empty()) return;
  if (packet[0] == kCodeReject) return blank(body);
  if (packet[0] == kProtocolReject) redact_frame(body, nesting + 1);
}

void redact_protocol(std::uint16_t protocol, MutableBytes packet, int nesting) {
  switch (protocol) {
    case kLcp:
      return redact_lcp(packet, nesting);
    case kPap:
      return redact_pap(packet);
    case kChap:
      return redact_chap(packet);
    case kEap:
      return redact_eap(packet);
    case kLinkQuality:
      return;
    case kMultilink:
      // Fragments of anything.
      return blank(packet);
    default:
      if (protocol >= kFirstOfLink && protocol <= kLastOfLink) blank(body_of(packet));
  }
}

void redact_frame(MutableBytes frame, int nesting) {
  if (nesting > kMaxNesting) return blank(frame);
  if (frame.size() >= 2 && frame[0] == 0xff && frame[1] == 0x03) frame = frame.subspan(2);
  if (frame.empty()) return;
  const bool compressed = (frame[0] & 1) != 0;
  if (!compressed && frame.size() < 2) return;
  const std::uint16_t protocol = compressed ? frame[0] : load_be16(frame.data());
  redact_protocol(protocol, frame.subspan(compressed ? 1 : 2), nesting);
}

bool tells_secrets(const l2tp::Avp& avp) {
  if (avp.hidden || avp.vendor != 0 || avp.is(l2tp::AvpType::kRandomVector)) return true;
  const auto* info = l2tp::avp_info(avp.type);
  return info == nullptr || info->sensitive;
}

// RFC 2661 §4.1.
void redact_avps(MutableBytes avps) {
  ByteReader in(avps);
  while (!in.at_end()) {
    const auto begin = in.consumed();
    const auto avp = l2tp::read_avp(in);
    if (!avp) return blank(avps.subspan(begin));
    if (tells_secrets(*avp)) blank(avps.subspan(in.consumed() - avp->value.size(), avp->value.size()));
  }
}

}  // namespace

void redact_ppp(MutableBytes frame) {
  redact_frame(frame, 0);
}

void redact_l2tp(MutableBytes packet) {
  const auto found = l2tp::classify(packet);
  if (found.kind == l2tp::PacketKind::kBad) {
    return blank(packet.subspan(std::min(kL2tpFlagsAndIds, packet.size())));
  }
  const auto payload = packet.subspan(found.payload_offset, found.payload_size);
  blank(packet.subspan(std::size_t{found.payload_offset} + found.payload_size));
  found.is_control() ? redact_avps(payload) : redact_ppp(payload);
}

}  // namespace sluice::edge
