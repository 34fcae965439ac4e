#include "lab/swarm/report.hpp"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace sluice::swarm {
namespace {

using Json = nlohmann::ordered_json;

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}
double milliseconds(Duration time) {
  return seconds(time) * 1000;
}

template <class... Args>
std::string print(const char* format, Args... args) {
  std::array<char, 256> line;
  const int size = std::snprintf(line.data(), line.size(), format, args...);
  return {line.data(), std::min(line.size() - 1, static_cast<std::size_t>(std::max(0, size)))};
}

Json times(const Histogram& of) {
  return {{"count", of.count()},
          {"median_ms", milliseconds(of.quantile(0.5))},
          {"p95_ms", milliseconds(of.quantile(0.95))},
          {"p99_ms", milliseconds(of.quantile(0.99))},
          {"max_ms", milliseconds(of.longest())}};
}

Json echoes(const EchoTotals& of) {
  return {{"clients", of.clients}, {"sent", of.sent}, {"answered", of.answered}, {"lost", of.lost()}};
}

std::string row(const char* name, const Histogram& of) {
  if (of.count() == 0) return {};
  return print("  %-10s %9llu %10.1f %10.1f %10.1f %10.1f\n", name,
               static_cast<unsigned long long>(of.count()), milliseconds(of.quantile(0.5)),
               milliseconds(of.quantile(0.95)), milliseconds(of.quantile(0.99)), milliseconds(of.longest()));
}

std::string row(const char* name, const EchoTotals& of) {
  if (of.clients == 0) return {};
  return print("  %-22s %7llu %11llu %11llu %9llu\n", name, static_cast<unsigned long long>(of.clients),
               static_cast<unsigned long long>(of.sent), static_cast<unsigned long long>(of.answered),
               static_cast<unsigned long long>(of.lost()));
}

}  // namespace

double Report::rate() const {
  const double time = seconds(connecting_time);
  return time > 0 ? static_cast<double>(connected) / time : 0;
}

std::string to_json(const Report& r) {
  Json out{
      {"clients", r.clients},
      {"up", r.up},
      {"most_up", r.most_up},
      {"connected", r.connected},
      {"failed", r.failed},
      {"lost", r.lost},
      {"never_up", r.never_up},
      {"seconds", seconds(r.elapsed)},
      {"connects_per_second", r.rate()},
      {"phases",
       {{"keys", times(r.keys)}, {"l2tp", times(r.l2tp)}, {"ppp", times(r.ppp)}, {"total", times(r.total)}}},
      {"recovery", times(r.recovery)},
      {"echo",
       {{"undisturbed", echoes(r.undisturbed)},
        {"disturbed", echoes(r.disturbed)},
        {"round_trip", times(r.echo)}}},
      {"causes", r.causes},
      {"drops", r.drops},
      {"datagrams_not_sent", r.not_sent},
      {"datagrams_dropped_in", r.dropped_in}};
  return out.dump(2);
}

std::string to_table(const Report& r) {
  std::string out = print(
      "%u clients: %u up at the end, %u at most; %llu connections (%.1f a second), %llu failed, %llu cut "
      "off\n",
      r.clients, r.up, r.most_up, static_cast<unsigned long long>(r.connected), r.rate(),
      static_cast<unsigned long long>(r.failed), static_cast<unsigned long long>(r.lost));
  out += print("  %-10s %9s %10s %10s %10s %10s\n", "ms", "count", "median", "p95", "p99", "max");
  out += row("keys", r.keys) + row("L2TP", r.l2tp) + row("PPP", r.ppp) + row("all", r.total) +
         row("recovery", r.recovery) + row("echo", r.echo);
  if (r.undisturbed.sent + r.disturbed.sent > 0) {
    out += print("  %-22s %7s %11s %11s %9s\n", "echoes", "clients", "sent", "answered", "lost");
    out += row("never cut off", r.undisturbed) + row("cut off meanwhile", r.disturbed);
  }
  for (const auto& [cause, count] : r.causes) out += "  " + std::to_string(count) + " x " + cause + "\n";
  for (const auto& [reason, count] : r.drops)
    out += "  dropped " + std::to_string(count) + ": " + reason + "\n";
  if (r.not_sent + r.dropped_in > 0) {
    out += print("  datagrams that the swarm's own sockets lost: %llu out, %llu in\n",
                 static_cast<unsigned long long>(r.not_sent), static_cast<unsigned long long>(r.dropped_in));
  }
  return out;
}

std::string progress_line(const Report& r) {
  std::string out =
      print("%.1f s: %u of %u up, %u connecting, %llu failed, %llu cut off, %llu connections",
            seconds(r.elapsed), r.up, r.clients, r.connecting, static_cast<unsigned long long>(r.failed),
            static_cast<unsigned long long>(r.lost), static_cast<unsigned long long>(r.connected));
  const auto sent = r.undisturbed.sent + r.disturbed.sent;
  if (sent == 0) return out;
  return out + print(", %llu of %llu echoes answered",
                     static_cast<unsigned long long>(r.undisturbed.answered + r.disturbed.answered),
                     static_cast<unsigned long long>(sent));
}

}  // namespace sluice::swarm
