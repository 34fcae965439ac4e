#include "edge/ctl/kick.hpp"

#include <chrono>
#include <string>

#include "edge/ctl/json.hpp"
#include "edge/ctl/views.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;
using vici::Message;

std::uint64_t now_seconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

std::string count_of(std::uint64_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

bool agreed(const Conversation& with, std::uint64_t tunnels, std::size_t sessions) {
  with.to.error << count_of(tunnels, "tunnel") << " with " << count_of(sessions, "session")
                << " will be ended. Go on? [y/N] " << std::flush;
  std::string answer;
  return std::getline(*with.to.in, answer) && (answer == "y" || answer == "yes" || answer == "Y");
}

}  // namespace

CLI::App* KickCommand::add_to(CLI::App& app) {
  auto* command =
      app.add_subcommand("kick", "ends clients' tunnels; they are told, and nobody is kept from coming back");
  command->add_option(
      "--where", where_,
      "KEY=VALUE, all of which must fit: user, agent, realm, client (public address), correlation, peer "
      "(number)");
  command->add_flag("--all", all_, "everybody");
  command->add_option("--rate", rate_, "tunnels ended each second")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  command->add_option("--reason", reason_, "what clients are told");
  command->add_flag("-y,--yes", yes_, "does not ask");
  command->add_flag("-n,--dry-run", dry_run_, "only shows whom it would end");
  examples(*command,
           {"kick --where user=alice", "kick --where agent=agent1 --rate 5 --reason maintenance --yes",
            "kick --where realm=example.net --dry-run"});
  return command;
}

std::optional<Message> KickCommand::arguments(bool dry_run) const {
  Message out;
  for (const auto& filter : where_) {
    const auto sign = filter.find('=');
    if (sign == std::string::npos || sign == 0) return std::nullopt;
    out.add(filter.substr(0, sign), std::string_view(filter).substr(sign + 1));
  }
  if (all_) out.add("all", true);
  out.add("rate", rate_);
  if (!reason_.empty()) out.add("reason", reason_);
  if (dry_run) out.add("dry-run", true);
  return out;
}

int KickCommand::run(const Conversation& with) {
  if (where_.empty() == !all_) return with.refuse_usage("whom? --where KEY=VALUE, or --all alone");
  auto question = arguments(true);
  if (!question) return with.refuse_usage("--where takes KEY=VALUE, such as user=alice");
  if (!dry_run_ && !yes_ && with.to.in == nullptr)
    return with.refuse_usage("nobody is here to be asked: --yes, or --dry-run to see whom it means");
  auto answer = with.ask("kick", "kick-session", std::move(*question));
  if (answer.error) return with.complain(*answer.error);
  const auto tunnels = answer.last.number("count").value_or(0);
  if (tunnels > 0 && !dry_run_) {
    if (!yes_ && !agreed(with, tunnels, answer.rows.size())) return with.fail("nobody was ended");
    answer = with.ask("kick", "kick-session", *arguments(false));
    if (answer.error) return with.complain(*answer.error);
  }
  return print(with, answer);
}

int KickCommand::print(const Conversation& with, const Answer& answer) const {
  const auto tunnels = answer.last.number("count").value_or(0);
  if (with.json) {
    auto kick = to_json(answer.last);
    kick.erase("success");
    kick["dry_run"] = dry_run_;
    auto& rows = kick["sessions"] = ordered_json::array();
    for (const auto& row : answer.rows) rows.push_back(to_json(row));
    with.print("sluice.kick/1", {{"kick", std::move(kick)}});
  } else if (tunnels > 0 && dry_run_) {
    const auto chosen = Chosen::resolve(sessions_view(), {});
    if (chosen.ok()) with.show(chosen->table(answer.rows, now_seconds()), "sessions");
    with.to.out << count_of(tunnels, "tunnel") << " would be ended, " << rate_ << " a second\n";
  } else if (tunnels > 0) {
    with.to.out << count_of(tunnels, "tunnel") << " will be ended, " << rate_ << " a second\n";
  }
  return tunnels > 0 ? kOk : with.fail("nobody fits who is not being ended already");
}

}  // namespace sluice::ctl
