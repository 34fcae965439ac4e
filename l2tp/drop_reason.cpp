#include "l2tp/drop_reason.hpp"

namespace sluice::l2tp {

std::string_view to_string(DropReason reason) {
  switch (reason) {
    case DropReason::kNone:
      return "none";
    case DropReason::kTruncated:
      return "truncated";
    case DropReason::kVersion3:
      return "version_3";
    case DropReason::kVersionUnknown:
      return "version_unknown";
    case DropReason::kControlFlags:
      return "control_flags";
    case DropReason::kLengthField:
      return "length_field";
    case DropReason::kOffset:
      return "offset";
    case DropReason::kUnknownTunnel:
      return "unknown_tunnel";
    case DropReason::kUnknownSession:
      return "unknown_session";
    case DropReason::kSessionNotUp:
      return "session_not_up";
    case DropReason::kAvpStructure:
      return "avp_structure";
    case DropReason::kTooManyAvps:
      return "too_many_avps";
    case DropReason::kNoMessageType:
      return "no_message_type";
    case DropReason::kUnknownMandatoryAvp:
      return "unknown_mandatory_avp";
    case DropReason::kMalformedAvp:
      return "malformed_avp";
    case DropReason::kHiddenAvp:
      return "hidden_avp";
    case DropReason::kMissingAvp:
      return "missing_avp";
    case DropReason::kUnknownMessage:
      return "unknown_message";
    case DropReason::kIgnoredMessage:
      return "ignored_message";
    case DropReason::kDuplicate:
      return "duplicate";
    case DropReason::kOutsideWindow:
      return "outside_window";
    case DropReason::kBadNr:
      return "bad_nr";
    case DropReason::kWrongState:
      return "wrong_state";
    case DropReason::kAuthentication:
      return "authentication";
    case DropReason::kControlRate:
      return "control_rate";
    case DropReason::kClosed:
      return "closed";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

}  // namespace sluice::l2tp
