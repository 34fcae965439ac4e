#include "l2tp/codes.hpp"

#include <span>

#include "base/text.hpp"

namespace sluice::l2tp {
namespace {

// Indexed by code.
constexpr std::string_view kStopResults[] = {
    "reserved",
    "general request to clear the control connection",
    "general error",
    "control channel already exists",
    "requester is not authorised to establish a control channel",
    "protocol version of the requester is not supported",
    "requester is being shut down",
    "finite state machine error",
};
constexpr std::string_view kCallResults[] = {
    "reserved",
    "call disconnected due to loss of carrier",
    "general error",
    "call disconnected for administrative reasons",
    "appropriate facilities not available for now",
    "appropriate facilities not available",
    "invalid destination",
    "no carrier detected",
    "busy signal detected",
    "no dial tone",
    "call not established within the time allotted",
    "call connected without appropriate framing",
};
constexpr std::string_view kErrors[] = {
    "no general error",
    "no control connection exists yet",
    "length is wrong",
    "a field value was out of range or a reserved field was not zero",
    "insufficient resources to handle this operation now",
    "session id is invalid in this context",
    "vendor-specific error",
    "try another",
    "unknown AVP with the M bit set",
    "try another, as directed",
};
// RFC 3145 §3.
constexpr std::string_view kDisconnects[] = {
    "no information available",
    "administrative disconnect",
    "link renegotiation is disabled here",
    "normal disconnection by LCP Terminate-Request",
    "compulsory encryption was refused",
    "LCP did not converge in time",
    "no recognisable LCP packets were received",
    "magic number error: the link may be looped back",
    "LCP echo requests were not answered",
    "unexpected endpoint discriminator for the bundle",
    "unexpected MRRU for the bundle",
    "unexpected short sequence number option for the bundle",
    "compulsory call-back was refused",
    "authentication did not finish in time",
    "unexpected authenticated name for the bundle",
    "authentication protocol unacceptable",
    "authentication failed: bad name, password or secret",
    "network control protocol did not converge in time",
    "no network control protocol available",
    "no agreement on addresses",
    "user is not permitted to use the addresses",
};

std::string_view pick(std::span<const std::string_view> words, std::uint16_t code) {
  return code < words.size() ? words[code] : "unknown code";
}

}  // namespace

std::string_view stop_result_words(std::uint16_t result) {
  return pick(kStopResults, result);
}
std::string_view call_result_words(std::uint16_t result) {
  return pick(kCallResults, result);
}
std::string_view error_words(std::uint16_t error) {
  return pick(kErrors, error);
}
std::string_view disconnect_words(std::uint16_t code) {
  return pick(kDisconnects, code);
}

std::string_view to_string(ClosedBy by) {
  switch (by) {
    case ClosedBy::kPeer:
      return "closed by peer";
    case ClosedBy::kLocal:
      return "closed here";
    case ClosedBy::kTimeout:
      return "timed out";
    case ClosedBy::kProtocol:
      return "closed for a protocol error";
  }
  return "closed";
}

std::string describe(const PppCause& cause) {
  const auto code = static_cast<std::uint16_t>(cause.code);
  std::string out = "PPP cause " + std::to_string(code) + " " + std::string(disconnect_words(code));
  switch (cause.direction) {
    case DisconnectDirection::kGlobal:
      break;
    case DisconnectDirection::kAtPeer:
      out += " (at the peer)";
      break;
    case DisconnectDirection::kAtLocal:
      out += " (at the local side)";
      break;
  }
  if (cause.protocol != 0) {
    std::uint8_t raw[2];
    store_be16(raw, cause.protocol);
    out += ", protocol 0x" + to_hex(raw);
  }
  if (!cause.text.empty()) out += ", \"" + escaped(cause.text) + "\"";
  return out;
}

std::string describe_reason(const CloseCause& cause) {
  std::string out;
  const auto add = [&out](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (cause.result != 0) {
    const auto words = cause.of_tunnel ? stop_result_words(cause.result) : call_result_words(cause.result);
    add(std::to_string(cause.result) + " " + std::string(words));
  }
  // With result 5 of StopCCN the error code is a version number (§4.4.2).
  const bool version = cause.of_tunnel && cause.result == static_cast<std::uint16_t>(StopResult::kVersion);
  if (cause.error != 0 && !version) {
    add("error " + std::to_string(cause.error) + " " + std::string(error_words(cause.error)));
  }
  if (!cause.text.empty()) add("\"" + escaped(cause.text) + "\"");
  if (cause.has_ppp) add(describe(cause.ppp));
  return out.empty() ? "no reason given" : out;
}

std::string describe(const CloseCause& cause) {
  return std::string(to_string(cause.by)) + ": " + describe_reason(cause);
}

}  // namespace sluice::l2tp
