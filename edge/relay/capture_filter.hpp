#pragma once
// Which peers an operator means who names a session. Thread: control.

#include <optional>
#include <string>

#include "edge/capture/tap.hpp"
#include "edge/relay/peers.hpp"
#include "edge/relay/relays.hpp"

namespace sluice::edge {

/// Whose packets `session` means: a user's or a correlation id's now, or whoever is at a public address now
/// or later. An address that a client was given means that client. Nothing when it names nobody.
std::optional<CaptureFilter> capture_filter(const std::string& session, const Peers& peers,
                                            const Relays& relays);

}  // namespace sluice::edge
