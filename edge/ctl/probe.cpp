#include "edge/ctl/probe.hpp"

#include "base/text.hpp"
#include "edge/ctl/json.hpp"

namespace sluice::ctl {
namespace {

// A probe may take its 5 s; the daemon is silent meanwhile.
constexpr Duration kProbeTimeout = std::chrono::seconds(15);

}  // namespace

CLI::App* ProbeCommand::add_to(CLI::App& app) {
  auto* probe = app.add_subcommand("probe", "tries something out");
  probe->require_subcommand(1);
  examples(*probe, {"probe backend agent1", "probe ike"});
  auto* backend = probe->add_subcommand("backend", "dials an agent by L2TP, as a client would, and hangs up");
  backend->add_option("name", name_, "the agent's name")->required();
  examples(*backend, {"probe backend agent1"});
  auto* ike =
      probe->add_subcommand("ike", "sends an IKE_SA_INIT to the edge's own addresses, as a client would");
  ike->callback([this] { probes_ike_ = true; });
  examples(*ike, {"probe ike"});
  return probe;
}

int ProbeCommand::run(const Conversation& with) {
  return probes_ike_ ? ike(with) : backend(with);
}

int ProbeCommand::backend(const Conversation& with) const {
  const auto answer = with.ask_slow(kProbeTimeout, "probe-backend", vici::Message().add("name", name_));
  const bool probed = answer.last.value("l2tp").has_value();
  if (with.json && probed) with.print("sluice.probe/1", {{"probe", to_json(answer.last)}});
  if (answer.error) {
    if (!probed) return with.complain(*answer.error);
    return with.fail((answer.last.get("l2tp") == "silent" ? "does not speak L2TP: " : "not probed: ") +
                     escaped(answer.last.get("errmsg", "no reason given"), 512));
  }
  if (!with.json) {
    with.to.out << escaped(answer.last.get("name", name_)) << " speaks L2TP ("
                << escaped(answer.last.get("took-ms", "?")) << " ms from SCCRQ to the end)\n";
  }
  return kOk;
}

int ProbeCommand::ike(const Conversation& with) const {
  const auto answer = with.ask_slow(kProbeTimeout, "probe-ike");
  const bool probed = answer.last.value("ike").has_value();
  if (with.json && probed) with.print("sluice.probe-ike/1", {{"probe", to_json(answer.last)}});
  if (answer.error) {
    if (!probed) return with.complain(*answer.error);
    return with.fail((answer.last.get("ike") == "silent" ? "IKE does not answer: " : "not probed: ") +
                     escaped(answer.last.get("errmsg", "no reason given"), 512));
  }
  if (!with.json) {
    with.to.out << "IKE answers: " << escaped(answer.last.get("text", "?"), 512) << " ("
                << escaped(answer.last.get("took-ms", "?")) << " ms)\n";
  }
  return kOk;
}

}  // namespace sluice::ctl
