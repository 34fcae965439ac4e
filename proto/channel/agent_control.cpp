#include <algorithm>
#include <cassert>
#include <set>

#include "proto/channel/control_session.hpp"

namespace sluice::channel {

AgentControl::AgentControl(AgentControlConfig config, SpiSource& spis, Instant now)
    : config_(std::move(config)), spis_(spis), deadline_(now + config_.times.handshake), next_report_(now) {
  assert(config_.hello.workers >= 1 && config_.hello.workers <= kMaxWorkers);
  send(config_.hello);
}

void AgentControl::on_message(Message message, Instant now) {
  switch (state_) {
    case State::kAwaitWelcome:
      if (const auto* welcome = std::get_if<Welcome>(&message)) return on_welcome(*welcome, now);
      return unexpected(message);
    case State::kEstablished:
      return on_established(message, now);
  }
}

void AgentControl::on_welcome(const Welcome& welcome, Instant now) {
  if (welcome.version < config_.hello.version_min || welcome.version > config_.hello.version_max) {
    return fail(DeadCause::kVersionMismatch, "the edge chose " + std::to_string(welcome.version));
  }
  edge_ = welcome;
  if (edge_.version < kVersionCarriers) edge_.carrier = CarrierMode::kUdp;
  if (agree(config_.hello.carrier, edge_.carrier) != edge_.carrier) {
    return fail(DeadCause::kCarrierMismatch,
                "channel.carrier is " + std::string(to_string(config_.hello.carrier)) +
                    " at the agent, and the edge chose " + std::string(to_string(edge_.carrier)));
  }
  auto paths = answer_paths(welcome.paths);
  if (!paths) return;
  epoch_ = paths->epoch;
  send(*paths);
  state_ = State::kEstablished;
  established_ = true;
  deadline_ = now + config_.times.keepalive_timeout;
  next_report_ = now;
  events_.push_back(EdgeReady{edge_, std::move(*paths)});
  on_timeout(now);
}

std::optional<DataPaths> AgentControl::answer_paths(const DataPaths& offer) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> pairs;
  std::set<Spi> spis;
  for (const auto& path : offer.paths) {
    if (path.edge_worker >= edge_.workers || path.agent_worker >= config_.hello.workers || path.spi_to_agent)
      break;
    pairs.emplace(path.edge_worker, path.agent_worker);
    spis.insert(path.spi_to_edge);
  }
  const std::size_t wanted = std::size_t{edge_.workers} * config_.hello.workers;
  if (offer.paths.size() != wanted || pairs.size() != wanted || spis.size() != wanted) {
    fail(DeadCause::kBadPaths, "the edge's data paths are not one for each pair of workers");
    return std::nullopt;
  }
  DataPaths answer = offer;
  for (auto& path : answer.paths) path.spi_to_agent = spis_.allocate(path.agent_worker);
  return answer;
}

void AgentControl::on_established(Message& message, Instant now) {
  if (std::holds_alternative<KeepAlive>(message)) {
    deadline_ = now + config_.times.keepalive_timeout;
  } else if (auto* open = std::get_if<TunnelOpen>(&message)) {
    if (open->edge_worker >= edge_.workers || open->agent_worker >= config_.hello.workers) {
      return fail(DeadCause::kBadField, "tunnel_open names a worker that does not exist");
    }
    if (!relays_.emplace(open->relay, false).second) {
      return fail(DeadCause::kUnexpected, "tunnel_open for a relay id that is open");
    }
    events_.push_back(std::move(*open));
  } else if (auto* close = std::get_if<TunnelClose>(&message)) {
    if (relays_.erase(close->relay) == 0) return counts_.add(ControlCount::kStaleRelay);
    events_.push_back(std::move(*close));
  } else if (auto* end = std::get_if<TunnelEnd>(&message)) {
    const auto relay = relays_.find(end->relay);
    if (relay == relays_.end() || !relay->second) return counts_.add(ControlCount::kStaleRelay);
    events_.push_back(std::move(*end));
  } else if (auto* offer = std::get_if<DataPaths>(&message)) {
    if (offer->epoch != epoch_ + 1)
      return fail(DeadCause::kBadPaths, "the new epoch does not follow the present one");
    auto paths = answer_paths(*offer);
    if (!paths) return;
    epoch_ = paths->epoch;
    send(*paths);
    events_.push_back(PathsRenewed{std::move(*paths)});
  } else if (const auto* resumed = std::get_if<TunnelResumed>(&message)) {
    if (resumed->edge_worker >= edge_.workers) {
      return fail(DeadCause::kBadField, "tunnel_resumed names a worker that does not exist");
    }
    if (offered_.erase(resumed->resume) == 0) return counts_.add(ControlCount::kStaleRelay);
    if (!relays_.emplace(resumed->relay, true).second) {
      return fail(DeadCause::kUnexpected, "tunnel_resumed for a relay id that is open");
    }
    events_.push_back(*resumed);
  } else if (auto* lost = std::get_if<TunnelLost>(&message)) {
    if (offered_.erase(lost->resume) == 0) return counts_.add(ControlCount::kStaleRelay);
    events_.push_back(std::move(*lost));
  } else {
    unexpected(message);
  }
}

bool AgentControl::accept(RelayId relay) {
  const auto found = relays_.find(relay);
  if (dead() || found == relays_.end() || found->second) return false;
  found->second = true;
  send(TunnelAccept{relay});
  return true;
}

bool AgentControl::refuse(RelayId relay, const std::string& reason) {
  const auto found = relays_.find(relay);
  if (dead() || found == relays_.end() || found->second) return false;
  relays_.erase(found);
  send(TunnelRefuse{relay, reason});
  return true;
}

bool AgentControl::close_tunnel(RelayId relay, CloseCause cause, const std::string& text) {
  if (dead() || relays_.erase(relay) == 0) return false;
  send(TunnelClose{relay, cause, text});
  return true;
}

bool AgentControl::session_up(const SessionUp& up) {
  const auto found = relays_.find(up.relay);
  if (dead() || found == relays_.end() || !found->second || !up.session) return false;
  send(up);
  return true;
}

bool AgentControl::session_down(const SessionDown& down) {
  const auto found = relays_.find(down.relay);
  if (dead() || found == relays_.end() || !found->second || !down.session) return false;
  send(down);
  return true;
}

bool AgentControl::resume_tunnel(const TunnelResume& resume) {
  if (dead() || !established_ || resume.resume <= last_offer_) return false;
  last_offer_ = resume.resume;
  offered_.insert(resume.resume);
  send(resume);
  return !dead();
}

void AgentControl::report_now() {
  if (!dead() && established_) send(load_);
}

void AgentControl::on_timeout(Instant now) {
  if (dead()) return;
  if (expired(deadline_, now)) {
    if (!established_) return fail(DeadCause::kHandshakeTimeout, "the edge did not finish the handshake");
    return fail(DeadCause::kSilent, "no keepalive in time");
  }
  if (!established_ || now < next_report_) return;
  send(load_);
  next_report_ = std::max(next_report_ + config_.times.report_interval, now);
}

std::optional<Instant> AgentControl::next_timeout() const {
  if (dead()) return std::nullopt;
  return established_ ? std::min(deadline_, next_report_) : deadline_;
}

std::optional<AgentEvent> AgentControl::poll_event() {
  if (events_.empty()) return std::nullopt;
  std::optional<AgentEvent> event(std::move(events_.front()));
  events_.pop_front();
  return event;
}

void AgentControl::push_dead(Dead dead) {
  relays_.clear();
  offered_.clear();
  events_.push_back(std::move(dead));
}

}  // namespace sluice::channel
