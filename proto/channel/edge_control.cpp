#include <algorithm>
#include <cassert>

#include "proto/channel/control_session.hpp"

namespace sluice::channel {
namespace {

bool by_workers(const DataPath& a, const DataPath& b) {
  return std::pair(a.edge_worker, a.agent_worker) < std::pair(b.edge_worker, b.agent_worker);
}

}  // namespace

EdgeControl::EdgeControl(EdgeControlConfig config, SpiSource& spis, Instant now)
    : config_(std::move(config)),
      spis_(spis),
      deadline_(now + config_.times.handshake),
      next_keepalive_(now) {
  assert(config_.workers >= 1 && config_.workers <= kMaxWorkers);
}

EdgeControl::~EdgeControl() {
  release_offer();
}

void EdgeControl::on_message(Message message, Instant now) {
  switch (state_) {
    case State::kAwaitHello:
      if (const auto* hello = std::get_if<Hello>(&message)) return on_hello(*hello, now);
      return unexpected(message);
    case State::kAwaitPaths:
      if (const auto* paths = std::get_if<DataPaths>(&message)) return on_paths(*paths, now);
      return unexpected(message);
    case State::kEstablished:
      return on_established(message, now);
  }
}

void EdgeControl::on_hello(const Hello& hello, Instant now) {
  version_ = std::min(hello.version_max, kVersionMax);
  if (version_ < std::max(hello.version_min, kVersionMin)) {
    return fail(DeadCause::kVersionMismatch, "agent speaks " + std::to_string(hello.version_min) + " to " +
                                                 std::to_string(hello.version_max) + ", edge " +
                                                 std::to_string(kVersionMin) + " to " +
                                                 std::to_string(kVersionMax));
  }
  const auto wanted = version_ < kVersionCarriers ? CarrierMode::kUdp : hello.carrier;
  const auto carrier = agree(config_.carrier, wanted);
  if (!carrier) {
    return fail(DeadCause::kCarrierMismatch, "channel.carrier is " + std::string(to_string(config_.carrier)) +
                                                 " at the edge and " + std::string(to_string(wanted)) +
                                                 " at the agent: make one of them auto");
  }
  // Nobody tells an agent of version 1 whether it is heard.
  carrier_ = version_ < kVersionCarriers ? CarrierMode::kUdp : *carrier;
  agent_ = hello;
  epoch_ = 1;
  offer_ = offer_paths(epoch_);
  send(Welcome{version_, config_.boot_id, config_.edge_name, config_.workers, config_.data_port, *offer_,
               carrier_});
  deadline_ = now + config_.times.handshake;
  state_ = State::kAwaitPaths;
}

DataPaths EdgeControl::offer_paths(std::uint32_t epoch) {
  DataPaths offer{epoch, {}};
  for (std::uint32_t edge = 0; edge < config_.workers; ++edge) {
    for (std::uint32_t agent = 0; agent < agent_.workers; ++agent) {
      offer.paths.push_back({edge, agent, spis_.allocate(edge), Spi{}});
    }
  }
  return offer;
}

void EdgeControl::release_offer() {
  if (!offer_) return;
  for (const auto& path : offer_->paths) spis_.release(path.spi_to_edge);
  offer_.reset();
}

void EdgeControl::on_paths(const DataPaths& answer, Instant now) {
  if (!offer_) return unexpected(Message(answer));
  DataPaths paths = answer;
  std::sort(paths.paths.begin(), paths.paths.end(), by_workers);
  const bool matches = paths.epoch == offer_->epoch &&
                       std::equal(paths.paths.begin(), paths.paths.end(), offer_->paths.begin(),
                                  offer_->paths.end(), [](const DataPath& got, const DataPath& offered) {
                                    return got.edge_worker == offered.edge_worker &&
                                           got.agent_worker == offered.agent_worker &&
                                           got.spi_to_edge == offered.spi_to_edge && got.spi_to_agent;
                                  });
  if (!matches) return fail(DeadCause::kBadPaths, "the agent's data paths are not those offered");
  offer_.reset();
  epoch_ = paths.epoch;
  if (state_ == State::kEstablished) {
    events_.push_back(PathsRenewed{std::move(paths)});
    return;
  }
  state_ = State::kEstablished;
  established_ = true;
  deadline_ = now + config_.times.report_timeout;
  next_keepalive_ = now;
  events_.push_back(AgentReady{agent_, version_, std::move(paths), carrier_});
  on_timeout(now);
}

void EdgeControl::on_established(Message& message, Instant now) {
  if (auto* report = std::get_if<LoadReport>(&message)) {
    deadline_ = now + config_.times.report_timeout;
    events_.push_back(*report);
  } else if (auto* paths = std::get_if<DataPaths>(&message)) {
    on_paths(*paths, now);
  } else if (auto* accept = std::get_if<TunnelAccept>(&message)) {
    const auto found = relays_.find(accept->relay);
    if (found == relays_.end() || !found->second) return counts_.add(ControlCount::kStaleRelay);
    found->second.reset();
    forget_answered();
    events_.push_back(*accept);
  } else if (auto* refuse = std::get_if<TunnelRefuse>(&message)) {
    const auto found = relays_.find(refuse->relay);
    if (found == relays_.end() || !found->second) return counts_.add(ControlCount::kStaleRelay);
    relays_.erase(found);
    forget_answered();
    events_.push_back(std::move(*refuse));
  } else if (auto* close = std::get_if<TunnelClose>(&message)) {
    if (relays_.erase(close->relay) == 0) return counts_.add(ControlCount::kStaleRelay);
    forget_answered();
    events_.push_back(std::move(*close));
  } else if (auto* up = std::get_if<SessionUp>(&message)) {
    if (!accepted(up->relay)) return counts_.add(ControlCount::kStaleRelay);
    events_.push_back(std::move(*up));
  } else if (auto* down = std::get_if<SessionDown>(&message)) {
    if (!accepted(down->relay)) return counts_.add(ControlCount::kStaleRelay);
    events_.push_back(std::move(*down));
  } else if (auto* resume = std::get_if<TunnelResume>(&message)) {
    if (resume->agent_worker >= agent_.workers) {
      return fail(DeadCause::kBadField, "tunnel_resume names a worker that does not exist");
    }
    if (offered_.size() == kMaxOffers) {
      return fail(DeadCause::kFlood, "more tunnels offered at once than an agent can have");
    }
    if (!offered_.insert(resume->resume).second) {
      return fail(DeadCause::kUnexpected, "tunnel_resume under a number that is in use");
    }
    events_.push_back(std::move(*resume));
  } else {
    unexpected(message);
  }
}

bool EdgeControl::accepted(RelayId relay) {
  const auto found = relays_.find(relay);
  return found != relays_.end() && !found->second;
}

bool EdgeControl::open_tunnel(const TunnelOpen& open, Instant now) {
  if (dead() || !established_ || !open.relay || !open.assigned_tunnel || relays_.contains(open.relay))
    return false;
  if (open.edge_worker >= config_.workers || open.agent_worker >= agent_.workers) return false;
  const Instant due = now + config_.times.open_timeout;
  send(open);
  if (dead()) return false;
  relays_.emplace(open.relay, due);
  unanswered_.emplace_back(due, open.relay);
  return true;
}

bool EdgeControl::close_tunnel(RelayId relay, CloseCause cause, const std::string& text) {
  if (dead() || relays_.erase(relay) == 0) return false;
  forget_answered();
  send(TunnelClose{relay, cause, text});
  return true;
}

bool EdgeControl::end_tunnel(RelayId relay, const std::string& text) {
  if (dead() || !accepted(relay)) return false;
  send(TunnelEnd{relay, text});
  return !dead();
}

bool EdgeControl::resume_tunnel(const TunnelResumed& resumed) {
  if (dead() || !resumed.relay || relays_.contains(resumed.relay)) return false;
  if (resumed.edge_worker >= config_.workers || offered_.erase(resumed.resume) == 0) return false;
  relays_.emplace(resumed.relay, std::nullopt);
  send(resumed);
  return !dead();
}

bool EdgeControl::refuse_resume(const TunnelLost& lost) {
  if (dead() || offered_.erase(lost.resume) == 0) return false;
  send(lost);
  return !dead();
}

bool EdgeControl::renew_paths(Instant now) {
  if (dead() || !established_ || offer_) return false;
  offer_due_ = now + config_.times.renew_timeout;
  offer_ = offer_paths(epoch_ + 1);
  send(*offer_);
  return true;
}

void EdgeControl::on_timeout(Instant now) {
  if (dead()) return;
  if (expired(deadline_, now)) {
    if (!established_) return fail(DeadCause::kHandshakeTimeout, "the agent did not finish the handshake");
    return fail(DeadCause::kSilent, "no load report in time");
  }
  if (!established_) return;
  if (offer_ && expired(offer_due_, now)) return fail(DeadCause::kBadPaths, "no answer to a new key epoch");
  if (now >= next_keepalive_) {
    send(KeepAlive{++keepalives_});
    next_keepalive_ = std::max(next_keepalive_ + config_.times.keepalive_interval, now);
  }
  refuse_unanswered(now);
}

void EdgeControl::refuse_unanswered(Instant now) {
  while (!unanswered_.empty() && now >= unanswered_.front().first && !dead()) {
    const auto [due, relay] = unanswered_.front();
    unanswered_.pop_front();
    const auto found = relays_.find(relay);
    if (found == relays_.end() || found->second != due) continue;
    relays_.erase(found);
    events_.push_back(TunnelRefuse{relay, std::string(kNoAnswer)});
    send(TunnelClose{relay, CloseCause::kUnspecified, "no answer in time"});
  }
  forget_answered();
}

void EdgeControl::forget_answered() {
  while (!unanswered_.empty()) {
    const auto found = relays_.find(unanswered_.front().second);
    if (found != relays_.end() && found->second == unanswered_.front().first) return;
    unanswered_.pop_front();
  }
}

std::optional<Instant> EdgeControl::next_timeout() const {
  if (dead()) return std::nullopt;
  if (!established_) return deadline_;
  Instant next = std::min(deadline_, next_keepalive_);
  if (!unanswered_.empty()) next = std::min(next, unanswered_.front().first);
  if (offer_) next = std::min(next, offer_due_);
  return next;
}

std::optional<EdgeEvent> EdgeControl::poll_event() {
  if (events_.empty()) return std::nullopt;
  std::optional<EdgeEvent> event(std::move(events_.front()));
  events_.pop_front();
  return event;
}

void EdgeControl::push_dead(Dead dead) {
  release_offer();
  relays_.clear();
  unanswered_.clear();
  offered_.clear();
  events_.push_back(std::move(dead));
}

}  // namespace sluice::channel
