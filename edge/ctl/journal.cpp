#include "edge/ctl/journal.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "edge/ctl/json.hpp"
#include "edge/ctl/live_query.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;
using vici::Message;

constexpr Duration kForever = std::chrono::hours(24 * 366);
constexpr std::size_t kLongest = 512;

std::string said(const Message& row, std::string_view name, std::string_view otherwise = "") {
  return escaped(row.get(name, otherwise), kLongest);
}

/// "2026-01-31 12:00:00.123", UTC.
std::string time_text(std::uint64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const auto size = std::strftime(text.data(), text.size(), "%F %T", &parts);
  const auto rest = std::to_string(1000 + ms % 1000).substr(1);
  return std::string(text.data(), size) + "." + rest;
}

/// "+0.120", "+59.000", "+2m 05s".
std::string after_text(std::uint64_t ms) {
  if (ms >= 60'000) return "+" + duration_text(ms / 1000);
  return "+" + std::to_string(ms / 1000) + "." + std::to_string(1000 + ms % 1000).substr(1);
}

std::string detail(const Message& row, std::string_view name) {
  const auto* details = row.section("details");
  return details == nullptr ? "" : said(*details, name);
}

std::string behind(std::string_view before, const std::string& text, std::string_view after = "") {
  return text.empty() ? "" : std::string(before) + text + std::string(after);
}

using Sentence = std::string (*)(const Message&);
struct Wording {
  std::string_view kind;
  Sentence sentence;
};
// One row a kind; one that is not here is told by its text.
constexpr std::array kWordings{
    Wording{"ike-packet",
            [](const Message& e) { return "first IKE packet" + behind(" from ", said(e, "client")); }},
    Wording{"ike-failed",
            [](const Message& e) {
              return "IKE failed" + behind(" from ", said(e, "client")) + ": " + said(e, "text");
            }},
    Wording{"ike-up",
            [](const Message& e) {
              return "IKEv" + detail(e, "version") + " up" + behind(" from ", said(e, "client")) +
                     (detail(e, "nat") == "yes" ? " behind NAT" : "") +
                     behind(", identity ", said(e, "identity")) + behind(", ", detail(e, "proposal"));
            }},
    Wording{"ike-down", [](const Message&) { return std::string("IKE SA down"); }},
    Wording{"child-up", [](const Message& e) { return "ESP up" + behind(": ", detail(e, "cipher")); }},
    Wording{"moved",
            [](const Message& e) {
              return "moved" + behind(" from ", detail(e, "from")) + behind(" to ", said(e, "client"));
            }},
    Wording{"agent-refused",
            [](const Message& e) {
              return said(e, "agent") + " did not take the tunnel" + behind(": ", said(e, "text"));
            }},
    Wording{"placed",
            [](const Message& e) {
              return "tunnel placed at " + said(e, "agent") + behind(": ", said(e, "text"));
            }},
    Wording{"refused", [](const Message& e) { return "tunnel refused" + behind(": ", said(e, "text")); }},
    Wording{"tunnel-up",
            [](const Message& e) { return "L2TP tunnel up" + behind(", host ", detail(e, "host")); }},
    Wording{"session-open", [](const Message&) { return std::string("L2TP session open"); }},
    Wording{"session-up",
            [](const Message& e) {
              return "PPP up: " + said(e, "user", "?") + behind(", ", said(e, "address")) +
                     behind(", ", detail(e, "auth")) + behind(", on ", said(e, "agent"));
            }},
    Wording{"session-down",
            [](const Message& e) {
              return "session ended" + behind(" (", said(e, "user"), ")") +
                     behind(": ", said(e, "text", e.get("cause")));
            }},
    Wording{"closing",
            [](const Message& e) { return detail(e, "what") + " is closed by " + said(e, "text"); }},
    Wording{"ending",
            [](const Message& e) {
              return "the " + detail(e, "by") + " ends the tunnel" +
                     behind(": ", said(e, "text", e.get("cause")));
            }},
    Wording{"closed",
            [](const Message& e) {
              return "tunnel over" + behind(", by the ", detail(e, "by")) +
                     behind(": ", said(e, "text", e.get("cause")));
            }},
    Wording{"resumed",
            [](const Message& e) {
              return "tunnel goes on" + behind(" at ", said(e, "agent")) + behind(", ", said(e, "user")) +
                     behind(", ", said(e, "address"));
            }},
    Wording{"gone", [](const Message& e) { return "nothing of it is left" + behind(": ", said(e, "text")); }},
    Wording{"agent-up", [](const Message& e) { return "agent " + said(e, "agent") + " is up"; }},
    Wording{"agent-down",
            [](const Message& e) {
              return "agent " + said(e, "agent") + " is down" + behind(": ", said(e, "text"));
            }},
};

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

constexpr std::size_t kKindWidth = 13;

std::string line_of(const Message& row) {
  auto who = said(row, "tunnel", row.get("correlation"));
  const auto user = said(row, "user");
  return time_text(row.number("time-ms").value_or(0)) + "  " + padded(said(row, "kind"), kKindWidth) + "  " +
         padded(who.empty() ? "-" : who, 15) + "  " + padded(user.empty() ? "-" : user, 8) + "  " +
         entry_text(row) + "\n";
}

void say_missed(const Conversation& with, std::uint64_t missed) {
  with.to.error << "sluicectl: " << missed << (missed == 1 ? " event was" : " events were")
                << " missed: they came faster than they were read, or are too old to be kept\n";
}

Message about(const std::string& who, std::uint32_t count) {
  return Message().add("who", who).add("count", count);
}

int nobody(const Conversation& with, const std::string& who) {
  return with.fail(
      "nothing is remembered of '" + escaped(who) +
      "': a correlation id, user, IKE identity, public or assigned address; the edge forgets at a "
      "restart");
}

}  // namespace

std::string entry_text(const Message& entry) {
  const auto* known = std::ranges::find(kWordings, entry.get("kind"), &Wording::kind);
  auto out = known == kWordings.end() ? said(entry, "text") : known->sentence(entry);
  const auto error = entry.number("error").value_or(0);
  // What IKE says has it in its sentence.
  if (error != 0 && out.find("Windows error") == std::string::npos)
    out += " (Windows error " + std::to_string(error) + ")";
  return out;
}

CLI::App* EventsCommand::add_to(CLI::App& app) {
  auto* command =
      app.add_subcommand("events", "what happened: the last events, and with --follow each as it comes");
  command->add_flag("-f,--follow", follow_,
                    "goes on until it is interrupted; with JSON it wants --json=lines");
  command->add_option("--last", last_, "how many of the past; 50, with --follow 10")
      ->check(CLI::Range(1, 100000));
  command->add_option("--kind", kinds_, "only of this kind, some with commas: session-up,session-down")
      ->delimiter(',');
  command->add_option("--user", user_, "only of this PPP user");
  command->add_option("--identity", identity_, "only of this IKE identity");
  command->add_option("--client", client_, "only from this public address");
  command->add_option("--agent", agent_, "only on this agent");
  command->add_option("--correlation", correlation_, "only of this client or tunnel");
  examples(*command,
           {"events", "events --follow --kind ike-failed,session-down", "events --user alice --json=lines"});
  return command;
}

Message EventsCommand::arguments() const {
  Message out;
  out.add("count", last_ != 0 ? last_ : follow_ ? 10 : 50);
  std::string kinds;
  for (const auto& kind : kinds_) kinds += (kinds.empty() ? "" : ",") + kind;
  const std::array<std::pair<std::string_view, const std::string&>, 6> filters{
      {{"kind", kinds},
       {"user", user_},
       {"identity", identity_},
       {"client", client_},
       {"agent", agent_},
       {"correlation", correlation_}}};
  for (const auto& [name, value] : filters) {
    if (!value.empty()) out.add(name, value);
  }
  return out;
}

int EventsCommand::run(const Conversation& with) {
  if (follow_) return follow(with);
  const auto answer = with.ask("list-events", "list-event", arguments());
  if (answer.error) return with.complain(*answer.error);
  if (with.json) {
    std::vector<ordered_json> rows;
    for (const auto& row : answer.rows) rows.push_back(to_json(row));
    with.print_rows("sluice.events/1", "events", rows);
    return kOk;
  }
  if (answer.rows.empty()) with.to.out << "no events\n";
  for (const auto& row : answer.rows) with.to.out << line_of(row);
  return kOk;
}

int EventsCommand::follow(const Conversation& with) const {
  if (with.json && !with.lines) return with.refuse_usage("--follow has no end: with JSON, --json=lines");
  // Silence means nothing here, so a daemon that hangs is found out first.
  if (const auto there = with.ask("version"); there.error) return with.complain(*there.error);
  auto question = with.question("follow-events", "follow-event", arguments());
  question.timeout = kForever;
  const auto answer = ask_live(question, [&](const Message& row) {
    const auto missed = row.number("missed").value_or(0);
    if (missed > 0) say_missed(with, missed);
    if (with.json) {
      with.print("sluice.events/1", to_json(row));
    } else if (missed == 0) {
      with.to.out << line_of(row);
    }
    // Whoever reads a pipe sees events as they come, and ends it by closing it.
    return with.to.out.flush().good();
  });
  return answer.error ? with.complain(*answer.error) : kOk;
}

CLI::App* TraceCommand::add_to(CLI::App& app) {
  auto* command = app.add_subcommand("trace", "a client's life from its first IKE packet to its end");
  command->add_option("session", who_, "correlation id, user, IKE identity, public or assigned address")
      ->required();
  command->add_option("--last", last_, "that many of its lives, the newest first")->check(CLI::Range(1, 100));
  examples(*command, {"trace alice", "trace 198.51.100.7 --last 3"});
  return command;
}

namespace {

std::string names_text(const Message& life, std::string_view key) {
  const auto* names = life.list(key);
  return names == nullptr || names->empty() ? "" : escaped(names->back(), kLongest);
}

void print_life(const Conversation& with, const Message& life, std::span<const Message> entries) {
  const auto number = [&](std::string_view name) { return life.number(name).value_or(0); };
  const auto began = number("began-ms"), ended = number("ended-ms"), left_out = number("left-out");
  auto& out = with.to.out;
  out << said(life, "correlation", "-") << behind("  ", names_text(life, "users"))
      << behind("  ", names_text(life, "clients")) << "  from " << time_text(began) << " UTC"
      << (ended == 0 ? ", lives" : ", over after " + after_text(ended - std::min(ended, began)).substr(1))
      << "\n";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (left_out > 0 && i == number("left-out-at")) out << "              … " << left_out << " more …\n";
    const auto& entry = entries[i];
    const auto time = entry.number("time-ms").value_or(0);
    const auto after = after_text(time - std::min(time, began));
    out << std::string(12 - std::min<std::size_t>(12, after.size()), ' ') << after << "  "
        << padded(said(entry, "kind"), kKindWidth) << "  " << entry_text(entry) << "\n";
  }
  if (number("ike-rekeys") + number("child-rekeys") > 0) {
    out << "              rekeyed: " << number("ike-rekeys") << " times IKE, " << number("child-rekeys")
        << " times ESP\n";
  }
}

}  // namespace

int TraceCommand::run(const Conversation& with) {
  const auto answer = with.ask("trace", "trace-entry", about(who_, last_));
  if (answer.error) return with.complain(*answer.error);
  const auto* lives = answer.last.section("lives");
  if (lives == nullptr || lives->entries().empty()) return nobody(with, who_);
  std::span<const Message> entries(answer.rows);
  std::vector<ordered_json> rows;
  for (const auto& each : lives->entries()) {
    const auto& life = *each.section();
    const auto count = std::min<std::size_t>(life.number("entries").value_or(0), entries.size());
    if (with.json) {
      auto& row = rows.emplace_back(to_json(life));
      row["entries"] = ordered_json::array();
      for (const auto& entry : entries.first(count)) row["entries"].push_back(to_json(entry));
    } else {
      print_life(with, life, entries.first(count));
    }
    entries = entries.subspan(count);
  }
  const auto matched = answer.last.number("matched").value_or(0);
  if (with.json) {
    with.print_rows("sluice.trace/1", "lives", rows);
  } else if (matched > lives->entries().size()) {
    with.to.error << "(" << matched << " lives fit; --last shows more than the newest)\n";
  }
  return kOk;
}

CLI::App* WhyCommand::add_to(CLI::App& app) {
  auto* command =
      app.add_subcommand("why", "why a client could not connect, or lost its connection; what to do");
  command->add_option("whom", who_, "its public address, user, IKE identity or correlation id")->required();
  command->add_option("--last", last_, "how many failures and ends, the newest first")
      ->check(CLI::Range(1, 1000));
  examples(*command, {"why alice", "why 198.51.100.7 --last 20"});
  return command;
}

int WhyCommand::run(const Conversation& with) {
  const auto answer = with.ask("why", "why-entry", about(who_, last_));
  if (answer.error) return with.complain(*answer.error);
  if (answer.rows.empty()) {
    if (answer.last.number("matched").value_or(0) == 0) return nobody(with, who_);
    return with.fail("nothing has failed or ended for '" + escaped(who_) +
                     "'; sluicectl trace shows its life");
  }
  if (with.json) {
    std::vector<ordered_json> rows;
    for (const auto& row : answer.rows) rows.push_back(to_json(row));
    with.print_rows("sluice.why/1", "failures", rows);
    return kOk;
  }
  for (const auto& row : answer.rows) {
    const auto who = said(row, "user", row.get("identity"));
    with.to.out << time_text(row.number("time-ms").value_or(0)) << " UTC" << behind("  ", who)
                << behind("  ", said(row, "client"))
                << behind("  ", said(row, "tunnel", row.get("correlation"))) << "\n    " << entry_text(row)
                << "\n";
    if (const auto advice = said(row, "advice"); !advice.empty()) with.to.out << "    do: " << advice << "\n";
  }
  return kOk;
}

}  // namespace sluice::ctl
