#pragma once
// The whole state of a session as a plain value, so that a session can continue in another object, process or
// machine. Times are relative to the instant the snapshot was taken. It holds no password; what it does hold
// (challenges, expected responses) is of no use once the exchange is over.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/time_left.hpp"
#include "ppp/addresses.hpp"
#include "ppp/protocol.hpp"

namespace sluice::ppp {

/// One negotiation automaton (cp.hpp).
struct CpSnapshot {
  std::uint8_t state = 0;  ///< CpState
  std::uint8_t last_id = 0, request_id = 0;
  bool answered = true, gave_up = false;
  std::uint32_t restarts_left = 0, naks_sent = 0;
  Duration interval{};
  TimeLeft timer;
  ByteVector request;  ///< options of the last Configure-Request
  std::string terminate_text;
  std::optional<std::string> terminated_by_peer;
  bool operator==(const CpSnapshot&) const = default;
};

struct LcpSnapshot {
  CpSnapshot cp;
  std::uint16_t peer_mru = 1500;
  AuthMethod peer_auth = AuthMethod::kNone;
  bool peer_pfc = false, peer_acfc = false;
  std::uint32_t magic = 0;
  std::uint16_t mru = 0;
  std::uint8_t auth_index = 0, auth_tried = 0;  ///< into the configured list
  bool ask_mru = true, ask_magic = true, ask_pfc = false, ask_acfc = false;
  bool auth_refused = false, echo_dead = false;
  std::uint32_t loop_count = 0, echoes_unanswered = 0;
  Duration heard_ago{};
  TimeLeft echo;
  bool operator==(const LcpSnapshot&) const = default;
};

struct IpcpSnapshot {
  CpSnapshot cp;
  Addresses addresses;
  bool ask_address = true;
  std::uint8_t ask_servers = 0;
  std::array<IpAddress, 4> asked_servers;
  std::uint32_t address_naks = 0;
  bool operator==(const IpcpSnapshot&) const = default;
};

struct Ipv6cpSnapshot {
  CpSnapshot cp;
  std::uint64_t local_id = 0, remote_id = 0, suggested_id = 0;
  bool ask_id = true;
  std::uint32_t collisions = 0;
  bool operator==(const Ipv6cpSnapshot&) const = default;
};

struct AuthSnapshot {
  std::uint8_t state = 0;  ///< Auth::State
  AuthMethod method = AuthMethod::kNone;
  std::uint8_t id = 0;
  std::uint32_t tries_left = 0, retries_left = 0;
  bool again = false;
  std::uint32_t attempts = 0;  ///< raised so far: a verdict on one of them decides no later one
  TimeLeft retry, deadline, rechallenge;
  std::string user, cause, detail, verdict_text;
  ByteVector challenge, response;
  std::string expected;
  std::uint8_t eap_stage = 0, eap_tried = 0;
  ByteVector eap_packet;  ///< the last EAP packet sent
  bool operator==(const AuthSnapshot&) const = default;
};

/// What the services on the link (link_services.hpp) remember.
struct LinkSnapshot {
  std::uint32_t advertisements_sent = 0;
  TimeLeft next_advertisement, next_answer;
  Duration advertised_ago{};
  bool ever_advertised = false;
  bool prefix_bound = false;  ///< the client has taken its delegated prefix
  std::uint32_t prefix_iaid = 0;
  bool operator==(const LinkSnapshot&) const = default;
};

struct SessionSnapshot {
  std::uint8_t phase = 0;  ///< PppSession::Phase
  bool up = false, ipv6_up = false, address_asked = false;
  std::optional<std::string> proven_user;
  std::optional<Addresses> addresses;
  ByteVector early_ipcp, early_ipv6cp;  ///< packets that came before the addresses
  std::string down_cause, down_text;
  LcpSnapshot lcp;
  AuthSnapshot auth;
  IpcpSnapshot ipcp;
  Ipv6cpSnapshot ipv6cp;
  LinkSnapshot link;
  bool operator==(const SessionSnapshot&) const = default;
};

}  // namespace sluice::ppp
