#pragma once
// Why an L2TP packet came to nothing. One enumerator, one counter.

#include <cstdint>
#include <string_view>

namespace sluice::l2tp {

enum class DropReason : std::uint8_t {
  kNone,                 ///< not dropped
  kTruncated,            ///< shorter than its own header
  kVersion3,             ///< L2TPv3 (RFC 3931)
  kVersionUnknown,       ///< neither 2 nor 3; 1 is L2F
  kControlFlags,         ///< control message without L or S, or with O or P (RFC 2661 §3.1)
  kLengthField,          ///< Length beyond the datagram or inside the header
  kOffset,               ///< offset padding reaches past the end
  kUnknownTunnel,        ///< tunnel id not ours: never answered
  kUnknownSession,       ///< session id not ours
  kSessionNotUp,         ///< data for a session that is not established
  kAvpStructure,         ///< AVPs do not add up to the message
  kTooManyAvps,          ///< more than one message may reasonably hold
  kNoMessageType,        ///< first AVP is not a plain Message Type (§4.4.1)
  kUnknownMandatoryAvp,  ///< unrecognised AVP with the M bit (§4.1)
  kMalformedAvp,         ///< mandatory AVP of wrong length or value (§7.1)
  kHiddenAvp,            ///< mandatory hidden AVP that cannot be revealed (§4.3)
  kMissingAvp,           ///< message lacks an AVP it must have
  kUnknownMessage,       ///< unknown message type, marked mandatory
  kIgnoredMessage,       ///< unknown or unwanted message type that may be passed over
  kDuplicate,            ///< control message already delivered; it was acknowledged again
  kOutsideWindow,        ///< control message too far ahead (§5.8)
  kBadNr,                ///< acknowledges what was never sent
  kWrongState,           ///< message does not fit the state machine (§7)
  kAuthentication,       ///< Challenge Response missing or wrong (§5.1.1)
  kControlRate,          ///< more control messages a second than allowed
  kClosed,               ///< tunnel is closing or closed
  kCount
};

/// The counter's name: lower case, words joined by "_".
std::string_view to_string(DropReason reason);

}  // namespace sluice::l2tp
