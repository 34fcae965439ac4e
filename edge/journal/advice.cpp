#include "edge/journal/advice.hpp"

#include <algorithm>
#include <iterator>

namespace sluice::edge {
namespace {

// Numbers of what PPP says are those of MS-CHAPv2 and of Windows' own dialler; those of IKE come with the
// failure.
constexpr CauseAdvice kRows[]{
    // IKE
    {"wrong_psk", 0, "",
     "compare the pre-shared key on the client with the edge's [[psk]]; a blank at its end counts"},
    {"auth", 0, "", "compare pre-shared key or certificate; IKEv1 needs Main Mode"},
    {"local_auth", 0, "",
     "give the edge a key or certificate for this client's identity; let the client trust its CA"},
    {"ike_proposal", 0, "", "add a profile to the listener that has the client's algorithms (docs/ike.md)"},
    {"esp_proposal", 0, "", "add a profile to the listener that has the client's algorithms (docs/ike.md)"},
    {"selectors", 0, "", "the client must be set up as L2TP/IPsec, transport mode"},
    {"timeout", 0, "",
     "let UDP 500 and 4500 pass both ways; a Windows client and a server behind NAT need the "
     "AssumeUDPEncapsulationContextOnSendRule setting"},
    {"no_answer", 0, "", "nothing here: the client or its network went away"},
    {"refused_auth", 0, "",
     "compare the pre-shared key; with certificates, the server name that the client expects"},
    {"refused_proposal", 0, "",
     "add a profile to the listener that has the client's algorithms (docs/ike.md)"},
    {"refused_certificate", 0, "", "install the CA of the edge's certificate on the client"},
    {"no_certificate", 0, "",
     "install a machine certificate with its key on the client, or use a pre-shared key"},
    {"no_psk", 0, "", "add a [[psk]] whose identity fits this client"},
    {"install", 0, "", "see the edge's log: the data plane says why"},
    // L2TP and placement
    {"no-l2tp", 0, "", "let ESP or UDP 4500 pass both ways; see whether the client's L2TP service runs"},
    {"no-agent", 0, "", "sluicectl backends: start an agent, or end its drain"},
    {"limit", 0, "", "raise the limit in [limits] if this client may have so many"},
    {"out-of-service", 0, "", "this edge is drained: dial another, or sluicectl drain edge --undo"},
    {"half-open", 0, "", "L2TP stopped half way: packets to the client are lost, or it gave up"},
    // PPP
    {"wrong-password", 691, "wrong password", "let the user type it again, or set it anew where it is kept"},
    {"authentication-failed", 691, "authentication failed: wrong password or user name",
     "let the user type both again; see the agent's log for what RADIUS said"},
    {"unknown-user", 691, "no user of this name",
     "add the user, or correct the name (with or without domain?)"},
    {"throttled", 691, "too many failed logins: refused without a look for some time",
     "wait, then log in with the right password"},
    {"malformed-response", 691, "the client's answer to the challenge makes no sense",
     "set the client to MS-CHAPv2"},
    {"no-plain-password", 691, "the user's password is kept as a hash, and CHAP needs it in plain text",
     "let the client use PAP, or keep password instead of password_hash"},
    {"replaced", 0, "the same user dialled in again",
     "nothing, unless two people share a name: see the limits of sessions per user"},
    {"busy", 649, "too many logins at once", "try again; give the agent more cores"},
    {"radius-timeout", 649, "no RADIUS server answered",
     "see whether the RADIUS servers live and know this agent's address and secret"},
    {"radius-bad-reply", 649, "the RADIUS server's answer was not usable",
     "see the agent's log: which attribute it was"},
    {"no-method", 734, "no way to authenticate that both ends know",
     "allow MS-CHAPv2 on the client, or more methods in the agent's [ppp]"},
    {"authentication-refused", 734, "the client takes none of the ways to authenticate that the agent offers",
     "allow MS-CHAPv2 on the client, or more methods in the agent's [ppp]"},
    {"authentication-timeout", 718, "the client did not authenticate in time",
     "was the user asked for a password and did not answer? packets may be lost, too"},
    {"lcp-timeout", 718, "the client did not agree on PPP's link in time",
     "packets are lost on the way, most often large ones: see the MTU"},
    {"ipcp-timeout", 720, "the client did not agree on an address in time",
     "let the client take an address from the server"},
    {"no-network-protocol", 720, "the client and the agent have no network protocol in common",
     "enable IPv4 or IPv6 in the client's connection"},
    {"no-address", 649, "no address was free", "add a range to the agent's [pool], or another agent"},
    {"no-pool", 649, "the user's address pool is not configured", "add the [[named_pool]] to the agent"},
    {"no-filter", 649, "the user's packet filter is not configured", "add the [[filter]] to the agent"},
    {"address-in-use", 649, "the user's own address is out to another",
     "end the other session, or give one of them another address"},
    {"max-sessions", 649, "the agent is full", "raise agent.max_sessions, or add another agent"},
    {"too-many-sessions", 0, "", "raise limits.sessions_per_client if this client may have so many"},
    {"echo-timeout", 0, "the client no longer answers", "nothing here: the client or its network went away"},
    {"idle-timeout", 0, "no packet for as long as is allowed", ""},
    {"session-timeout", 0, "the session lasted as long as is allowed", ""},
    {"user-request", 0, "the user hung up", ""},
    {"peer-gone", 0, "", ""},
    {"agent-lost", 0, "", "see the agent's machine; the client may dial again at once"},
    {"agent-stopping", 0, "the agent was stopped", "the client may dial again at once"},
    {"draining", 0, "", "the client may dial again at once"},
    {"kicked", 0, "", ""},
    {"admin-reset", 0, "RADIUS ended the session (Disconnect-Request)", ""},
    {"protocol-error", 0, "", "see the agent's log and take a trace: sluicectl trace"},
    {"loopback", 0, "PPP heard itself: the line is looped", "see the client's connection"},
};
constexpr CauseAdvice kNone{};

}  // namespace

const CauseAdvice& advice_for(const JournalEntry& entry) {
  const auto* row = std::ranges::find(kRows, entry.cause, &CauseAdvice::cause);
  return row == std::end(kRows) ? kNone : *row;
}

unsigned error_of(const JournalEntry& entry) {
  return entry.error != 0 ? entry.error : advice_for(entry).error;
}

std::string words_of(const JournalEntry& entry) {
  const auto words = advice_for(entry).words;
  if (words.empty()) return entry.text;
  if (entry.text.empty()) return std::string(words);
  return std::string(words) + " (" + entry.text + ")";
}

}  // namespace sluice::edge
