#include "edge/probe/l2tp_probe.hpp"

#include "base/text.hpp"

namespace sluice::edge {
namespace {

l2tp::TunnelConfig config(TunnelId local, const std::string& host_name) {
  return {.local_tunnel = local, .host_name = host_name, .hello_interval = {}, .max_sessions = 1};
}

}  // namespace

L2tpProbe::L2tpProbe(TunnelId local, const std::string& host_name, RandomSource& random,
                     std::shared_ptr<const ppp::PppConfig> ppp)
    : random_(random), tunnel_(config(local, host_name), random), ppp_config_(std::move(ppp)) {}

void L2tpProbe::start(Instant now) {
  tunnel_.connect(now);
}

void L2tpProbe::on_packet(Bytes packet, Instant now) {
  const auto received = tunnel_.on_datagram(packet, now);
  if (received.is_data() && ppp_) {
    ByteVector frame(received.ppp.begin(), received.ppp.end());
    ppp_->on_frame(frame, now);
  }
  follow(now);
}

void L2tpProbe::on_timeout(Instant now) {
  tunnel_.on_timeout(now);
  if (ppp_) ppp_->on_timeout(now);
  follow(now);
}

std::optional<Instant> L2tpProbe::next_timeout() const {
  auto next = tunnel_.next_timeout();
  const auto ppp = ppp_ ? ppp_->next_timeout() : std::nullopt;
  return ppp && (!next || *ppp < *next) ? ppp : next;
}

std::optional<ByteVector> L2tpProbe::poll_transmit() {
  if (auto control = tunnel_.poll_transmit()) return control;
  const auto frame = ppp_ ? ppp_->poll_transmit() : std::nullopt;
  if (!frame) return std::nullopt;
  ByteVector buffer(l2tp::kDataHeadroom + frame->size());
  std::copy(frame->begin(), frame->end(), buffer.begin() + l2tp::kDataHeadroom);
  const auto packet = tunnel_.frame_data(*session_, buffer, l2tp::kDataHeadroom);
  if (!packet) return std::nullopt;
  return ByteVector(packet->begin(), packet->end());
}

void L2tpProbe::follow(Instant now) {
  while (const auto event = tunnel_.poll_event()) take(*event, now);
  if (step_ == Step::kLogin) follow_login(now);
  if (result_ || !tunnel_.control().idle()) return;
  // Everything said so far is acknowledged.
  if (step_ == Step::kConnected && ppp_config_) {
    step_ = Step::kLogin;
  } else if (step_ == Step::kConnected) {
    close(now);
  } else if (step_ == Step::kClosing) {
    result_ = Result{true, {}};
  }
}

// An address is not asked for: what comes after the login depends on pools that clients need more.
void L2tpProbe::follow_login(Instant now) {
  while (const auto event = ppp_->poll_event()) {
    if (const auto* down = std::get_if<ppp::Down>(&*event)) {
      return fail("the login failed: " + escaped(down->cause) + ": " + escaped(down->text));
    }
  }
  if (!result_ && ppp_->phase() == ppp::PppSession::Phase::kNetwork) close(now);
}

void L2tpProbe::close(Instant now) {
  step_ = Step::kClosing;
  ppp_.reset();
  tunnel_.close_session(*session_, l2tp::CallResult::kAdministrative, "probe", now);
  tunnel_.close_tunnel(l2tp::StopResult::kGeneral, "probe", now);
  while (tunnel_.poll_event()) {
  }
}

void L2tpProbe::take(const l2tp::Event& event, Instant now) {
  if (std::holds_alternative<l2tp::TunnelUp>(event)) {
    step_ = Step::kCall;
    session_ = tunnel_.open_session(now);
  } else if (std::holds_alternative<l2tp::SessionUp>(event)) {
    step_ = Step::kConnected;
    if (!ppp_config_) return;
    ppp_ = std::make_unique<ppp::PppSession>(ppp_config_, random_, ppp_drops_);
    ppp_->start(now);
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
    case Step::kLogin:
      return fail(ppp_->phase() == ppp::PppSession::Phase::kAuthenticate ? "the login was not answered"
                                                                         : "PPP was not answered");
    case Step::kClosing:
      return fail("StopCCN was not acknowledged");
  }
}

void L2tpProbe::fail(std::string text) {
  if (!result_) result_ = Result{false, std::move(text)};
}

}  // namespace sluice::edge
