#include "edge/ctl/lists.hpp"

#include <algorithm>
#include <chrono>

#include "base/text.hpp"
#include "edge/ctl/views.hpp"

namespace sluice::ctl {
namespace {

/// An argument of the daemon's command, as an option of the same name.
struct Filter {
  const char* name;
  const char* meaning;  ///< behind "only "
};

struct Listing {
  const char* name;     ///< "sessions": of the subcommand and of the array
  const char* command;  ///< of the daemon
  const char* event;
  const char* schema;
  const char* meaning;
  const View& (*view)();
  std::vector<Filter> filters;
  std::vector<std::string_view> examples;
};

const std::vector<Listing>& listings() {
  static const std::vector<Listing> kListings{
      {"sessions",
       "list-sessions",
       "list-session",
       "sluice.sessions/1",
       "clients' sessions, from IKE to PPP",
       sessions_view,
       {{"user", "of this PPP user"},
        {"agent", "on this agent"},
        {"client", "from this public address"},
        {"peer", "of the peer with this number"},
        {"correlation", "with this correlation id"}},
       {"sessions --user alice", "sessions --sort out:desc --limit 10 --columns user,ip,out"}},
      {"tunnels",
       "list-tunnels",
       "list-tunnel",
       "sluice.tunnels/1",
       "L2TP tunnels: state, sessions, windows, what was sent again",
       tunnels_view,
       {{"agent", "on this agent"},
        {"client", "from this public address"},
        {"peer", "of the peer with this number"},
        {"correlation", "with this correlation id"}},
       {"tunnels --agent agent1", "tunnels --where 'state!=established'"}},
      {"backends",
       "list-backends",
       "list-backend",
       "sluice.backends/1",
       "agents: state, load, sessions",
       backends_view,
       {{"name", "of this name"}},
       {"backends --wide"}},
      {"peers",
       "list-peers",
       "list-peer",
       "sluice.peers/1",
       "IPsec peers and their SAs",
       peers_view,
       {{"id", "with this number"},
        {"identity", "with this IKE identity"},
        {"remote", "at this public address"},
        {"correlation", "with this correlation id"}},
       {"peers --where nat=yes", "peers --sas --remote 198.51.100.7"}},
      {"drops",
       "list-drops",
       "list-drop",
       "sluice.drops/1",
       "packets and messages dropped, by reason",
       drops_view,
       {{"stage", "of this stage"}},
       {"drops --stage esp"}},
      {"drains",
       "list-drains",
       "list-drain",
       "sluice.drains/1",
       "what is being drained, and how much is left",
       drains_view,
       {{"agent", "this agent"}},
       {"drains"}},
  };
  return kListings;
}

std::uint64_t now_seconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

class ListCommand final : public Command {
 public:
  explicit ListCommand(const Listing& listing) : listing_(listing) {}

  CLI::App* add_to(CLI::App& app) override {
    auto* command = app.add_subcommand(listing_.name, listing_.meaning);
    if (is("peers")) command->add_flag("--sas", sas_, "the SAs, one a row, instead of the peers");
    if (is("drops")) command->add_flag("--all", all_, "reasons that never occurred too");
    for (const auto& filter : listing_.filters) {
      command->add_option_function<std::string>(
          std::string("--") + filter.name,
          [this, &filter](const std::string& value) { arguments_.add(filter.name, value); },
          std::string("only ") + filter.meaning);
    }
    add_selection(*command, selection_);
    examples(*command, listing_.examples);
    return command;
  }

  int run(const Conversation& with) override {
    const auto& view = sas_ ? sas_view() : listing_.view();
    if (selection_.columns == std::vector<std::string>{"help"}) {
      with.show(keys_table(view), "columns");
      return kOk;
    }
    const auto chosen = Chosen::resolve(view, selection_);
    if (!chosen) return with.refuse_usage(chosen.error());
    auto answer = with.ask(listing_.command, listing_.event, arguments_);
    if (answer.error && answer.rows.empty()) return with.complain(*answer.error);
    const std::string missing(answer.error ? answer.error->text : escaped(answer.last.get("partial"), 512));
    show(with, view, *chosen, sas_ ? sas_of(answer.rows) : std::move(answer.rows), missing);
    if (missing.empty()) return kOk;
    with.fail("this is not all of it: " + missing);
    return kPartial;
  }

  std::vector<std::string_view> schemas() const override {
    if (is("peers")) return {listing_.schema, kSas};
    return {listing_.schema};
  }

 private:
  static constexpr std::string_view kSas = "sluice.sas/1";
  bool is(std::string_view name) const { return listing_.name == name; }

  void show(const Conversation& with, const View& view, const Chosen& chosen, Rows rows,
            const std::string& missing) const {
    const auto now = now_seconds();
    // For people, what happens most comes first.
    if (is("drops") && !with.json) {
      std::ranges::stable_sort(rows, std::greater<>(), [](const auto& row) { return row.number("count"); });
      if (!all_) std::erase_if(rows, [](const auto& row) { return row.number("count") == 0; });
    }
    chosen.apply(rows, now);
    if (!with.json) return with.show(chosen.table(rows, now), view.name);
    with.print_rows(sas_ ? kSas : listing_.schema, sas_ ? "sas" : listing_.name, chosen.json(rows), missing);
  }

  const Listing& listing_;
  bool sas_ = false, all_ = false;
  Selection selection_;
  vici::Message arguments_;
};

}  // namespace

void add_list_commands(std::vector<std::unique_ptr<Command>>& to) {
  for (const auto& listing : listings()) to.push_back(std::make_unique<ListCommand>(listing));
}

}  // namespace sluice::ctl
