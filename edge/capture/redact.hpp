#pragma once
// Blanks what a packet tells of passwords, so that a capture can be given to others: lengths stay, what is
// not understood is blanked. Pure; any thread.

#include "base/bytes.hpp"

namespace sluice::edge {

/// What stands in the place of each blanked byte.
inline constexpr std::uint8_t kBlank = '*';

/// A PPP frame, with or without address and control, its protocol compressed or not (RFC 1661 §6.5, §6.6).
/// Blanked: passwords of PAP, challenges and responses of CHAP, data of EAP methods, all of other
/// authentication protocols, and any of these inside an LCP Protocol-Reject. User names stay.
void redact_ppp(MutableBytes frame);

/// A UDP payload as L2TP. Control messages: hidden AVPs, those of tunnel and proxy authentication and those
/// of vendors; data messages: as redact_ppp(). One that is malformed keeps its first bytes alone.
void redact_l2tp(MutableBytes packet);

}  // namespace sluice::edge
