#include "edge/ctl/views.hpp"

#include <algorithm>
#include <string>

#include "base/text.hpp"
#include "edge/ctl/human.hpp"

namespace sluice::ctl {
namespace {

using vici::Message;

/// Reads a row without fuss: a section or value that is not there is empty.
class Row {
 public:
  explicit Row(const Message& message) : message_(message) {}
  Row in(std::string_view section) const {
    static const Message nothing;
    const auto* found = message_.section(section);
    return Row(found ? *found : nothing);
  }
  const Message& message() const { return message_; }
  bool has(std::string_view name) const { return message_.value(name).has_value(); }
  std::uint64_t number(std::string_view name) const { return message_.number(name).value_or(0); }

  std::string text(std::string_view name) const {
    const auto value = message_.get(name);
    return value.empty() ? "-" : escaped(value);
  }
  /// A number in which 0 means none.
  std::string id(std::string_view name) const {
    return number(name) == 0 ? "-" : std::to_string(number(name));
  }
  std::string count(std::string_view name) const { return count_text(number(name)); }
  std::string whole(std::string_view name) const { return std::to_string(number(name)); }
  std::string bytes(std::string_view name) const { return bytes_text(number(name)); }
  std::string yes(std::string_view name) const { return message_.flag(name).value_or(false) ? "yes" : "no"; }
  std::string age(std::string_view name, std::uint64_t now) const {
    const auto since = number(name);
    return since == 0 ? "-" : duration_text(now > since ? now - since : 0);
  }
  std::string host(const std::string& prefix) const {
    const auto address = text(prefix + "-host");
    if (address == "-") return address;
    const bool v6 = address.find(':') != std::string::npos;
    return (v6 ? "[" + address + "]" : address) + ":" + whole(prefix + "-port");
  }
  std::string spi(std::string_view name) const {
    const auto digits = text(name);
    return digits == "00000000" ? "-" : digits;
  }
  std::string pair(std::string_view a, std::string_view b) const { return id(a) + "/" + id(b); }

 private:
  const Message& message_;
};

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

}  // namespace

Table sessions_table(const Rows& rows, std::uint64_t now) {
  constexpr auto kRight = Align::kRight;
  Table table({{"CLIENT", Align::kLeft, 10},
               {"USER", Align::kLeft, 9, 6},
               {"IP", Align::kLeft, 10},
               {"AGENT", Align::kLeft, 8, 6},
               {"STAGE", Align::kLeft, 7},
               {"UP", kRight, 8},
               {"IN", kRight, 6},
               {"OUT", kRight, 6},
               {"IKE", Align::kLeft, 4},
               {"IKE PROPOSAL", Align::kLeft, 0, 12},
               {"ESP CIPHER", Align::kLeft, 3, 10},
               {"SPI IN/OUT", Align::kLeft, 1},
               {"TUNNEL", Align::kLeft, 2},
               {"SESSION", Align::kLeft, 2},
               {"PEER ID", Align::kLeft, 3, 8},
               {"CORRELATION", Align::kLeft, 5}});
  for (const auto& message : rows) {
    const Row row(message);
    const auto ike = row.in("ike");
    const auto child = row.in("child");
    const auto l2tp = row.in("l2tp");
    const auto ppp = row.in("ppp");
    const auto traffic = row.in("traffic");
    const auto stage = row.text("stage");
    table.add({{row.host("client")},
               {ppp.text("user")},
               {ppp.text("assigned-ip")},
               {ppp.text("agent")},
               {stage, stage == "up" ? Colour::kGood : Colour::kWarning},
               {row.age("up-since", now)},
               {traffic.bytes("bytes-in")},
               {traffic.bytes("bytes-out")},
               {ike_text(ike)},
               {ike.text("proposal")},
               {child.text("cipher")},
               {child.spi("spi-in") + "/" + child.spi("spi-out")},
               {l2tp.pair("client-tunnel", "agent-tunnel")},
               {l2tp.pair("client-session", "agent-session")},
               {ike.text("peer-id")},
               {row.text("correlation")}});
  }
  return table;
}

Table backends_table(const Rows& rows, std::uint64_t now) {
  constexpr auto kRight = Align::kRight;
  Table table({{"NAME", Align::kLeft, 10, 8},
               {"STATE", Align::kLeft, 10},
               {"ADDRESS", Align::kLeft, 8},
               {"SESSIONS", kRight, 9},
               {"TUNNELS", kRight, 7},
               {"WEIGHT", kRight, 6},
               {"L2TP", Align::kLeft, 6},
               {"CPU", kRight, 7},
               {"PACKETS/S", kRight, 5},
               {"FREE IPS", kRight, 4},
               {"RTT", kRight, 4},
               {"REPORTED", kRight, 5},
               {"CONNECTED", kRight, 3},
               {"CARRIER", Align::kLeft, 2},
               {"CERT ENDS IN", kRight, 2},
               {"SOFTWARE", Align::kLeft, 1, 8}});
  for (const auto& message : rows) {
    const Row row(message);
    const auto state = row.text("state");
    table.add({{row.text("name")},
               {state, state_colour(state)},
               {row.host("agent")},
               {row.whole("sessions") + (row.number("max-sessions") ? "/" + row.whole("max-sessions") : "")},
               {row.whole("tunnels")},
               {row.whole("weight")},
               {row.text("l2tp")},
               {permille_text(row.number("cpu-permille"))},
               {row.count("packets-per-second")},
               {row.has("free-addresses") ? row.whole("free-addresses") : "-"},
               {row.has("rtt-us") ? delay_text(row.number("rtt-us")) : "-"},
               {row.has("report-age-ms") ? delay_text(row.number("report-age-ms") * 1000) + " ago" : "-"},
               {row.age("connected-since", now)},
               {row.text("carrier")},
               certificate_cell(row.number("certificate-expires"), now),
               {row.text("software")}});
  }
  return table;
}

Table peers_table(const Rows& rows, std::uint64_t now) {
  constexpr auto kRight = Align::kRight;
  Table table({{"PEER", kRight, 10},
               {"REMOTE", Align::kLeft, 10},
               {"IDENTITY", Align::kLeft, 9, 8},
               {"NAT", Align::kLeft, 5},
               {"IKE", Align::kLeft, 7},
               {"PROPOSAL", Align::kLeft, 2, 12},
               {"UP", kRight, 8},
               {"SAS", kRight, 7},
               {"TUNNELS", kRight, 6},
               {"SESSIONS", kRight, 6},
               {"IN", kRight, 4},
               {"OUT", kRight, 4},
               {"REPLAYED", kRight, 3},
               {"DROPPED", kRight, 3},
               {"CORRELATION", Align::kLeft, 5}});
  for (const auto& message : rows) {
    const Row row(message);
    const auto traffic = row.in("traffic");
    const auto drops = row.in("drops");
    table.add({{row.id("id")},
               {row.host("remote")},
               {row.text("identity")},
               {row.yes("nat")},
               {ike_text(row.in("ike"))},
               {row.in("ike").text("proposal")},
               {row.age("up-since", now)},
               {row.whole("sa-count")},
               {row.whole("tunnels")},
               {row.whole("sessions")},
               {traffic.bytes("bytes-in")},
               {traffic.bytes("bytes-out")},
               problem(drops.number("replayed")),
               problem(drops.number("unauthentic") + drops.number("malformed")),
               {row.text("correlation")}});
  }
  return table;
}

Table sas_table(const Rows& rows, std::uint64_t now) {
  constexpr auto kRight = Align::kRight;
  Table table({{"PEER", kRight, 10},
               {"SPI IN", Align::kLeft, 9},
               {"SPI OUT", Align::kLeft, 9},
               {"CIPHER", Align::kLeft, 8, 10},
               {"UDP", Align::kLeft, 3},
               {"WORKER", kRight, 2},
               {"AGE", kRight, 6},
               {"PACKETS IN", kRight, 4},
               {"IN", kRight, 7},
               {"PACKETS OUT", kRight, 4},
               {"OUT", kRight, 7},
               {"REPLAYED", kRight, 5},
               {"UNAUTHENTIC", kRight, 5},
               {"MALFORMED", kRight, 5}});
  for (const auto& message : rows) {
    const Row row(message);
    for (const auto& entry : row.in("sas").message().entries()) {
      if (!entry.section()) continue;
      const Row sa(*entry.section());
      const auto traffic = sa.in("traffic");
      const auto drops = sa.in("drops");
      table.add({{row.id("id")},
                 {sa.spi("spi-in")},
                 {sa.spi("spi-out")},
                 {sa.text("cipher")},
                 {sa.yes("encap")},
                 {sa.whole("worker")},
                 {sa.age("installed-at", now)},
                 {traffic.count("packets-in")},
                 {traffic.bytes("bytes-in")},
                 {traffic.count("packets-out")},
                 {traffic.bytes("bytes-out")},
                 problem(drops.number("replayed")),
                 problem(drops.number("unauthentic")),
                 problem(drops.number("malformed"))});
    }
  }
  return table;
}

Table drops_table(Rows rows, bool all) {
  std::ranges::stable_sort(rows, std::greater<>(),
                           [](const Message& m) { return m.number("count").value_or(0); });
  Table table({{"STAGE", Align::kLeft, 2}, {"REASON", Align::kLeft, 3, 10}, {"COUNT", Align::kRight, 3}});
  for (const auto& message : rows) {
    const Row row(message);
    if (!all && row.number("count") == 0) continue;
    table.add({{row.text("stage")}, {row.text("reason")}, {row.whole("count")}});
  }
  return table;
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
