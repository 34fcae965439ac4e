#pragma once
// The control thread's sessions with real pools and accounting; the test judges attempts.

#include <functional>
#include <string>
#include <vector>

#include "backend-agent/app/sessions.hpp"
#include "tests/unit/proto/seeded_random.hpp"

namespace sluice::agent::test {

/// Answers when the test says so.
class SlowAuthenticator final : public Authenticator {
 public:
  void authenticate(AuthAttempt attempt, Done done) override {
    attempts.push_back(std::move(attempt));
    waiting.push_back(std::move(done));
  }
  void forget(SessionSerial session) override { forgotten.push_back(session); }
  void answer(std::size_t which, bool accepted, std::optional<IpAddress> address = std::nullopt,
              radius::Grant grant = {}) {
    AuthDecision decision;
    decision.verdict.accepted = accepted;
    decision.verdict.cause = accepted ? "" : "wrong-password";
    decision.grant = std::move(grant);
    decision.grant.address = address;
    waiting.at(which)(std::move(decision));
  }
  std::vector<AuthAttempt> attempts;
  std::vector<Done> waiting;
  std::vector<SessionSerial> forgotten;
};

inline PoolsSettings pool_settings() {
  PoolsSettings out;
  out.ranges = {*parse_range("10.99.0.2-10.99.0.3")};
  out.named = {{"staff", {*parse_range("10.98.0.2-10.98.0.3")}, {"example.net"}}};
  return out;
}

struct SessionsWorld {
  explicit SessionsWorld(const PoolsSettings& settings = pool_settings(), std::size_t most = 0)
      : max_sessions(most), pool(settings, {}) {
    const Endpoint client = *Endpoint::parse("203.0.113.9:4500");
    tunnel.key = {ChannelId(1), RelayId(2)};
    tunnel.client = client;
  }
  void ask(std::uint64_t serial, std::string user) {
    AuthAsked asked;
    asked.session = SessionSerial(serial);
    asked.tunnel = tunnel;
    asked.request.user = std::move(user);
    asked.request.attempt = ppp::AttemptId(++attempts);
    sessions.on_auth(std::move(asked));
  }
  void end(std::uint64_t serial, std::string cause = "user-request") {
    SessionGone gone;
    gone.session = SessionSerial(serial);
    gone.tunnel = tunnel.key;
    gone.cause = std::move(cause);
    gone.was_up = true;
    sessions.on_gone(gone);
  }
  const AuthDecided& decided(std::size_t which) const { return std::get<AuthDecided>(posted.at(which)); }

  std::size_t max_sessions;
  std::uint32_t attempts = 0;
  TunnelSpec tunnel;
  SlowAuthenticator authenticator;
  Pools pool;
  Instant now{std::chrono::hours(1)};
  std::vector<Command> posted;
  std::vector<channel::SessionUp> ups;
  std::vector<channel::SessionDown> downs;
  std::vector<std::pair<std::string, bool>> fixed;
  std::vector<std::string> steered;
  sluice::test::SeededRandom random{1};
  std::vector<radius::Draft> records;
  Accounting accounting{AccountingContext{
      .nas = {"agent1", std::nullopt},
      .random = random,
      .send = [this](radius::Draft draft, std::function<void(bool)>) { records.push_back(std::move(draft)); },
      .ask_counters = [this](SessionSerial session) { posted.push_back(AskCounters{session}); },
      .unix_seconds = [] { return std::int64_t{1700000000}; }}};
  Sessions sessions{SessionsContext{
      .authenticator = authenticator,
      .pools = pool,
      .accounting = &accounting,
      .common = {IpAddress::v4(0x0a630001), {}, {}, {}, {}, {}, {}},
      .dns6 = {},
      .interim = {},
      .session_prefix = "run-",
      .now = [this] { return now; },
      .unix_seconds = [] { return std::int64_t{1700000000}; },
      .post = [this](Command command) { posted.push_back(std::move(command)); },
      .session_up = [this](ChannelId, const channel::SessionUp& up) { ups.push_back(up); },
      .session_down = [this](ChannelId, const channel::SessionDown& down) { downs.push_back(down); },
      .called = [](ChannelId) { return std::string("edge1"); },
      .max_sessions = max_sessions,
      .filters = {"web", "all"},
      .route = [this](const Prefix& p, bool in_use) { fixed.emplace_back(p.to_string(), in_use); },
      .steer =
          [this](const Prefix& p, SessionSerial session, bool in_use) {
            steered.push_back(p.to_string() + (in_use ? " to " : " from ") + std::to_string(session.value()));
          }}};
};

inline SessionOpened opened(std::uint64_t serial) {
  SessionOpened out;
  out.session = SessionSerial(serial);
  return out;
}

inline radius::DynamicRequest request_for(std::string user, bool disconnect) {
  radius::DynamicRequest out;
  out.user = std::move(user);
  out.disconnect = disconnect;
  return out;
}

}  // namespace sluice::agent::test
