#include "edge/ctl/top_frame.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "edge/ctl/json.hpp"
#include "edge/ctl/views.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;
using vici::Message;

std::uint64_t value(const Message& message, std::string_view path) {
  std::uint64_t out = 0;
  for (const char c : value_at(message, path).value_or("")) {
    if (c < '0' || c > '9') return 0;
    out = out * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return out;
}

/// Which session of which tunnel; a tunnel without one counts as a session that is not up.
std::string name_of(const Message& session) {
  return std::string(session.get("correlation")) + "/" + std::to_string(value(session, "l2tp.relay")) + "/" +
         std::to_string(value(session, "l2tp.agent-session"));
}

std::string reason_of(const Message& drop) {
  return std::string(drop.get("stage")) + " " + std::string(drop.get("reason"));
}

class Rates {
 public:
  explicit Rates(double interval) : interval_(interval) {}
  double of(std::uint64_t before, std::uint64_t now) const {
    return interval_ <= 0 || now < before ? 0 : static_cast<double>(now - before) / interval_;
  }
  double of(const Message* before, const Message& now, std::string_view path) const {
    return before ? of(value(*before, path), value(now, path)) : 0;
  }

 private:
  double interval_;
};

std::map<std::string, const Message*> by_name(const Rows& rows) {
  std::map<std::string, const Message*> out;
  for (const auto& row : rows) out.emplace(name_of(row), &row);
  return out;
}

std::string rate_text(double rate) {
  return count_text(static_cast<std::uint64_t>(std::llround(rate)));
}
std::string bits_text(double rate) {
  auto text = bytes_text(static_cast<std::uint64_t>(std::llround(rate)));
  text.pop_back();
  return text + "bit/s";
}

constexpr std::string_view kBold = "\x1b[1m", kReverse = "\x1b[7m", kReset = "\x1b[0m";

/// Lines that fit.
class Canvas {
 public:
  Canvas(TopSize size, bool colour) : size_(size), colour_(colour) {}

  void line(std::string text, std::string_view paint = "") {
    if (full()) return;
    if (size_.columns > 0) text.resize(std::min(text.size(), size_.columns));
    if (colour_ && !paint.empty()) text = std::string(paint) + text + std::string(kReset);
    lines_.push_back(std::move(text));
  }
  /// At most `rows` lines of it, its header included.
  void table(const Table& table, std::size_t rows) {
    const auto text = table.render({size_.columns, colour_}).text;
    std::size_t at = 0;
    for (std::size_t i = 0; i < rows && at < text.size() && !full(); ++i) {
      const auto end = text.find('\n', at);
      lines_.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }
  std::size_t left() const { return size_.rows == 0 ? 1'000'000 : size_.rows - lines_.size(); }
  bool full() const { return left() == 0; }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  TopSize size_;
  bool colour_;
  std::vector<std::string> lines_;
};

Table sessions_table(const std::vector<TopSession>& sessions, std::uint64_t now) {
  constexpr auto kRight = Align::kRight;
  Table out({{"USER", Align::kLeft, 9, 6},
             {"CLIENT", Align::kLeft, 7},
             {"IP", Align::kLeft, 6},
             {"AGENT", Align::kLeft, 5, 6},
             {"IN", kRight, 10},
             {"OUT", kRight, 10},
             {"PACKETS/S", kRight, 8},
             {"UP", kRight, 4},
             {"CORRELATION", Align::kLeft, 3}});
  for (const auto& s : sessions) {
    const auto age = s.up_since == 0 ? "-" : duration_text(now > s.up_since ? now - s.up_since : 0);
    out.add({{s.user},
             {s.client},
             {s.ip},
             {s.agent},
             {bits_text(s.bits_in)},
             {bits_text(s.bits_out)},
             {rate_text(s.packets)},
             {age},
             {s.correlation}});
  }
  return out;
}

Table reasons_table(const std::vector<TopDrop>& reasons) {
  Table out({{"STAGE", Align::kLeft, 2},
             {"REASON", Align::kLeft, 3, 10},
             {"PER S", Align::kRight, 3},
             {"COUNT", Align::kRight, 3}});
  for (const auto& d : reasons)
    out.add({{d.stage},
             {d.reason},
             {rate_text(d.rate), d.rate > 0 ? Colour::kWarning : Colour::kNone},
             {std::to_string(d.count)}});
  return out;
}

std::string_view name_of(TopSort sort) {
  switch (sort) {
    case TopSort::kTraffic:
      return "traffic";
    case TopSort::kIn:
      return "in";
    case TopSort::kOut:
      return "out";
    case TopSort::kUser:
      return "user";
    case TopSort::kNewest:
      return "newest";
    case TopSort::kCount:
      break;
  }
  return "?";
}

void draw_head(const TopFrame& frame, const TopScreen& screen, Canvas& canvas) {
  const Row version(frame.version), stats(frame.stats);
  const auto edge = stats.in("uptime");
  auto ready = std::string(frame.stats.flag("ready").value_or(false) ? "ready" : "NOT READY");
  if (stats.has("not-ready")) ready += " (" + stats.text("not-ready") + ")";
  canvas.line(version.text("edge-name") + "  " + ready + "  up " +
                  duration_text(edge.number("running-seconds")) + (screen.paused ? "  PAUSED" : "") +
                  "  (? keys)",
              kReverse);
  canvas.line("sessions " + stats.count("sessions") + "  tunnels " + stats.count("tunnels") + "  peers " +
              stats.count("peers") + "  agents " + stats.in("backends").whole("up") + "/" +
              stats.in("backends").whole("total") + "  IKE " + stats.in("ike-probe").text("ike"));
  canvas.line("in " + bits_text(frame.bits_in) + "  out " + bits_text(frame.bits_out) + "  " +
              rate_text(frame.packets) + " packets/s  " + rate_text(frame.drops) + " drops/s  " +
              rate_text(frame.logins) + " logins/s");
  if (!screen.trouble.empty()) canvas.line(screen.trouble, kBold);
  canvas.line("");
}

void draw_help(Canvas& canvas) {
  for (const auto* text : {"o  overview", "a  agents", "p  people: sessions", "d  drops by reason",
                           "s  the next order of sessions", "space  stops and goes on", "q  ends"})
    canvas.line(text);
}

ordered_json session_json(const TopSession& s) {
  return {{"correlation", s.correlation},
          {"user", s.user},
          {"client", s.client},
          {"ip", s.ip},
          {"agent", s.agent},
          {"bits_in_per_second", s.bits_in},
          {"bits_out_per_second", s.bits_out},
          {"packets_per_second", s.packets}};
}

}  // namespace

TopFrame compare(const std::optional<Look>& before, const Look& now) {
  TopFrame out;
  out.time = now.time;
  out.version = now.version;
  out.stats = now.stats;
  out.backends = now.backends;
  out.interval = before && now.at > before->at ? now.at - before->at : 0;
  const Rates rates(out.interval);
  const auto* old = before ? &before->stats : nullptr;
  out.bits_in = 8 * rates.of(old, now.stats, "traffic.bytes-in");
  out.bits_out = 8 * rates.of(old, now.stats, "traffic.bytes-out");
  out.packets =
      rates.of(old, now.stats, "traffic.packets-in") + rates.of(old, now.stats, "traffic.packets-out");
  out.drops = rates.of(old, now.stats, "drops");
  const auto known = before ? by_name(before->sessions) : std::map<std::string, const Message*>();
  std::uint64_t logins = 0;
  for (const auto& row : now.sessions) {
    const auto found = known.find(name_of(row));
    const auto* was = found == known.end() ? nullptr : found->second;
    const bool up = row.get("stage") == "up";
    if (up && (!was || was->get("stage") != "up")) ++logins;
    const Row r(row);
    out.sessions.push_back(
        {.correlation = r.text("correlation"),
         .user = r.in("ppp").text("user"),
         .client = r.host("client"),
         .ip = r.in("ppp").text("assigned-ip"),
         .agent = r.in("ppp").text("agent"),
         .up_since = up ? r.number("up-since") : 0,
         .bits_in = 8 * rates.of(was, row, "traffic.bytes-in"),
         .bits_out = 8 * rates.of(was, row, "traffic.bytes-out"),
         .packets = rates.of(was, row, "traffic.packets-in") + rates.of(was, row, "traffic.packets-out")});
  }
  out.logins = rates.of(0, logins);
  std::map<std::string, std::uint64_t> dropped;
  if (before)
    for (const auto& row : before->drops) dropped[reason_of(row)] = value(row, "count");
  for (const auto& row : now.drops) {
    const Row r(row);
    const auto was = dropped.find(reason_of(row));
    const auto count = r.number("count");
    // A reason that was not there had not occurred.
    out.reasons.push_back({r.text("stage"), r.text("reason"), count,
                           before ? rates.of(was == dropped.end() ? 0 : was->second, count) : 0});
  }
  std::ranges::stable_sort(out.reasons, [](const TopDrop& a, const TopDrop& b) {
    return a.rate != b.rate ? a.rate > b.rate : a.count > b.count;
  });
  order(out.sessions, TopSort::kTraffic);
  return out;
}

void order(std::vector<TopSession>& sessions, TopSort by) {
  std::ranges::stable_sort(sessions, [by](const TopSession& a, const TopSession& b) {
    switch (by) {
      case TopSort::kIn:
        return a.bits_in > b.bits_in;
      case TopSort::kOut:
        return a.bits_out > b.bits_out;
      case TopSort::kUser:
        return a.user < b.user;
      case TopSort::kNewest:
        return a.up_since > b.up_since;
      case TopSort::kTraffic:
      case TopSort::kCount:
        break;
    }
    return a.bits_in + a.bits_out > b.bits_in + b.bits_out;
  });
}

std::vector<std::string> draw(const TopFrame& frame, const TopScreen& screen, TopSize size, bool colour) {
  Canvas canvas(size, colour);
  draw_head(frame, screen, canvas);
  if (screen.help) {
    draw_help(canvas);
    return canvas.take();
  }
  const auto now = frame.time;
  constexpr std::size_t kAll = 1'000'000;
  if (screen.view == TopView::kAgents || screen.view == TopView::kOverview) {
    // In the overview sessions have at least half of the room.
    const auto share = screen.view == TopView::kAgents ? kAll : std::max<std::size_t>(2, canvas.left() / 2);
    const auto chosen = Chosen::resolve(backends_view(), {});
    auto agents = frame.backends;
    if (chosen) canvas.table(chosen->table(agents, now), share);
    if (screen.view == TopView::kOverview) canvas.line("");
  }
  if (screen.view == TopView::kSessions || screen.view == TopView::kOverview) {
    auto sessions = frame.sessions;
    order(sessions, screen.sort);
    canvas.line("sessions by " + std::string(name_of(screen.sort)), kBold);
    // A screen shows a few of what may be many thousands.
    if (sessions.size() > canvas.left()) sessions.resize(canvas.left());
    canvas.table(sessions_table(sessions, now), kAll);
  }
  if (screen.view == TopView::kDrops) canvas.table(reasons_table(frame.reasons), kAll);
  return canvas.take();
}

ordered_json to_json(const TopFrame& frame) {
  const Row stats(frame.stats);
  ordered_json edge{{"name", escaped(frame.version.get("edge-name"))},
                    {"ready", frame.stats.flag("ready").value_or(false)},
                    {"draining", frame.stats.flag("draining").value_or(false)}};
  if (stats.has("not-ready")) edge["not_ready"] = escaped(frame.stats.get("not-ready"), 1024);
  edge["ike_ready"] = frame.stats.flag("ike-ready").value_or(false);
  edge["uptime"] = value(frame.stats, "uptime.running-seconds");
  for (const auto* key : {"peers", "tunnels", "sessions"}) edge[key] = value(frame.stats, key);
  edge["backends_up"] = value(frame.stats, "backends.up");
  edge["backends_total"] = value(frame.stats, "backends.total");
  edge["bits_in_per_second"] = frame.bits_in;
  edge["bits_out_per_second"] = frame.bits_out;
  edge["packets_per_second"] = frame.packets;
  edge["drops_per_second"] = frame.drops;
  edge["logins_per_second"] = frame.logins;
  ordered_json out{{"time", frame.time}, {"interval", frame.interval}, {"edge", std::move(edge)}};
  auto& backends = out["backends"] = ordered_json::array();
  for (const auto& row : frame.backends) backends.push_back(ctl::to_json(row));
  auto& sessions = out["sessions"] = ordered_json::array();
  for (const auto& session : frame.sessions) sessions.push_back(session_json(session));
  return out;
}

}  // namespace sluice::ctl
