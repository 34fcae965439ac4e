#include "edge/ctl/json.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;

// Every name that carries a number or a yes/no. Names not listed are texts, whatever they look like: a user
// may well be called "1e5" or "yes".
const std::set<std::string_view> kNumbers{
    "up-since", "client-port",   "edge-port",          "remote-port",    "local-port",      "agent-port",
    "peer",     "uniqueid",      "client-tunnel",      "agent-tunnel",   "client-session",  "agent-session",
    "relay",    "worker",        "packets-in",         "bytes-in",       "packets-out",     "bytes-out",
    "id",       "weight",        "sessions",           "tunnels",        "max-sessions",    "cpu-permille",
    "rtt-us",   "report-age-ms", "packets-per-second", "free-addresses", "connected-since", "installed-at",
    "replayed", "unauthentic",   "malformed",          "sa-count",       "count",           "ike.version",
    "took-ms",  "l2tp-checked",
};
// Of `stats`, certificates, placement and drains.
const std::set<std::string_view> kMoreNumbers{"certificate-expires",
                                              "expires-at",
                                              "crl-next-update",
                                              "checked",
                                              "running-seconds",
                                              "since",
                                              "peers",
                                              "sas",
                                              "drops",
                                              "workers.total",
                                              "backends.total",
                                              "backends.up",
                                              "deadline",
                                              "kick-rate",
                                              "began-with",
                                              "ending",
                                              "score-milli",
                                              "handicap",
                                              "busy-permille",
                                              "radius-ms",
                                              "opened-at",
                                              "client-window",
                                              "agent-window",
                                              "client-resent",
                                              "agent-resent",
                                              "client-l2tp-port",
                                              "agent-worker",
                                              "seconds-left",
                                              "sequence",
                                              "time",
                                              "time-ms",
                                              "error",
                                              "missed",
                                              "began-ms",
                                              "ended-ms",
                                              "ike-rekeys",
                                              "child-rekeys",
                                              "left-out",
                                              "left-out-at",
                                              "rate"};
const std::set<std::string_view> kFlags{"nat",      "draining", "encap",   "ready",   "ike-ready", "chosen",
                                        "eligible", "spare",    "closing", "success", "dry-run"};
// Sections that are a list of like things under running numbers.
const std::set<std::string_view> kArrays{"sas"};

ordered_json value_json(const vici::Message& parent, const std::string& section, const std::string& name) {
  // The first of a name counts, as for every reader of vici.
  const auto qualified = section + "." + name;
  if (kNumbers.contains(name) || kNumbers.contains(qualified) || kMoreNumbers.contains(name) ||
      kMoreNumbers.contains(qualified)) {
    if (const auto number = parent.number(name)) return *number;
  }
  if (kFlags.contains(name)) {
    if (const auto flag = parent.flag(name)) return *flag;
  }
  return std::string(parent.get(name));
}

ordered_json section_json(const vici::Message& message, const std::string& section) {
  ordered_json out = ordered_json::object();
  for (const auto& entry : message.entries()) {
    std::string key = entry.name;
    std::replace(key.begin(), key.end(), '-', '_');
    if (out.contains(key)) continue;
    if (entry.text()) {
      out[key] = value_json(message, section, entry.name);
    } else if (const auto* list = entry.list()) {
      out[key] = *list;
    } else if (kArrays.contains(entry.name)) {
      auto& array = out[key] = ordered_json::array();
      for (const auto& item : entry.section()->entries()) {
        if (item.section()) array.push_back(section_json(*item.section(), ""));
      }
    } else {
      out[key] = section_json(*entry.section(), entry.name);
    }
  }
  return out;
}

}  // namespace

ordered_json to_json(const vici::Message& message) {
  return section_json(message, "");
}

std::string to_text(const ordered_json& value) {
  return value.dump(2, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

std::string to_line(const ordered_json& value) {
  return value.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::ctl
