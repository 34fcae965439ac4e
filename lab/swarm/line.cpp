#include "lab/swarm/line.hpp"

#include "base/text.hpp"
#include "ppp/frame.hpp"

namespace sluice::swarm {

Line::Line(TunnelId local, const std::string& host_name, std::shared_ptr<const ppp::PppConfig> config,
           RandomSource& random, ppp::Drops& drops)
    : random_(random),
      drops_(drops),
      config_(std::move(config)),
      tunnel_({.local_tunnel = local, .host_name = host_name, .max_sessions = 1}, random) {}

void Line::start(Instant now) {
  tunnel_.connect(now);
}

MutableBytes Line::on_packet(MutableBytes packet, Instant now) {
  const auto received = tunnel_.on_datagram(packet, now);
  MutableBytes ip;
  if (received.is_data() && ppp_) {
    const auto offset = static_cast<std::size_t>(received.ppp.data() - packet.data());
    ip = ppp_->on_frame(packet.subspan(offset, received.ppp.size()), now);
  }
  follow(now);
  return ip;
}

void Line::on_timeout(Instant now) {
  tunnel_.on_timeout(now);
  if (ppp_) ppp_->on_timeout(now);
  follow(now);
}

std::optional<Instant> Line::next_timeout() const {
  const auto tunnel = tunnel_.next_timeout();
  const auto ppp = ppp_ ? ppp_->next_timeout() : std::nullopt;
  return ppp && (!tunnel || *ppp < *tunnel) ? ppp : tunnel;
}

std::optional<ByteVector> Line::poll_transmit() {
  if (auto control = tunnel_.poll_transmit()) return control;
  if (!ppp_) return std::nullopt;
  while (const auto frame = ppp_->poll_transmit()) {
    ByteVector buffer(l2tp::kDataHeadroom + frame->size());
    std::copy(frame->begin(), frame->end(), buffer.begin() + l2tp::kDataHeadroom);
    if (const auto packet = tunnel_.frame_data(session_, buffer, l2tp::kDataHeadroom)) {
      return ByteVector(packet->begin(), packet->end());
    }
  }
  return std::nullopt;
}

std::optional<MutableBytes> Line::frame_ip(MutableBytes buffer) {
  if (state_ != LineState::kUp) return std::nullopt;
  const auto frame = ppp_->frame_ip(buffer, kHeadroom, buffer.size() - kHeadroom);
  if (frame.empty()) return std::nullopt;
  const auto offset = static_cast<std::size_t>(frame.data() - buffer.data());
  return tunnel_.frame_data(session_, buffer, offset);
}

void Line::hang_up(Instant now) {
  if (state_ == LineState::kClosing || state_ == LineState::kOver) return;
  state_ = LineState::kClosing;
  ppp_.reset();
  if (session_) tunnel_.close_session(session_, l2tp::CallResult::kAdministrative, "hanging up", now);
  tunnel_.close_tunnel(l2tp::StopResult::kGeneral, "hanging up", now);
  follow(now);
}

void Line::follow(Instant now) {
  while (const auto event = tunnel_.poll_event()) take(*event, now);
  while (ppp_) {
    const auto event = ppp_->poll_event();
    if (!event) break;
    take(*event, now);
  }
  const bool done = tunnel_.finished() || tunnel_.control().idle();
  if (state_ == LineState::kClosing && done) state_ = LineState::kOver;
}

void Line::take(const l2tp::Event& event, Instant now) {
  if (state_ == LineState::kClosing || state_ == LineState::kOver) return;
  if (std::holds_alternative<l2tp::TunnelUp>(event)) {
    state_ = LineState::kCall;
    session_ = tunnel_.open_session(now).value_or(SessionId());
  } else if (std::holds_alternative<l2tp::SessionUp>(event)) {
    state_ = LineState::kPpp;
    ppp_ = std::make_unique<ppp::PppSession>(config_, random_, drops_);
    ppp_->start(now);
  } else if (const auto* down = std::get_if<l2tp::SessionDown>(&event)) {
    end("the call was ended: " + describe(down->cause));
  } else if (const auto* over = std::get_if<l2tp::TunnelDown>(&event)) {
    end("the tunnel was ended: " + describe(over->cause));
  }
}

void Line::take(const ppp::PppEvent& event, Instant) {
  if (const auto* up = std::get_if<ppp::Up>(&event)) {
    address_ = up->addresses.local;
    gateway_ = up->addresses.remote;
    if (state_ == LineState::kPpp) state_ = LineState::kUp;
  } else if (const auto* down = std::get_if<ppp::Down>(&event)) {
    end("PPP ended: " + escaped(down->cause));  // its text holds the challenge
  }
}

void Line::end(std::string cause) {
  state_ = LineState::kOver;
  if (cause_.empty()) cause_ = std::move(cause);
}

}  // namespace sluice::swarm
