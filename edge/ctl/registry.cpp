#include "edge/ctl/bundle.hpp"
#include "edge/ctl/capture.hpp"
#include "edge/ctl/command.hpp"
#include "edge/ctl/init.hpp"
#include "edge/ctl/journal.hpp"
#include "edge/ctl/kick.hpp"
#include "edge/ctl/lists.hpp"
#include "edge/ctl/log_level.hpp"
#include "edge/ctl/pki.hpp"
#include "edge/ctl/placement.hpp"
#include "edge/ctl/probe.hpp"
#include "edge/ctl/psk.hpp"
#include "edge/ctl/reload.hpp"
#include "edge/ctl/status.hpp"
#include "edge/ctl/top.hpp"
#include "edge/ctl/user.hpp"

namespace sluice::ctl {

std::vector<std::unique_ptr<Command>> all_commands() {
  std::vector<std::unique_ptr<Command>> out;
  add_list_commands(out);
  out.push_back(std::make_unique<TopCommand>());
  out.push_back(std::make_unique<EventsCommand>());
  out.push_back(std::make_unique<TraceCommand>());
  out.push_back(std::make_unique<WhyCommand>());
  out.push_back(std::make_unique<KickCommand>());
  out.push_back(std::make_unique<ExplainCommand>());
  out.push_back(std::make_unique<ReadyCommand>());
  out.push_back(std::make_unique<DrainCommand>());
  out.push_back(std::make_unique<ReloadCommand>());
  out.push_back(std::make_unique<ProbeCommand>());
  out.push_back(std::make_unique<CaptureCommand>());
  out.push_back(std::make_unique<BundleCommand>());
  out.push_back(std::make_unique<LogCommand>());
  out.push_back(std::make_unique<InitCommand>());
  out.push_back(std::make_unique<PskCommand>());
  out.push_back(std::make_unique<UserCommand>());
  out.push_back(std::make_unique<StatsCommand>());
  out.push_back(std::make_unique<PkiCommand>());
  out.push_back(std::make_unique<VersionCommand>());
  return out;
}

}  // namespace sluice::ctl
