#include "edge/admin/journal_commands.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "base/text.hpp"
#include "edge/admin/arguments.hpp"
#include "edge/admin/session_filter.hpp"
#include "edge/admin/view_messages.hpp"
#include "edge/journal/advice.hpp"

namespace sluice::edge {
namespace {

using vici::Message;
using Stream = vici::Server::Stream;

constexpr std::string_view kEvent = "journal-entry";
constexpr std::uint32_t kMostEvents = 100'000, kMostLives = 100, kMostVerdicts = 1000, kMostKicks = 1000;
constexpr std::size_t kLongestReason = 200;

Stream refused(Message answer) {
  Stream out;
  out.answer = std::move(answer);
  return out;
}

/// `row` gives the message of the number-th row, when the client is ready for it.
template <class F>
Stream stream_of(std::size_t count, Message answer, F row) {
  Stream out;
  out.answer = std::move(answer);
  out.next = [count, row = std::move(row), at = std::size_t{0}]() mutable -> std::optional<Message> {
    return at == count ? std::nullopt : std::optional<Message>(row(at++));
  };
  return out;
}

Message success(std::size_t count) {
  Message out;
  out.add("success", true).add("count", count);
  return out;
}

void add_known(Message& out, std::string_view name, std::string_view value) {
  if (!value.empty()) out.add(name, value);
}

/// An address as we write it; else the text as it is.
std::string canonical(std::string_view text) {
  const auto address = IpAddress::parse(text);
  return address ? address->to_string() : std::string(text);
}

constexpr std::array<std::string_view, 5> kNameKeys{"client", "identity", "user", "agent", "address"};

Message to_message(const JournalEntry& entry, const Journal::Names& names) {
  Message out;
  if (entry.sequence != 0) out.add("sequence", entry.sequence);
  out.add("time", entry.time_ms / 1000).add("time-ms", entry.time_ms).add("kind", name_of(entry.kind));
  const auto client = client_part(entry.correlation);
  add_known(out, "correlation", client);
  if (client.size() != entry.correlation.size()) out.add("tunnel", std::string_view(entry.correlation));
  add_known(out, "client", names.client);
  add_known(out, "identity", names.identity);
  add_known(out, "user", names.user);
  add_known(out, "agent", names.agent);
  add_known(out, "address", names.address);
  add_known(out, "cause", entry.cause);
  add_known(out, "text", words_of(entry));
  if (const auto error = error_of(entry); error != 0) out.add("error", error);
  Message details;
  for (const auto& [key, value] : entry.details) {
    if (std::ranges::find(kNameKeys, key) == kNameKeys.end()) details.add(key, std::string_view(value));
  }
  if (!details.empty()) out.add_section("details", std::move(details));
  return out;
}

/// Of its own time: a life as it went, not what became known later.
Message to_message(const JournalEntry& entry) {
  Journal::Names own;
  own.client = entry.detail("client"), own.identity = entry.detail("identity"),
  own.user = entry.detail("user");
  own.agent = entry.detail("agent"), own.address = entry.detail("address");
  return to_message(entry, own);
}

/// Nothing when it is not given; 0 when it is none from 1 to `high`.
std::optional<std::uint32_t> number_of(const Message& arguments, std::string_view name, std::uint32_t high) {
  const auto text = arguments.value(name);
  if (!text) return std::nullopt;
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  return error == std::errc() && end == text->data() + text->size() && out <= high ? out : 0;
}

Message bad_number(std::string_view name, std::uint32_t high) {
  return refusal("argument '" + std::string(name) + "' must be a whole number from 1 to " +
                 std::to_string(high));
}

std::optional<Message> read_kinds(const Message& arguments, std::vector<JournalKind>& out) {
  auto left = arguments.value("kind").value_or("");
  while (!left.empty()) {
    const auto word = left.substr(0, left.find(','));
    left.remove_prefix(std::min(left.size(), word.size() + 1));
    const auto kind = journal_kind(word);
    if (kind) {
      out.push_back(*kind);
      continue;
    }
    std::string known;
    for (std::size_t i = 0; i < static_cast<std::size_t>(JournalKind::kCount); ++i)
      known += (i == 0 ? "" : ", ") + std::string(name_of(static_cast<JournalKind>(i)));
    return refusal("there is no kind '" + escaped(word) + "'; known: " + known);
  }
  return std::nullopt;
}

std::optional<Message> read_filter(const Message& arguments, JournalFilter& filter) {
  if (auto bad = unknown_argument(
          arguments, {"kind", "correlation", "user", "identity", "client", "agent", "after", "count"}))
    return bad;
  if (auto bad = read_kinds(arguments, filter.kinds)) return bad;
  filter.correlation = arguments.get("correlation");
  filter.user = arguments.get("user");
  filter.identity = arguments.get("identity");
  filter.client = canonical(arguments.get("client"));
  filter.agent = arguments.get("agent");
  if (arguments.value("after")) {
    const auto after = arguments.number("after");
    if (!after) return refusal("argument 'after' must be a sequence number");
    filter.after = *after;
  }
  if (number_of(arguments, "count", kMostEvents) == 0) return bad_number("count", kMostEvents);
  return std::nullopt;
}

Stream list_events(const Journal& journal, const Message& arguments) {
  JournalFilter filter;
  if (auto bad = read_filter(arguments, filter)) return refused(std::move(*bad));
  auto found = journal.events(filter, number_of(arguments, "count", kMostEvents).value_or(kMostEvents));
  auto answer = success(found.rows.size());
  answer.add("last", journal.last_sequence()).add("missed", found.missed);
  const auto rows = std::make_shared<std::vector<JournalEntryPtr>>(std::move(found.rows));
  return stream_of(rows->size(), std::move(answer), [rows, &journal](std::size_t i) {
    const auto& entry = *(*rows)[i];
    return to_message(entry, journal.names_of(entry));
  });
}

std::optional<Message> read_query(const Message& arguments, JournalQuery& out) {
  if (auto bad = unknown_argument(arguments,
                                  {"who", "correlation", "user", "identity", "client", "address", "count"}))
    return bad;
  out.who = canonical(arguments.get("who"));
  out.correlation = arguments.get("correlation");
  out.user = arguments.get("user");
  out.identity = arguments.get("identity");
  out.client = canonical(arguments.get("client"));
  out.address = canonical(arguments.get("address"));
  const bool any = !(out.who.empty() && out.correlation.empty() && out.user.empty() && out.identity.empty() &&
                     out.client.empty() && out.address.empty());
  if (!any)
    return refusal(
        "whose? 'who' takes a correlation id, user, IKE identity or address; correlation, user, "
        "identity, client and address take just that");
  return std::nullopt;
}

Message life_message(const JournalLife& life) {
  Message out;
  out.add("correlation", std::string_view(life.correlation));
  out.add("began-ms", life.began_ms).add("ended-ms", life.ended_ms);
  out.add_list("clients", life.clients).add_list("identities", life.identities);
  out.add_list("users", life.users).add_list("agents", life.agents).add_list("addresses", life.addresses);
  out.add("ike-rekeys", life.ike_rekeys).add("child-rekeys", life.child_rekeys);
  out.add("left-out", life.left_out).add("left-out-at", life.left_out_at).add("entries", life.entries.size());
  return out;
}

Stream trace(const Journal& journal, const Message& arguments) {
  JournalQuery query;
  if (auto bad = read_query(arguments, query)) return refused(std::move(*bad));
  const auto count = number_of(arguments, "count", kMostLives).value_or(1);
  if (count == 0) return refused(bad_number("count", kMostLives));
  const auto found = journal.lives(query, count);
  const auto rows = std::make_shared<std::vector<JournalEntryPtr>>();
  Message lives;
  for (std::size_t i = 0; i < found.lives.size(); ++i) {
    const auto& life = found.lives[i];
    rows->insert(rows->end(), life.entries.begin(), life.entries.end());
    lives.add_section(std::to_string(i + 1), life_message(life));
  }
  auto answer = success(rows->size());
  answer.add("matched", found.matched).add_section("lives", std::move(lives));
  return stream_of(rows->size(), std::move(answer),
                   [rows](std::size_t i) { return to_message(*(*rows)[i]); });
}

Stream why(const Journal& journal, const Message& arguments) {
  JournalQuery query;
  if (auto bad = read_query(arguments, query)) return refused(std::move(*bad));
  const auto count = number_of(arguments, "count", kMostVerdicts).value_or(5);
  if (count == 0) return refused(bad_number("count", kMostVerdicts));
  const auto rows = std::make_shared<std::vector<JournalVerdict>>(journal.verdicts(query, count));
  auto answer = success(rows->size());
  answer.add("matched", journal.lives(query, 0).matched);
  return stream_of(rows->size(), std::move(answer), [rows](std::size_t i) {
    const auto& verdict = (*rows)[i];
    Journal::Names names;
    names.client = verdict.client, names.identity = verdict.identity, names.user = verdict.user;
    names.agent = verdict.entry->detail("agent");
    auto out = to_message(*verdict.entry, names);
    add_known(out, "advice", verdict.advice);
    return out;
  });
}

/// What would end others than were meant: of two filters alike only one would count.
std::optional<Message> doubtful(const Message& arguments) {
  const auto& entries = arguments.entries();
  for (const auto& entry : entries) {
    const auto name = "argument '" + escaped(entry.name) + "' ";
    if (std::ranges::count(entries, entry.name, &Message::Entry::name) > 1)
      return refusal(name + "is there twice");
    if (arguments.get(entry.name).empty()) return refusal(name + "is empty");
    if ((entry.name == "all" || entry.name == "dry-run") && !arguments.flag(entry.name))
      return refusal(name + "must be yes or no");
  }
  return std::nullopt;
}

Stream kick(const JournalHandlers& handlers, const Message& arguments) {
  if (auto bad = unknown_argument(arguments, {"correlation", "user", "agent", "peer", "client", "realm",
                                              "all", "rate", "reason", "dry-run"}))
    return refused(std::move(*bad));
  if (auto bad = doubtful(arguments)) return refused(std::move(*bad));
  const bool all = arguments.flag("all").value_or(false);
  const auto& entries = arguments.entries();
  const bool filtered = std::ranges::any_of(entries, [](const auto& entry) {
    return entry.name != "all" && entry.name != "rate" && entry.name != "reason" && entry.name != "dry-run";
  });
  if (filtered == all)
    return refused(refusal(all ? "'all' takes no filter" : "who? give a filter, or all = yes"));
  KickRequest request;
  request.rate = number_of(arguments, "rate", kMostKicks).value_or(request.rate);
  if (request.rate == 0) return refused(bad_number("rate", kMostKicks));
  request.reason = escaped(arguments.get("reason", "ended by the operator"), kLongestReason);
  request.dry_run = arguments.flag("dry-run").value_or(false);
  auto sessions = handlers.state.sessions();
  std::erase_if(sessions, [&](const SessionView& session) { return !session_fits(arguments, session); });
  for (const auto& session : sessions) {
    // Sessions of one tunnel come one after the other.
    if (request.relays.empty() || request.relays.back() != session.relay)
      request.relays.push_back(session.relay);
  }
  auto answer = success(handlers.kick(request));
  answer.add("rate", request.rate)
      .add("dry-run", request.dry_run)
      .add("reason", std::string_view(request.reason));
  const auto rows = std::make_shared<std::vector<SessionView>>(std::move(sessions));
  return stream_of(rows->size(), std::move(answer), [rows](std::size_t i) { return to_message((*rows)[i]); });
}

}  // namespace

JournalCommands::JournalCommands(vici::Server& server, JournalHandlers handlers)
    : server_(server), handlers_(std::move(handlers)) {
  server.declare_event(std::string(kEvent));
  server.stream_command("list-events", "list-event", [this](const Message& arguments) {
    return list_events(handlers_.journal, arguments);
  });
  server.live_command("follow-events", "follow-event",
                      [this](const vici::Request& request, auto live) { follow(request, std::move(live)); });
  server.stream_command("trace", "trace-entry",
                        [this](const Message& arguments) { return trace(handlers_.journal, arguments); });
  server.stream_command("why", "why-entry",
                        [this](const Message& arguments) { return why(handlers_.journal, arguments); });
  server.stream_command("kick", "kick-session",
                        [this](const Message& arguments) { return kick(handlers_, arguments); });
}

void JournalCommands::follow(const vici::Request& request, std::shared_ptr<vici::Server::Live> live) {
  Follower follower{.live = std::move(live), .filter = {}};
  if (auto bad = read_filter(request.arguments, follower.filter)) return follower.live->finish(*bad);
  // Without `count` and `after`: from now on.
  const bool past = request.arguments.value("count") || request.arguments.value("after");
  if (past) {
    const auto most = number_of(request.arguments, "count", kMostEvents).value_or(kMostEvents);
    const auto found = handlers_.journal.events(follower.filter, most);
    if (request.arguments.value("after")) follower.missed = found.missed;
    for (const auto& entry : found.rows) send(follower, *entry);
  }
  follower.filter.after = handlers_.journal.last_sequence();
  std::erase_if(followers_, [](const Follower& old) { return !old.live->open(); });
  followers_.push_back(std::move(follower));
}

void JournalCommands::send(Follower& follower, const JournalEntry& entry) {
  if (follower.missed > 0) {
    if (!follower.live->send(Message().add("missed", follower.missed))) return void(++follower.missed);
    follower.missed = 0;
  }
  if (!follower.live->send(to_message(entry, handlers_.journal.names_of(entry)))) ++follower.missed;
}

void JournalCommands::raise(const JournalEntry& entry) {
  std::erase_if(followers_, [](const Follower& old) { return !old.live->open(); });
  for (auto& follower : followers_) {
    if (handlers_.journal.fits(entry, follower.filter)) send(follower, entry);
  }
  if (!server_.has_subscribers(std::string(kEvent))) return;
  server_.raise(std::string(kEvent), to_message(entry, handlers_.journal.names_of(entry)));
}

}  // namespace sluice::edge
