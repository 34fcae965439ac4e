#include "edge/ctl/lists.hpp"

#include <chrono>

#include "base/text.hpp"
#include "edge/ctl/json.hpp"
#include "edge/ctl/placement.hpp"
#include "edge/ctl/views.hpp"

namespace sluice::ctl {
namespace {

/// The flags of single lists.
struct Wishes {
  bool sas = false;
  bool all = false;
};

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
  Table (*table)(const Rows& rows, std::uint64_t now, const Wishes& wishes);
  std::vector<Filter> filters;
  std::string_view example;
};

const std::vector<Listing>& listings() {
  static const std::vector<Listing> kListings{
      {"sessions",
       "list-sessions",
       "list-session",
       "sluice.sessions/1",
       "clients' sessions, from IKE to PPP",
       [](const Rows& rows, std::uint64_t now, const Wishes&) { return sessions_table(rows, now); },
       {{"user", "of this PPP user"},
        {"agent", "on this agent"},
        {"client", "from this public address"},
        {"peer", "of the peer with this number"},
        {"correlation", "with this correlation id"}},
       "sessions --user alice"},
      {"backends",
       "list-backends",
       "list-backend",
       "sluice.backends/1",
       "agents: state, load, sessions",
       [](const Rows& rows, std::uint64_t now, const Wishes&) { return backends_table(rows, now); },
       {{"name", "of this name"}},
       "backends --wide"},
      {"peers",
       "list-peers",
       "list-peer",
       "sluice.peers/1",
       "IPsec peers and their SAs",
       [](const Rows& rows, std::uint64_t now, const Wishes& wishes) {
         return wishes.sas ? sas_table(rows, now) : peers_table(rows, now);
       },
       {{"id", "with this number"},
        {"identity", "with this IKE identity"},
        {"remote", "at this public address"},
        {"correlation", "with this correlation id"}},
       "peers --sas --remote 198.51.100.7"},
      {"drops",
       "list-drops",
       "list-drop",
       "sluice.drops/1",
       "packets and messages dropped, by reason",
       [](const Rows& rows, std::uint64_t, const Wishes& wishes) { return drops_table(rows, wishes.all); },
       {{"stage", "of this stage"}},
       "drops --stage esp"},
      {"drains",
       "list-drains",
       "list-drain",
       "sluice.drains/1",
       "what is being drained, and how much is left",
       [](const Rows& rows, std::uint64_t now, const Wishes&) { return drains_table(rows, now); },
       {{"agent", "this agent"}},
       "drains"},
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
    const std::string_view name = listing_.name;
    if (name == "peers") command->add_flag("--sas", wishes_.sas, "one row an SA instead of one a peer");
    if (name == "drops") command->add_flag("--all", wishes_.all, "reasons that never occurred too");
    for (const auto& filter : listing_.filters) {
      command->add_option_function<std::string>(
          std::string("--") + filter.name,
          [this, &filter](const std::string& value) { arguments_.add(filter.name, value); },
          std::string("only ") + filter.meaning);
    }
    examples(*command, {listing_.example});
    return command;
  }

  int run(const Conversation& with) override {
    const auto answer = with.ask(listing_.command, listing_.event, arguments_);
    if (answer.error && answer.rows.empty()) return with.complain(*answer.error);
    const std::string missing(answer.error ? answer.error->text : escaped(answer.last.get("partial"), 512));
    if (with.json) {
      std::vector<nlohmann::ordered_json> rows;
      for (const auto& row : answer.rows) rows.push_back(to_json(row));
      with.print_rows(listing_.schema, listing_.name, rows, missing);
    } else {
      with.show(listing_.table(answer.rows, now_seconds(), wishes_), wishes_.sas ? "SAs" : listing_.name);
    }
    if (missing.empty()) return kOk;
    with.fail("this is not all of it: " + missing);
    return kPartial;
  }

  std::vector<std::string_view> schemas() const override { return {listing_.schema}; }

 private:
  const Listing& listing_;
  Wishes wishes_;
  vici::Message arguments_;
};

}  // namespace

void add_list_commands(std::vector<std::unique_ptr<Command>>& to) {
  for (const auto& listing : listings()) to.push_back(std::make_unique<ListCommand>(listing));
}

}  // namespace sluice::ctl
