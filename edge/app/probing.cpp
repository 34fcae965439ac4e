// The edge's probes, of its agents' L2TP and of its own IKE: how they are made, and who may ask for one.
#include "base/app/clock.hpp"
#include "edge/app/edge.hpp"

namespace sluice::edge {

std::shared_ptr<const ppp::PppConfig> Edge::probe_login(const Config& config) {
  if (config.probe_user.empty()) return {};
  auto login = std::make_shared<ppp::PppConfig>();
  login->role = ppp::Role::kClient;
  login->auth = ppp::all_auth_methods();
  login->user = config.probe_user;
  login->password = config.probe_password.clone();
  login->echo_interval = {};
  return login;
}

void Edge::make_probes() {
  probes_ = std::make_unique<Probes>(ProbesContext{
      .random = random_,
      .backends = *backends_,
      .now = app::now,
      .unix_seconds = app::unix_now,
      .post = [this](std::uint32_t worker, Command command) { post(worker, std::move(command)); },
      .take_id = [this] { return relays_->take_id(); },
      .changed =
          [this](const Backend& backend, const ProbeReport& report) {
            const bool speaks = report.health == L2tpHealth::kSpeaks;
            tell({.level = speaks ? NoticeLevel::kInfo : NoticeLevel::kError,
                  .topic = "backend",
                  .correlation_id = {},
                  .text = backend.name + (speaks ? " speaks L2TP" : " does not speak L2TP: " + report.text)});
          },
      .workers = worker_count_,
      .ppp = probe_login(config_),
      .interval = config_.l2tp_probe});
}

void Edge::make_ike_probe() {
  std::vector<Endpoint> targets;
  for (const auto& address : config_.listen_addresses) {
    targets.push_back({address, static_cast<std::uint16_t>(config_.ike_port)});
    // The probe has the budget of an address that is known. Nobody else can have this one: the kernel drops
    // what comes in from our own addresses.
    post(kIkeWorker, LiveSource{address, true});
  }
  ike_probe_ = std::make_unique<IkeProbe>(
      io_, IkeProbeContext{.random = random_,
                           .now = app::now,
                           .unix_seconds = app::unix_now,
                           .changed =
                               [this](const IkeProbeReport& report) {
                                 const bool answers = report.health == IkeHealth::kAnswers;
                                 tell({.level = answers ? NoticeLevel::kInfo : NoticeLevel::kError,
                                       .topic = "ike",
                                       .correlation_id = {},
                                       .text = report.text});
                               },
                           .targets = std::move(targets),
                           .interval = config_.ike_probe});
}

void Edge::add_probe_command() {
  operations_->on_probe_ike([this](OperationsServer::IkeProbeReply reply) {
    ike_probe_->probe([reply](const IkeProbeReport& report) { reply(ike_probe_view(report)); });
  });
  operations_->on_probe([this](const std::string& name, OperationsServer::ProbeReply reply) {
    for (const auto& [id, backend] : backends_->all()) {
      if (backend.name != name || backend.channel == nullptr) continue;
      return probes_->probe(backend, [reply](const ProbeReport& report) {
        reply(ProbeView{report.agent, l2tp_state(report.health), report.text, report.took});
      });
    }
    reply(ProbeView{name, L2tpState::kUnknown, "no agent of this name is connected", {}});
  });
}

}  // namespace sluice::edge
