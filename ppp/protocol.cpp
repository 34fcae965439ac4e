#include "ppp/protocol.hpp"

namespace sluice::ppp {

std::string_view to_string(AuthMethod method) {
  switch (method) {
    case AuthMethod::kNone:
      return "none";
    case AuthMethod::kPap:
      return "pap";
    case AuthMethod::kChapMd5:
      return "chap-md5";
    case AuthMethod::kMsChapV2:
      return "mschapv2";
    case AuthMethod::kEap:
      return "eap";
  }
  return "unknown";
}

std::vector<AuthMethod> all_auth_methods() {
  return {AuthMethod::kEap, AuthMethod::kMsChapV2, AuthMethod::kChapMd5, AuthMethod::kPap};
}

std::vector<AuthMethod> default_auth_methods() {
  return {AuthMethod::kMsChapV2, AuthMethod::kChapMd5, AuthMethod::kPap};
}

std::vector<AuthMethod> default_eap_methods() {
  return {AuthMethod::kMsChapV2, AuthMethod::kChapMd5};
}

std::string_view to_string(Drop reason) {
  switch (reason) {
    case Drop::kEmptyFrame:
      return "empty-frame";
    case Drop::kBadProtocolField:
      return "bad-protocol-field";
    case Drop::kShortPacket:
      return "short-packet";
    case Drop::kBadOption:
      return "bad-option";
    case Drop::kUnexpectedId:
      return "unexpected-id";
    case Drop::kMismatchedAck:
      return "mismatched-ack";
    case Drop::kWrongPhase:
      return "wrong-phase";
    case Drop::kUnexpectedPacket:
      return "unexpected-packet";
    case Drop::kBadAuthPacket:
      return "bad-auth-packet";
    case Drop::kNotIp:
      return "not-ip";
    case Drop::kWrongSource:
      return "wrong-source";
    case Drop::kLinkClosed:
      return "link-closed";
    case Drop::kTooLarge:
      return "too-large";
    case Drop::kLinkScope:
      return "link-scope";
    case Drop::kBadLinkPacket:
      return "bad-link-packet";
    case Drop::kCount:
      break;
  }
  return "unknown";
}

}  // namespace sluice::ppp
