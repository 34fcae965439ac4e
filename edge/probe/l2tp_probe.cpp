#include "edge/probe/l2tp_probe.hpp"

namespace sluice::edge {
namespace {

l2tp::TunnelConfig config(TunnelId local, const std::string& host_name) {
  return {.local_tunnel = local, .host_name = host_name, .hello_interval = {}, .max_sessions = 1};
}

}  // namespace

L2tpProbe::L2tpProbe(TunnelId local, const std::string& host_name, RandomSource& random)
    : tunnel_(config(local, host_name), random) {}

void L2tpProbe::start(Instant now) {
  tunnel_.connect(now);
}

void L2tpProbe::on_packet(Bytes packet, Instant now) {
  tunnel_.on_datagram(packet, now);
  follow(now);
}

void L2tpProbe::on_timeout(Instant now) {
  tunnel_.on_timeout(now);
  follow(now);
}

void L2tpProbe::follow(Instant now) {
  while (const auto event = tunnel_.poll_event()) take(*event, now);
  if (result_ || !tunnel_.control().idle()) return;
  // Everything said so far is acknowledged.
  if (step_ == Step::kConnected) {
    step_ = Step::kClosing;
    tunnel_.close_session(*session_, l2tp::CallResult::kAdministrative, "probe", now);
    tunnel_.close_tunnel(l2tp::StopResult::kGeneral, "probe", now);
    while (tunnel_.poll_event()) {
    }
  } else if (step_ == Step::kClosing) {
    result_ = Result{true, {}};
  }
}

void L2tpProbe::take(const l2tp::Event& event, Instant now) {
  if (std::holds_alternative<l2tp::TunnelUp>(event)) {
    step_ = Step::kCall;
    session_ = tunnel_.open_session(now);
  } else if (std::holds_alternative<l2tp::SessionUp>(event)) {
    step_ = Step::kConnected;
  } else if (const auto* down = std::get_if<l2tp::SessionDown>(&event)) {
    fail("the call was ended: " + describe(down->cause));
  } else if (const auto* over = std::get_if<l2tp::TunnelDown>(&event)) {
    fail("the tunnel was ended: " + describe(over->cause));
  }
}

void L2tpProbe::give_up() {
  switch (step_) {
    case Step::kTunnel:
      return fail("SCCRQ was not answered");
    case Step::kCall:
      return fail("ICRQ was not answered");
    case Step::kConnected:
      return fail("ICCN was not acknowledged");
    case Step::kClosing:
      return fail("StopCCN was not acknowledged");
  }
}

void L2tpProbe::fail(std::string text) {
  if (!result_) result_ = Result{false, std::move(text)};
}

}  // namespace sluice::edge
