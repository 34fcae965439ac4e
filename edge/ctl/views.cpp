#include "edge/ctl/views.hpp"

#include <algorithm>
#include <string>

namespace sluice::ctl {
namespace {

using vici::Message;
constexpr auto kLeft = Align::kLeft;
constexpr auto kRight = Align::kRight;

std::string ike_text(const Row& ike) {
  if (ike.number("uniqueid") == 0) return "-";
  return "v" + ike.whole("version") + " #" + ike.whole("uniqueid");
}

Cell problem(std::uint64_t count) {
  return {count_text(count), count > 0 ? Colour::kWarning : Colour::kNone};
}

/// Of a certificate that ends at `end`, how long it still lasts.
Cell certificate_cell(std::uint64_t end, std::uint64_t now) {
  constexpr std::uint64_t kSoon = 30 * 24 * 3600;
  if (end == 0) return {"-"};
  if (end <= now) return {"expired", Colour::kBad};
  return {duration_text(end - now), end - now <= kSoon ? Colour::kWarning : Colour::kNone};
}

Colour state_colour(std::string_view state) {
  if (state == "up") return Colour::kGood;
  if (state == "down" || state == "no-l2tp") return Colour::kBad;
  return Colour::kWarning;
}

Cell stage_cell(const std::string& stage, std::string_view good) {
  return {stage, stage == good ? Colour::kGood : Colour::kWarning};
}

std::string limited(const Row& row, std::string_view name, std::string_view limit) {
  return row.whole(name) + (row.number(limit) ? "/" + row.whole(limit) : "");
}

}  // namespace

const View& sessions_view() {
  static const View kView{
      "sessions",
      {{{"CLIENT", kLeft, 10},
        {"client-host", "client-port"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.host("client")}; }},
       {{"USER", kLeft, 9, 6},
        {"ppp.user"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("ppp").text("user")}; }},
       {{"IP", kLeft, 10},
        {"ppp.assigned-ip"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("ppp").text("assigned-ip")}; }},
       {{"AGENT", kLeft, 8, 6},
        {"ppp.agent"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("ppp").text("agent")}; }},
       {{"STAGE", kLeft, 7},
        {"stage"},
        [](const Row& r, std::uint64_t) { return stage_cell(r.text("stage"), "up"); }},
       {{"UP", kRight, 8},
        {"up-since"},
        [](const Row& r, std::uint64_t now) -> Cell { return {r.age("up-since", now)}; }},
       {{"IN", kRight, 6},
        {"traffic.bytes-in"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").bytes("bytes-in")}; }},
       {{"OUT", kRight, 6},
        {"traffic.bytes-out"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").bytes("bytes-out")}; }},
       {{"IKE", kLeft, 4},
        {"ike.uniqueid", "ike.version"},
        [](const Row& r, std::uint64_t) -> Cell { return {ike_text(r.in("ike"))}; }},
       {{"IKE PROPOSAL", kLeft, 0, 12},
        {"ike.proposal"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("ike").text("proposal")}; }},
       {{"ESP CIPHER", kLeft, 3, 10},
        {"child.cipher"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("child").text("cipher")}; }},
       {{"SPI IN/OUT", kLeft, 1},
        {"child.spi-in", "child.spi-out"},
        [](const Row& r, std::uint64_t) -> Cell {
          return {r.in("child").spi("spi-in") + "/" + r.in("child").spi("spi-out")};
        }},
       {{"TUNNEL", kLeft, 2},
        {"l2tp.client-tunnel", "l2tp.agent-tunnel"},
        [](const Row& r, std::uint64_t) -> Cell {
          return {r.in("l2tp").pair("client-tunnel", "agent-tunnel")};
        }},
       {{"SESSION", kLeft, 2},
        {"l2tp.client-session", "l2tp.agent-session"},
        [](const Row& r, std::uint64_t) -> Cell {
          return {r.in("l2tp").pair("client-session", "agent-session")};
        }},
       {{"PEER ID", kLeft, 3, 8},
        {"ike.peer-id"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("ike").text("peer-id")}; }},
       {{"CORRELATION", kLeft, 5},
        {"correlation"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("correlation")}; }}},
      {"edge-host", "edge-port", "nat", "ike.peer", "l2tp.relay", "l2tp.worker", "ppp.auth",
       "traffic.packets-in", "traffic.packets-out"}};
  return kView;
}

const View& tunnels_view() {
  static const View kView{
      "tunnels",
      {{{"CLIENT", kLeft, 10},
        {"client-host", "client-port"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.host("client")}; }},
       {{"AGENT", kLeft, 9, 6},
        {"agent"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("agent")}; }},
       {{"STATE", kLeft, 10},
        {"state"},
        [](const Row& r, std::uint64_t) { return stage_cell(r.text("state"), "established"); }},
       {{"TUNNEL", kLeft, 8},
        {"client-tunnel", "agent-tunnel"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.pair("client-tunnel", "agent-tunnel")}; }},
       {{"SESSIONS", kRight, 9},
        {"sessions"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.whole("sessions")}; }},
       {{"UP", kRight, 8},
        {"opened-at"},
        [](const Row& r, std::uint64_t now) -> Cell { return {r.age("opened-at", now)}; }},
       {{"WINDOW", kRight, 5},
        {"control.client-window", "control.agent-window"},
        [](const Row& r, std::uint64_t) -> Cell {
          return {r.in("control").pair("client-window", "agent-window")};
        }},
       {{"RESENT", kRight, 7},
        {"control.client-resent", "control.agent-resent"},
        [](const Row& r, std::uint64_t) -> Cell {
          const auto c = r.in("control");
          return {
              c.whole("client-resent") + "/" + c.whole("agent-resent"),
              c.number("client-resent") + c.number("agent-resent") > 0 ? Colour::kWarning : Colour::kNone};
        }},
       {{"IN", kRight, 6},
        {"traffic.bytes-in"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").bytes("bytes-in")}; }},
       {{"OUT", kRight, 6},
        {"traffic.bytes-out"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").bytes("bytes-out")}; }},
       {{"RELAY", kRight, 4}, {"relay"}, [](const Row& r, std::uint64_t) -> Cell { return {r.id("relay")}; }},
       {{"WORKER", kRight, 2},
        {"worker"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.whole("worker")}; }},
       {{"HOST NAME", kLeft, 3, 9},
        {"host-name"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("host-name")}; }},
       {{"CORRELATION", kLeft, 5},
        {"correlation"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("correlation")}; }}},
      {"stage", "closing", "peer", "peer-id", "client-l2tp-port", "agent-worker", "traffic.packets-in",
       "traffic.packets-out"}};
  return kView;
}

const View& backends_view() {
  static const View kView{
      "backends",
      {{{"NAME", kLeft, 10, 8},
        {"name"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("name")}; }},
       {{"STATE", kLeft, 10},
        {"state"},
        [](const Row& r, std::uint64_t) -> Cell {
          const auto state = r.text("state");
          return {state, state_colour(state)};
        }},
       {{"ADDRESS", kLeft, 8},
        {"agent-host", "agent-port"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.host("agent")}; }},
       {{"SESSIONS", kRight, 9},
        {"sessions", "max-sessions"},
        [](const Row& r, std::uint64_t) -> Cell { return {limited(r, "sessions", "max-sessions")}; }},
       {{"TUNNELS", kRight, 7},
        {"tunnels"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.whole("tunnels")}; }},
       {{"WEIGHT", kRight, 6},
        {"weight"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.whole("weight")}; }},
       {{"L2TP", kLeft, 6}, {"l2tp"}, [](const Row& r, std::uint64_t) -> Cell { return {r.text("l2tp")}; }},
       {{"CPU", kRight, 7},
        {"cpu-permille"},
        [](const Row& r, std::uint64_t) -> Cell { return {permille_text(r.number("cpu-permille"))}; }},
       {{"PACKETS/S", kRight, 5},
        {"packets-per-second"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.count("packets-per-second")}; }},
       {{"FREE IPS", kRight, 4},
        {"free-addresses"},
        [](const Row& r, std::uint64_t) -> Cell {
          return {r.has("free-addresses") ? r.whole("free-addresses") : "-"};
        }},
       {{"RTT", kRight, 4},
        {"rtt-us"},
        [](const Row& r, std::uint64_t) -> Cell {
          return {r.has("rtt-us") ? delay_text(r.number("rtt-us")) : "-"};
        }},
       {{"REPORTED", kRight, 5},
        {"report-age-ms"},
        [](const Row& r, std::uint64_t) -> Cell {
          return {r.has("report-age-ms") ? delay_text(r.number("report-age-ms") * 1000) + " ago" : "-"};
        }},
       {{"CONNECTED", kRight, 3},
        {"connected-since"},
        [](const Row& r, std::uint64_t now) -> Cell { return {r.age("connected-since", now)}; }},
       {{"CARRIER", kLeft, 2},
        {"carrier"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("carrier")}; }},
       {{"CERT ENDS IN", kRight, 2},
        {"certificate-expires"},
        [](const Row& r, std::uint64_t now) {
          return certificate_cell(r.number("certificate-expires"), now);
        }},
       {{"SOFTWARE", kLeft, 1, 8},
        {"software"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("software")}; }}},
      {"id", "draining", "l2tp-checked", "l2tp-text"}};
  return kView;
}

const View& peers_view() {
  static const View kView{
      "peers",
      {{{"PEER", kRight, 10}, {"id"}, [](const Row& r, std::uint64_t) -> Cell { return {r.id("id")}; }},
       {{"REMOTE", kLeft, 10},
        {"remote-host", "remote-port"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.host("remote")}; }},
       {{"IDENTITY", kLeft, 9, 8},
        {"identity"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("identity")}; }},
       {{"NAT", kLeft, 5}, {"nat"}, [](const Row& r, std::uint64_t) -> Cell { return {r.yes("nat")}; }},
       {{"IKE", kLeft, 7},
        {"ike.uniqueid", "ike.version"},
        [](const Row& r, std::uint64_t) -> Cell { return {ike_text(r.in("ike"))}; }},
       {{"PROPOSAL", kLeft, 2, 12},
        {"ike.proposal"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("ike").text("proposal")}; }},
       {{"UP", kRight, 8},
        {"up-since"},
        [](const Row& r, std::uint64_t now) -> Cell { return {r.age("up-since", now)}; }},
       {{"SAS", kRight, 7},
        {"sa-count"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.whole("sa-count")}; }},
       {{"TUNNELS", kRight, 6},
        {"tunnels"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.whole("tunnels")}; }},
       {{"SESSIONS", kRight, 6},
        {"sessions"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.whole("sessions")}; }},
       {{"IN", kRight, 4},
        {"traffic.bytes-in"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").bytes("bytes-in")}; }},
       {{"OUT", kRight, 4},
        {"traffic.bytes-out"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").bytes("bytes-out")}; }},
       {{"REPLAYED", kRight, 3},
        {"drops.replayed"},
        [](const Row& r, std::uint64_t) { return problem(r.in("drops").number("replayed")); }},
       {{"DROPPED", kRight, 3},
        {"drops.unauthentic", "drops.malformed"},
        [](const Row& r, std::uint64_t) {
          return problem(r.in("drops").number("unauthentic") + r.in("drops").number("malformed"));
        }},
       {{"CORRELATION", kLeft, 5},
        {"correlation"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("correlation")}; }}},
      {"local-host", "local-port", "traffic.packets-in", "traffic.packets-out", "sas"}};
  return kView;
}

const View& sas_view() {
  static const View kView{
      "SAs",
      {{{"PEER", kRight, 10}, {"peer"}, [](const Row& r, std::uint64_t) -> Cell { return {r.id("peer")}; }},
       {{"SPI IN", kLeft, 9},
        {"spi-in"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.spi("spi-in")}; }},
       {{"SPI OUT", kLeft, 9},
        {"spi-out"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.spi("spi-out")}; }},
       {{"CIPHER", kLeft, 8, 10},
        {"cipher"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.text("cipher")}; }},
       {{"UDP", kLeft, 3}, {"encap"}, [](const Row& r, std::uint64_t) -> Cell { return {r.yes("encap")}; }},
       {{"WORKER", kRight, 2},
        {"worker"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.whole("worker")}; }},
       {{"AGE", kRight, 6},
        {"installed-at"},
        [](const Row& r, std::uint64_t now) -> Cell { return {r.age("installed-at", now)}; }},
       {{"PACKETS IN", kRight, 4},
        {"traffic.packets-in"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").count("packets-in")}; }},
       {{"IN", kRight, 7},
        {"traffic.bytes-in"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").bytes("bytes-in")}; }},
       {{"PACKETS OUT", kRight, 4},
        {"traffic.packets-out"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").count("packets-out")}; }},
       {{"OUT", kRight, 7},
        {"traffic.bytes-out"},
        [](const Row& r, std::uint64_t) -> Cell { return {r.in("traffic").bytes("bytes-out")}; }},
       {{"REPLAYED", kRight, 5},
        {"drops.replayed"},
        [](const Row& r, std::uint64_t) { return problem(r.in("drops").number("replayed")); }},
       {{"UNAUTHENTIC", kRight, 5},
        {"drops.unauthentic"},
        [](const Row& r, std::uint64_t) { return problem(r.in("drops").number("unauthentic")); }},
       {{"MALFORMED", kRight, 5},
        {"drops.malformed"},
        [](const Row& r, std::uint64_t) { return problem(r.in("drops").number("malformed")); }}},
      {}};
  return kView;
}

const View& drops_view() {
  static const View kView{"drops",
                          {{{"STAGE", kLeft, 2},
                            {"stage"},
                            [](const Row& r, std::uint64_t) -> Cell { return {r.text("stage")}; }},
                           {{"REASON", kLeft, 3, 10},
                            {"reason"},
                            [](const Row& r, std::uint64_t) -> Cell { return {r.text("reason")}; }},
                           {{"COUNT", kRight, 3},
                            {"count"},
                            [](const Row& r, std::uint64_t) -> Cell { return {r.whole("count")}; }}},
                          {}};
  return kView;
}

const View& drains_view() {
  static const View kView{"drains",
                          {{{"DRAINED", kLeft, 10, 8},
                            {"agent", "kind"},
                            [](const Row& r, std::uint64_t) -> Cell {
                              return {r.text("kind") == "edge" ? "(this edge)" : r.text("agent")};
                            }},
                           {{"STATE", kLeft, 9},
                            {"state"},
                            [](const Row& r, std::uint64_t) { return stage_cell(r.text("state"), "empty"); }},
                           {{"LEFT", kRight, 9},
                            {"tunnels"},
                            [](const Row& r, std::uint64_t) -> Cell { return {r.whole("tunnels")}; }},
                           {{"OF", kRight, 6},
                            {"began-with"},
                            [](const Row& r, std::uint64_t) -> Cell { return {r.whole("began-with")}; }},
                           {{"SESSIONS", kRight, 7},
                            {"sessions"},
                            [](const Row& r, std::uint64_t) -> Cell { return {r.whole("sessions")}; }},
                           {{"ENDING", kRight, 5},
                            {"ending"},
                            [](const Row& r, std::uint64_t) -> Cell { return {r.whole("ending")}; }},
                           {{"SINCE", kRight, 4},
                            {"since"},
                            [](const Row& r, std::uint64_t now) -> Cell { return {r.age("since", now)}; }},
                           {{"DEADLINE", kRight, 8},
                            {"deadline"},
                            [](const Row& r, std::uint64_t now) -> Cell {
                              const auto deadline = r.number("deadline");
                              if (deadline == 0) return {"none"};
                              return {deadline > now ? "in " + duration_text(deadline - now) : "over"};
                            }},
                           {{"PER S", kRight, 3},
                            {"kick-rate"},
                            [](const Row& r, std::uint64_t) -> Cell { return {r.whole("kick-rate")}; }}},
                          {}};
  return kView;
}

Rows sas_of(const Rows& peers) {
  Rows out;
  for (const auto& peer : peers) {
    const auto* sas = peer.section("sas");
    if (!sas) continue;
    for (const auto& entry : sas->entries()) {
      if (!entry.section()) continue;
      auto row = *entry.section();
      row.add("peer", peer.get("id", "0"));
      out.push_back(std::move(row));
    }
  }
  return out;
}

std::string stats_text(const Message& stats, std::uint64_t now) {
  std::string out;
  const auto add = [&](const std::string& name, const Message& of, std::string_view key) {
    const Row row(of);
    out += name + std::string(name.size() < 28 ? 28 - name.size() : 1, ' ') + row.text(key);
    if (key == "expires-at" && row.number(key) != 0)
      out += " (in " + certificate_cell(row.number(key), now).text + ")";
    out += "\n";
  };
  for (const auto& entry : stats.entries()) {
    if (entry.text()) add(entry.name, stats, entry.name);
    if (const auto* section = entry.section()) {
      for (const auto& inner : section->entries()) {
        if (inner.text()) add(entry.name + "." + inner.name, *section, inner.name);
      }
    }
  }
  return out;
}

}  // namespace sluice::ctl
