#include "lab/swarm/swarm.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/app/clock.hpp"

namespace sluice::swarm {
namespace {

using namespace std::chrono_literals;
constexpr auto kTick = 5ms;
constexpr Duration kFinishPatience = 10s;
/// Before hanging up, echoes under way may still come back.
constexpr Duration kQuiet = 1s;
constexpr std::size_t kUdpHeader = 8;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint16_t kIkePort = 500;
constexpr double kEndsPerStart = 4;
constexpr std::size_t kMostCauses = 50;

Duration every(double rate) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1.0 / std::max(rate, 1e-3)));
}

std::shared_ptr<const ppp::PppConfig> ppp_config(const Options& options, ClientId id) {
  auto config = std::make_shared<ppp::PppConfig>();
  config->role = ppp::Role::kClient;
  config->user = numbered(options.user, std::uint64_t{id} + 1);
  config->password = options.password.clone();
  config->echo_interval = {};
  return config;
}

}  // namespace

std::string numbered(const std::string& pattern, std::uint64_t number) {
  std::string out;
  for (const char c : pattern) {
    if (c == '%') {
      out += std::to_string(number);
    } else {
      out += c;
    }
  }
  return out;
}

Swarm::Swarm(boost::asio::io_context& io, const Options& options, RandomSource& random, Show show)
    : io_(io),
      options_(options),
      random_(random),
      show_(std::move(show)),
      jobs_(std::make_unique<std::array<esp::OpenJob, Sockets::kBurst>>()),
      timer_(io),
      starts_(options.rate),
      ends_(options.rate * kEndsPerStart),
      clients_(options.clients) {
  auto engine = esp::make_engine("auto", random_);
  if (!engine) throw std::runtime_error(engine.error());
  engine_ = std::move(*engine);
  sockets_ = std::make_unique<Sockets>(io_, options.sources.ports(),
                                       [this](std::span<Sockets::Received> burst) { on_burst(burst); });
  sealing_ = std::make_unique<SealBurst>(*engine_, *sockets_);
  for (ClientId id = 0; id < options.clients; ++id) {
    clients_[id].source = options.sources.of(id);
    clients_[id].ppp = ppp_config(options, id);
    to_start_.push_back(id);
  }
  report_.clients = options.clients;
}

Swarm::~Swarm() = default;

void Swarm::start(Keying& keying) {
  keying_ = &keying;
  started_ = last_shown_ = app::now();
  keying.start();
  tick_later();
}

void Swarm::stop() {
  if (finishing_ || !ready_) return end();
  finish(app::now());
}

// --- the clock ---

void Swarm::tick_later() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || ended_) return;
    tick();
    if (!ended_) tick_later();
  });
}

void Swarm::tick() {
  const Instant now = app::now();
  if (ready_) {
    if (!finishing_) start_some(now);
    wake_due(now);
    for (auto count = ends_.take(to_hang_up_.size(), now); count > 0; --count) {
      const ClientId id = to_hang_up_.front();
      to_hang_up_.pop_front();
      if (clients_[id].stage == Stage::kUp) hang_up(id, now);
    }
    sealing_->flush();
    see_whether_done(now);
  }
  if (!ended_ && now - last_shown_ >= options_.progress) {
    last_shown_ = now;
    show_(report(now));
  }
}

void Swarm::start_some(Instant now) {
  if (options_.cycles > 0 && begun_ >= options_.cycles) to_start_.clear();
  for (auto count = starts_.take(to_start_.size(), now); count > 0; --count) {
    const ClientId id = to_start_.front();
    to_start_.pop_front();
    start_client(id, now);
  }
}

void Swarm::start_client(ClientId id, Instant now) {
  Client& client = clients_[id];
  if (begun_++ == 0) first_start_ = now;
  ++active_;
  client.stage = Stage::kKeys;
  client.began = now;
  client.deadline = now + options_.patience;
  schedule(id);
  keying_->connect({id, client.source, numbered(options_.identity, std::uint64_t{id} + 1)});
}

void Swarm::wake_due(Instant now) {
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    const ClientId id = wakes_.begin()->second;
    wakes_.erase(wakes_.begin());
    clients_[id].wake.reset();
    on_wake(id, now);
    schedule(id);
  }
}

void Swarm::schedule(ClientId id) {
  Client& client = clients_[id];
  std::optional<Instant> next;
  const auto consider = [&next](const std::optional<Instant>& at) {
    if (at && (!next || *at < *next)) next = at;
  };
  consider(client.deadline);
  consider(client.echo_at);
  consider(client.redial_at);
  if (client.line) consider(client.line->next_timeout());
  if (next == client.wake) return;
  if (client.wake) wakes_.erase({*client.wake, id});
  client.wake = next;
  if (next) wakes_.emplace(*next, id);
}

void Swarm::on_wake(ClientId id, Instant now) {
  Client& client = clients_[id];
  if (client.redial_at && *client.redial_at <= now) {
    client.redial_at.reset();
    to_start_.push_back(id);
  }
  if (client.deadline && *client.deadline <= now) {
    client.deadline.reset();
    switch (client.stage) {
      case Stage::kKeys:
        return over(id, "no keys in time", now);
      case Stage::kDialling:
        return over(id, client.in_ppp ? "PPP did not come up in time" : "L2TP did not come up in time", now);
      case Stage::kUp:  // its time is over
        return hang_up(id, now);
      case Stage::kClosing:
        return over(id, {}, now);
      case Stage::kIdle:
      case Stage::kDone:
        break;
    }
  }
  if (client.line && client.line->next_timeout() <= now) {
    client.line->on_timeout(now);
    follow(id, now);
  }
  if (client.echo_at && *client.echo_at <= now) send_echo(id, now);
}

// --- keys ---

void Swarm::keying_ready() {
  ready_ = true;
}

void Swarm::keying_broken(const std::string& why) {
  broken_ = why;
  end();
}

void Swarm::sa_added(ClientId id, edge::SaSpec spec) {
  Client& client = clients_[id];
  if (client.stage == Stage::kIdle || client.stage == Stage::kDone || client.stage == Stage::kClosing) return;
  const auto suite =
      esp::find_suite(spec.encryption, spec.integrity, spec.encryption_key.size(), spec.integrity_key.size());
  if (!suite) return over(id, "an SA with algorithms that the swarm lacks: " + suite.error(), app::now());
  esp::SaParameters parameters{.spi = spec.spi,
                               .suite = *suite,
                               .encryption_key = spec.encryption_key.bytes(),
                               .integrity_key = spec.integrity_key.bytes(),
                               .extended_sequence = spec.extended_sequence,
                               .replay_window = 64,
                               .limits = {}};
  if (spec.inbound) {
    auto made = engine_->make_inbound(parameters);
    if (!made) return over(id, made.error(), app::now());
    if (client.in) by_spi_.erase(client.in->spi());
    client.in = std::move(*made);
    by_spi_[spec.spi] = id;
  } else {
    auto made = engine_->make_outbound(parameters);
    if (!made) return over(id, made.error(), app::now());
    sealing_->flush();  // what waits there uses the SA that goes
    client.out = std::move(*made);
    client.remote = {spec.destination.address, options_.natt_port};
  }
  if (client.in && client.out && client.stage == Stage::kKeys) dial(id, app::now());
}

void Swarm::sa_removed(ClientId id, Spi spi) {
  Client& client = clients_[id];
  if (!client.in || client.in->spi() != spi) return;
  if (client.stage == Stage::kUp || client.stage == Stage::kDialling)
    over(id, "the edge deleted the SAs", app::now());
}

void Swarm::keys_over(ClientId id, const std::string& cause) {
  const Stage stage = clients_[id].stage;
  if (stage == Stage::kIdle || stage == Stage::kDone) return;
  over(id, stage == Stage::kClosing ? std::string() : cause, app::now());
}

void Swarm::keying_trouble(const std::string& cause) {
  count_cause(cause);
}

/// What peers say is part of some causes, and could be another each time.
void Swarm::count_cause(const std::string& cause) {
  const bool known = report_.causes.contains(cause) || report_.causes.size() < kMostCauses;
  ++report_.causes[known ? cause : "other causes"];
}

void Swarm::send_ike(const Endpoint& local, const Endpoint& remote, Bytes datagram) {
  const Sockets::Outgoing out{datagram, local, remote};
  sockets_->send({&out, 1});
}

// --- packets ---

void Swarm::on_burst(std::span<Sockets::Received> packets) {
  const Instant now = app::now();
  std::array<ClientId, Sockets::kBurst> owners{};
  std::size_t count = 0;
  for (auto& received : packets) {
    auto& packet = received.packet;
    const bool natt = received.remote.port != kIkePort;
    const bool ike = !natt || (packet.length >= 4 && load_be32(packet.data()) == 0);
    if (ike) {
      if (natt) packet.drop_front(4);
      keying_->on_ike(received.local, received.remote, natt, packet.bytes());
      continue;
    }
    const auto header = esp::parse_esp_header(packet.bytes());
    const auto owner = header ? by_spi_.find(header->spi) : by_spi_.end();
    if (owner == by_spi_.end()) {
      ++unknown_spi_;
      continue;
    }
    owners[count] = owner->second;
    (*jobs_)[count] = esp::OpenJob();
    (*jobs_)[count++].set(*clients_[owner->second].in, packet);
  }
  engine_->open(std::span(*jobs_).first(count));
  for (std::size_t i = 0; i < count; ++i) {
    auto& job = (*jobs_)[i];
    if (!job.ok() || job.next_header != kUdp || job.packet.length <= kUdpHeader) {
      ++not_opened_;
      continue;
    }
    on_opened(owners[i], job.packet.mutable_bytes().subspan(kUdpHeader), now);
  }
  sealing_->flush();
}

void Swarm::on_opened(ClientId id, MutableBytes payload, Instant now) {
  Client& client = clients_[id];
  if (!client.line) return;
  const MutableBytes ip = client.line->on_packet(payload, now);
  if (!ip.empty()) {
    if (const auto echo = parse_echo_reply(ip); echo && client.echoes.answered(echo->number)) {
      report_.echo.add(now - echo->sent);
    }
    return;
  }
  follow(id, now);
  schedule(id);
}

// --- one connection ---

void Swarm::dial(ClientId id, Instant now) {
  Client& client = clients_[id];
  client.stage = Stage::kDialling;
  client.keyed = now;
  client.in_ppp = false;
  client.deadline = now + options_.patience;
  if (++next_tunnel_ == 0) next_tunnel_ = 1;
  client.line = std::make_unique<Line>(TunnelId(next_tunnel_), "swarm-" + std::to_string(id + 1), client.ppp,
                                       random_, ppp_drops_);
  client.line->start(now);
  follow(id, now);
  schedule(id);
  sealing_->flush();
}

void Swarm::follow(ClientId id, Instant now) {
  Client& client = clients_[id];
  while (const auto packet = client.line->poll_transmit()) {
    sealing_->add(Bytes(*packet), *client.out, client.source, client.remote);
  }
  switch (client.line->state()) {
    case LineState::kTunnel:
    case LineState::kCall:
    case LineState::kClosing:
      return;
    case LineState::kPpp:
      if (!std::exchange(client.in_ppp, true)) client.called = now;
      return;
    case LineState::kUp:
      if (client.stage == Stage::kDialling) came_up(id, now);
      return;
    case LineState::kOver:
      return over(id, client.stage == Stage::kClosing ? std::string() : client.line->cause(), now);
  }
}

void Swarm::came_up(ClientId id, Instant now) {
  Client& client = clients_[id];
  client.stage = Stage::kUp;
  client.deadline.reset();
  client.was_up = true;
  ++report_.connected;
  report_.most_up = std::max(report_.most_up, ++report_.up);
  last_up_ = now;
  report_.keys.add(client.keyed - client.began);
  report_.l2tp.add(client.called - client.keyed);
  report_.ppp.add(now - client.called);
  report_.total.add(now - client.began);
  if (const auto since = std::exchange(client.cut_off, std::nullopt)) report_.recovery.add(now - *since);
  if (options_.cycles > 0) client.deadline = now + options_.hold;
  if (options_.echo_rate > 0 && !finishing_) {
    // Not all at the same moment.
    const auto part = static_cast<double>(random_.u16()) / 65536;
    client.echo_at = now + std::chrono::duration_cast<Duration>(every(options_.echo_rate) * part);
  }
  if (finishing_) hang_up(id, now);
}

void Swarm::send_echo(ClientId id, Instant now) {
  Client& client = clients_[id];
  if (client.stage != Stage::kUp) {
    client.echo_at.reset();
    return;
  }
  client.echo_at = std::max(*client.echo_at + every(options_.echo_rate), now);
  const std::size_t size = std::max<std::size_t>(options_.echo_size, kSmallestEcho);
  const MutableBytes room = sealing_->buffer().subspan(SealBurst::kHeadroom, Line::kHeadroom + size);
  const IpAddress to = options_.target.is_unspecified() ? client.line->gateway() : options_.target;
  write_echo(room.subspan(Line::kHeadroom), client.line->address(), to, static_cast<std::uint16_t>(id),
             {client.echoes.next(), now});
  if (const auto packet = client.line->frame_ip(room))
    sealing_->add(*packet, *client.out, client.source, client.remote);
}

void Swarm::hang_up(ClientId id, Instant now) {
  Client& client = clients_[id];
  --report_.up;
  client.stage = Stage::kClosing;
  client.echo_at.reset();
  client.deadline = now + kFinishPatience / 2;
  client.line->hang_up(now);
  follow(id, now);
  schedule(id);
}

void Swarm::drop_sas(Client& client) {
  sealing_->flush();  // what waits there uses them
  if (client.in) by_spi_.erase(client.in->spi());
  client.in.reset();
  client.out.reset();
}

void Swarm::over(ClientId id, const std::string& cause, Instant now) {
  Client& client = clients_[id];
  const bool wanted = cause.empty();
  if (client.stage == Stage::kUp) {
    --report_.up;
    ++report_.lost;
    client.cut_off = now;
    client.was_cut_off = true;
  } else if (!wanted) {
    ++report_.failed;
  }
  if (!wanted) count_cause(cause);
  keying_->disconnect(id);
  drop_sas(client);
  client.line.reset();
  client.deadline.reset();
  client.echo_at.reset();
  --active_;
  client.stage = Stage::kDone;
  if (!finishing_ && options_.cycles > 0) {
    client.stage = Stage::kIdle;
    to_start_.push_back(id);
  } else if (!finishing_ && !wanted && options_.redial) {
    client.stage = Stage::kIdle;
    client.redial_at = now + options_.redial_delay;
  }
  schedule(id);
}

// --- the end ---

bool Swarm::starting_is_over() const {
  if (options_.cycles > 0) return begun_ >= options_.cycles && active_ == 0;
  return to_start_.empty() && active_ == report_.up && begun_ >= options_.clients;
}

void Swarm::see_whether_done(Instant now) {
  if (finishing_) {
    const bool quiet = quiet_until_ && now < *quiet_until_;
    if (quiet) return;
    if (std::exchange(quiet_until_, std::nullopt)) {
      for (ClientId id = 0; id < clients_.size(); ++id) {
        if (clients_[id].stage == Stage::kUp) to_hang_up_.push_back(id);
      }
      const double seconds =
          options_.rate > 0 ? static_cast<double>(to_hang_up_.size()) / (options_.rate * kEndsPerStart) : 0;
      finish_deadline_ = now + kFinishPatience +
                         std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    }
    if (active_ == 0 || now > *finish_deadline_) end();
    return;
  }
  if (!settled_ && starting_is_over()) settled_ = now;
  if (!settled_) return;
  if (options_.cycles > 0 || (options_.duration > Duration{} && now - *settled_ >= options_.duration))
    finish(now);
}

void Swarm::finish(Instant now) {
  report_.never_up = report(now).never_up;
  finishing_ = true;
  to_start_.clear();
  for (ClientId id = 0; id < clients_.size(); ++id) {
    Client& client = clients_[id];
    client.echo_at.reset();
    client.redial_at.reset();
    if (client.stage == Stage::kKeys || client.stage == Stage::kDialling)
      over(id, "not yet up when the run ended", now);
    schedule(id);
  }
  quiet_until_ = now + (options_.echo_rate > 0 ? kQuiet : Duration{});
}

void Swarm::end() {
  if (std::exchange(ended_, true)) return;
  timer_.cancel();
  keying_->stop();
  sockets_->stop();
  io_.stop();
}

Report Swarm::report(Instant now) const {
  Report out = report_;
  out.connecting = active_ - report_.up;
  out.elapsed = now - started_;
  out.connecting_time = last_up_ - first_start_;
  for (const auto& client : clients_) {
    if (!client.was_up) ++out.never_up;
    if (client.echoes.sent() == 0) continue;
    EchoTotals& totals = client.was_cut_off ? out.disturbed : out.undisturbed;
    ++totals.clients;
    totals.sent += client.echoes.sent();
    totals.answered += client.echoes.answered();
  }
  if (finishing_) out.never_up = report_.never_up;
  out.not_sent = sockets_->not_sent() + sealing_->not_sealed();
  out.dropped_in = sockets_->dropped_in();
  if (unknown_spi_ > 0) out.drops["ESP for no SA of ours"] = unknown_spi_;
  if (not_opened_ > 0) out.drops["ESP that did not open"] = not_opened_;
  for (std::size_t i = 0; i < static_cast<std::size_t>(ppp::Drop::kCount); ++i) {
    const auto reason = static_cast<ppp::Drop>(i);
    if (const auto count = ppp_drops_.read(reason))
      out.drops["PPP " + std::string(to_string(reason))] = count;
  }
  return out;
}

}  // namespace sluice::swarm
