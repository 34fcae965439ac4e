#include "base/text.hpp"
#include "edge/ike/connections.hpp"
#include "edge/ike/vici_driver.hpp"

namespace sluice::edge {
namespace {

std::optional<Endpoint> read_endpoint(const vici::Message& section, const char* host, const char* port) {
  const auto address = IpAddress::parse(section.get(host));
  const auto number = section.number(port);
  if (!address || !number || *number > 65535) return std::nullopt;
  return Endpoint{*address, static_cast<std::uint16_t>(*number)};
}

void add_part(std::string& out, std::string_view part) {
  if (part.empty()) return;
  if (!out.empty()) out += '/';
  out += part;
}

/// "AES_CBC-256/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_2048"
std::string read_proposal(const vici::Message& section) {
  std::string out(section.get("encr-alg"));
  if (const auto size = section.value("encr-keysize")) out += "-" + std::string(*size);
  add_part(out, section.get("integ-alg"));
  add_part(out, section.get("prf-alg"));
  add_part(out, section.get("dh-group"));
  return out;
}

struct ChildSpis {
  Spi inbound, outbound;
};

std::optional<ChildSpis> read_spis(const vici::Message& child) {
  const auto inbound = child.number("spi-in", 16), outbound = child.number("spi-out", 16);
  if (!inbound || !outbound || *inbound > UINT32_MAX || *outbound > UINT32_MAX) return std::nullopt;
  return ChildSpis{Spi(static_cast<std::uint32_t>(*inbound)), Spi(static_cast<std::uint32_t>(*outbound))};
}

std::uint32_t read_uid(const vici::Message& section) {
  return static_cast<std::uint32_t>(section.number("uniqueid").value_or(0));
}

/// Calls `each(child section)` for the children of an IKE SA's section.
template <class F>
void for_children(const vici::Message& ike, F each) {
  const auto* children = ike.section("child-sas");
  if (children == nullptr) return;
  for (const auto& entry : children->entries()) {
    if (const auto* child = entry.section()) each(*child);
  }
}

/// The section of an IKE SA of one of our connections; events and lists carry one IKE SA each.
const vici::Message* our_ike_sa(const vici::Message& message) {
  for (const auto& entry : message.entries()) {
    if (entry.section() != nullptr && is_ours(entry.name)) return entry.section();
  }
  return nullptr;
}

void on_ike_updown(const vici::Message& ike, bool up, ViciEvents& events) {
  if (!up) {
    if (const auto uid = read_uid(ike)) events.vici_ike_down(uid);
  } else if (const auto peer = parse_ike_sa(ike)) {
    events.vici_ike_up(*peer);
  }
}

void on_child_updown(const vici::Message& ike, bool up, ViciEvents& events) {
  const auto uid = read_uid(ike);
  for_children(ike, [&](const vici::Message& child) {
    const auto spis = read_spis(child);
    if (!spis || uid == 0) return;
    if (up) {
      events.vici_child_up(uid, spis->inbound, spis->outbound);
    } else {
      events.vici_child_down(uid, spis->inbound, spis->outbound);
    }
  });
}

void on_ike_rekey(const vici::Message& ike, ViciEvents& events) {
  const auto *before = ike.section("old"), *after = ike.section("new");
  if (before == nullptr || after == nullptr) return;
  const auto old_uid = read_uid(*before);
  const auto peer = parse_ike_sa(*after);
  if (old_uid != 0 && peer) events.vici_ike_rekeyed(old_uid, *peer);
}

void on_child_rekey(const vici::Message& ike, ViciEvents& events) {
  const auto uid = read_uid(ike);
  for_children(ike, [&](const vici::Message& child) {
    const auto* after = child.section("new");
    const auto spis = after != nullptr ? read_spis(*after) : std::nullopt;
    if (spis && uid != 0) events.vici_child_up(uid, spis->inbound, spis->outbound);
  });
}

}  // namespace

std::optional<IkePeer> parse_ike_sa(const vici::Message& section) {
  const auto local = read_endpoint(section, "local-host", "local-port");
  const auto remote = read_endpoint(section, "remote-host", "remote-port");
  const auto uid = read_uid(section);
  if (uid == 0 || !local || !remote) return std::nullopt;
  IkePeer peer;
  peer.ike_sa = IkeSaId(uid);
  peer.version = static_cast<std::uint8_t>(section.number("version").value_or(0));
  peer.local = *local;
  peer.remote = *remote;
  peer.identity = std::string(section.get("remote-id"));
  peer.proposal = read_proposal(section);
  peer.nat = section.flag("nat-any").value_or(false);
  return peer;
}

void dispatch_vici_event(const std::string& name, const vici::Message& message, ViciEvents& events) {
  const bool up = message.flag("up").value_or(false);
  const auto* ike = our_ike_sa(message);
  if (ike == nullptr) return;
  if (name == "ike-updown") {
    on_ike_updown(*ike, up, events);
  } else if (name == "child-updown") {
    on_child_updown(*ike, up, events);
  } else if (name == "ike-rekey") {
    on_ike_rekey(*ike, events);
  } else if (name == "child-rekey") {
    on_child_rekey(*ike, events);
  }
}

void dispatch_list_sa(const vici::Message& message, ViciEvents& events) {
  const auto* ike = our_ike_sa(message);
  if (ike == nullptr || ike->get("state") != "ESTABLISHED") return;
  const auto peer = parse_ike_sa(*ike);
  if (!peer) return;
  events.vici_ike_up(*peer);
  for_children(*ike, [&](const vici::Message& child) {
    const auto spis = read_spis(child);
    if (spis && child.get("state") == "INSTALLED") {
      events.vici_child_up(peer->ike_sa.value(), spis->inbound, spis->outbound);
    }
  });
}

}  // namespace sluice::edge
