#pragma once
// Which sessions a command means: the arguments of list-sessions, and of kick.

#include "edge/admin/state_view.hpp"
#include "vici/message.hpp"

namespace sluice::edge {

/// correlation, user, agent, peer, client, and realm: what is given must all fit. A correlation id is a
/// tunnel's or its client's; a realm is what follows @ in the user's name or the IKE identity, in any case.
bool session_fits(const vici::Message& arguments, const SessionView& session);

}  // namespace sluice::edge
