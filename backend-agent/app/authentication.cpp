#include "backend-agent/app/authentication.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <stdexcept>

#include "base/app/clock.hpp"
#include "base/text.hpp"

namespace sluice::agent {
namespace {

/// Logins that wait for a hash; more are told to come again.
constexpr std::size_t kMaxHashes = 32;

Users users_or_throw(const std::filesystem::path& file) {
  auto users = load_users(file);
  if (users) return std::move(users).value();
  std::string text;
  for (const auto& error : users.error()) text += (text.empty() ? "" : "; ") + error.to_string();
  throw std::runtime_error(text);
}

Secret secret_or_throw(const std::filesystem::path& file) {
  auto secret = app::read_secret_file(file);
  if (!secret) throw std::runtime_error(secret.error());
  return std::move(secret).value();
}

NasIdentity nas_of(const Config& config) {
  NasIdentity out;
  out.identifier = config.radius.nas_identifier.empty() ? config.name : config.radius.nas_identifier;
  if (!config.radius.nas_address.is_unspecified()) out.address = config.radius.nas_address;
  return out;
}

radius::ClientSettings client_settings(const RadiusConfig& config, bool accounting) {
  radius::ClientSettings out;
  for (const auto& server : config.servers) {
    const auto port = static_cast<std::uint16_t>(accounting ? server.acct_port : server.auth_port);
    out.servers.push_back({{server.address, port}, secret_or_throw(server.secret_file), server.priority});
  }
  out.first_timeout = config.timeout;
  out.max_timeout = std::max<Duration>(out.max_timeout, config.timeout);
  out.tries = config.tries;
  out.dead_time = config.dead_time;
  out.status_server = config.status_server;
  out.demand_message_authenticator = !accounting;
  return out;
}

ThrottleSettings throttle_settings(const ThrottleConfig& config) {
  ThrottleSettings out;
  out.free_failures = {config.by_user, config.by_source, config.by_peer};
  out.max_delay = config.max_delay;
  return out;
}

/// Never the same for two runs: the time, and chance for runs within one second.
std::string unique_prefix(RandomSource& random) {
  return to_hex_word(static_cast<std::uint32_t>(app::unix_now())) + to_hex_word(random.u32()) + "-";
}

}  // namespace

Authentication::Authentication(boost::asio::io_context& io, const Config& config, RandomSource& random,
                               std::function<void(SessionSerial)> ask_counters)
    : io_(io),
      config_(config),
      random_(random),
      session_prefix_(unique_prefix(random)),
      ask_counters_(std::move(ask_counters)) {
  if (!config.users_file.empty())
    users_ = std::make_unique<UsersFile>(users_or_throw(config.users_file), offload());
  if (!config.radius.servers.empty()) make_radius();
  gate_ =
      std::make_unique<LoginGate>(users_.get(), radius_.get(), throttle_settings(config.throttle), app::now);
  counted_ = std::make_unique<CountedAuthenticator>(*gate_, app::now);
}

Authentication::~Authentication() {
  hasher_.join();
}

void Authentication::make_radius() {
  const RadiusConfig& radius = config_.radius;
  auth_port_ = std::make_unique<RadiusPort>(io_, "authentication", client_settings(radius, false), random_);
  radius_ = std::make_unique<RadiusAuthenticator>(*auth_port_, nas_of(config_));
  if (!radius.accounting) return;
  acct_port_ = std::make_unique<RadiusPort>(io_, "accounting", client_settings(radius, true), random_);
  accounting_ = std::make_unique<Accounting>(AccountingContext{
      .nas = nas_of(config_),
      .random = random_,
      .send =
          [this](radius::Draft draft, std::function<void(bool)> done) {
            acct_port_->submit(std::move(draft), [finish = std::move(done)](const RadiusAnswer& a) {
              finish(a.packet.has_value());
            });
          },
      .ask_counters = ask_counters_,
      .unix_seconds = app::unix_now});
  accounting_->announce(true);
}

UsersFile::Offload Authentication::offload() {
  return [this](std::function<bool()> work, std::function<void(bool)> then) {
    if (hashes_waiting_ >= kMaxHashes) return false;
    ++hashes_waiting_;
    boost::asio::post(hasher_, [this, job = std::move(work), next = std::move(then)] {
      const bool result = job();
      boost::asio::post(io_, [this, next, result] {
        --hashes_waiting_;
        next(result);
      });
    });
    return true;
  };
}

void Authentication::listen(DynamicPort::Carry carry) {
  const RadiusConfig& radius = config_.radius;
  if (radius.dynamic_listen.port == 0) return;
  radius::DynamicSettings settings;
  for (const auto& source : radius.dynamic)
    settings.sources.push_back({source.address, secret_or_throw(source.secret_file)});
  const NasIdentity nas = nas_of(config_);
  settings.nas_identifier = nas.identifier;
  settings.nas_address = nas.address;
  settings.demand_timestamp = radius.demand_timestamp;
  dynamic_ = std::make_unique<DynamicPort>(io_, radius.dynamic_listen, std::move(settings), std::move(carry));
}

void Authentication::reload(std::optional<Users> users, bool radius) {
  if (radius && radius_) replace_radius();
  if (users_ && users) users_->replace(std::move(*users));
  gate_->set(radius_.get(), throttle_settings(config_.throttle));
}

/// accounting_ sends by whatever port there is; what waits for an answer waits at the port that asked.
void Authentication::replace_radius() {
  auto auth =
      std::make_unique<RadiusPort>(io_, "authentication", client_settings(config_.radius, false), random_);
  std::unique_ptr<RadiusPort> acct;
  if (acct_port_)
    acct = std::make_unique<RadiusPort>(io_, "accounting", client_settings(config_.radius, true), random_);
  auto fresh = std::make_unique<RadiusAuthenticator>(*auth, nas_of(config_));
  retired_.push_back({std::exchange(auth_port_, std::move(auth)), std::exchange(acct_port_, std::move(acct)),
                      std::exchange(radius_, std::move(fresh))});
}

void Authentication::tick(Instant now) {
  // What is stopped here goes at the next tick: its handlers have run by then.
  std::erase_if(retired_, [](const Retired& former) { return former.stopped; });
  for (auto& former : retired_) {
    const auto waiting = former.auth_port->pending() + (former.acct_port ? former.acct_port->pending() : 0);
    if (waiting != 0) continue;
    former.auth_port->stop();
    if (former.acct_port) former.acct_port->stop();
    former.stopped = true;
  }
  if (accounting_) accounting_->on_timeout(now);
}

void Authentication::farewell() {
  if (!accounting_) return;
  accounting_->send_kept();
  accounting_->announce(false);
}

std::size_t Authentication::owed() const {
  std::size_t waiting = acct_port_ ? std::max(acct_port_->pending(), accounting_->kept()) : 0;
  for (const auto& former : retired_) waiting += former.acct_port ? former.acct_port->pending() : 0;
  return waiting;
}

void Authentication::stop() {
  if (auth_port_) auth_port_->stop();
  if (acct_port_) acct_port_->stop();
  if (dynamic_) dynamic_->stop();
  for (const auto& former : retired_) {
    former.auth_port->stop();
    if (former.acct_port) former.acct_port->stop();
  }
}

std::unordered_set<std::uint32_t> Authentication::fixed_addresses() const {
  return users_ ? users_->addresses() : std::unordered_set<std::uint32_t>();
}

std::vector<Prefix> Authentication::fixed_prefixes() const {
  return users_ ? users_->prefixes() : std::vector<Prefix>();
}

}  // namespace sluice::agent
