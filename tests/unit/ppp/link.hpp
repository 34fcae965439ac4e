#pragma once
// Two PPP sessions joined by a line that may lose, double and reorder frames, with a clock of its own.

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ppp/session.hpp"

namespace sluice::ppp::test {

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint32_t seed) : engine_(seed) {}
  void fill(MutableBytes out) override {
    for (auto& b : out) b = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937 engine_;
};

inline PppConfig server_config() {
  PppConfig config;
  config.name = "lns";
  return config;
}
inline PppConfig client_config(std::string user = "alice", std::string_view password = "secret") {
  PppConfig config;
  config.role = Role::kClient;
  config.user = std::move(user);
  config.password = Secret(password);
  return config;
}
inline IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
inline Addresses addresses() {
  return {ip("10.99.0.1"), ip("10.99.0.7"), {ip("9.9.9.9"), ip("1.1.1.1")}, {ip("10.0.0.53")}};
}

inline Addresses addresses_with_ipv6() {
  Addresses out = addresses();
  out.v6 = Ipv6Addresses{.prefix = Prefix::parse("2001:db8:1:7::/64"),
                         .delegated = Prefix::parse("2001:db8:100::/56"),
                         .dns = {ip("2001:db8::53")}};
  out.domain = "corp.example";
  return out;
}

/// Any payload behind all of a PPP header.
inline ByteVector raw_frame(Protocol protocol, Bytes payload) {
  ByteVector frame(4 + payload.size());
  ByteWriter out(frame);
  write_header(out, protocol, false, false);
  out.bytes(payload);
  return frame;
}

/// A whole PPP frame with all its header.
inline ByteVector control_frame(Protocol protocol, std::uint8_t code, std::uint8_t id, Bytes body) {
  ByteVector frame(8 + body.size());
  ByteWriter out(frame);
  write_header(out, protocol, false, false);
  out.u8(code);
  out.u8(id);
  out.u16(static_cast<std::uint16_t>(4 + body.size()));
  out.bytes(body);
  return frame;
}

/// One session with its clock; the test is the peer.
struct Lone {
  explicit Lone(PppConfig config = server_config(), std::uint32_t seed = 1)
      : random(seed), session(std::make_shared<const PppConfig>(std::move(config)), random, drops) {
    session.start(now);
  }
  MutableBytes feed(ByteVector frame) {
    last = std::move(frame);
    return session.on_frame(last, now);
  }
  MutableBytes feed(Protocol protocol, Code code, std::uint8_t id, Bytes body) {
    return feed(control_frame(protocol, static_cast<std::uint8_t>(code), id, body));
  }
  std::vector<ByteVector> sent() {
    std::vector<ByteVector> out;
    while (auto frame = session.poll_transmit()) out.push_back(std::move(*frame));
    return out;
  }
  void wait(Duration duration) {
    const Instant end = now + duration;
    while (session.next_timeout() && *session.next_timeout() <= end) {
      now = std::max(now, *session.next_timeout());
      session.on_timeout(now);
    }
    now = end;
  }
  /// Takes the peer's part until LCP is open: acknowledges what is asked, asks for `options`.
  void open_lcp(Bytes options = {}) {
    for (const auto& frame : sent()) {
      if (frame[4] == 1) feed(kLcp, Code::kConfigureAck, frame[5], Bytes(frame).subspan(8));
    }
    feed(kLcp, Code::kConfigureRequest, 77, options);
    sent_on_open = sent();
  }

  Instant now{std::chrono::hours(1)};
  Drops drops;
  SeededRandom random;
  PppSession session;
  ByteVector last;
  std::vector<ByteVector> sent_on_open;
};

/// How bad a line is, in percent of the frames.
struct Line {
  unsigned loss = 0, duplicates = 0, reorder = 0;
};

/// A client and a server. The server's questions are answered at once from `credential`.
class Pair {
 public:
  Pair(PppConfig client, PppConfig server, std::uint32_t seed = 1, Line line = {})
      : random(seed),
        dice(seed),
        line_(line),
        client_session(std::make_shared<const PppConfig>(std::move(client)), random, client_drops),
        server_session(std::make_shared<const PppConfig>(std::move(server)), random, server_drops) {
    credential.password = Secret("secret");
  }

  void start() {
    client_session.start(now);
    server_session.start(now);
  }
  /// Until both are as wanted, or `limit` of simulated time is over. True in the first case.
  bool run_until(const std::function<bool()>& wanted, Duration limit = std::chrono::minutes(5)) {
    const Instant end = now + limit;
    while (true) {
      pump();
      if (wanted()) return true;
      std::optional<Instant> next = client_session.next_timeout();
      const auto other = server_session.next_timeout();
      if (other && (!next || *other < *next)) next = other;
      if (!next || *next > end) return false;
      now = std::max(now, *next);
      client_session.on_timeout(now);
      server_session.on_timeout(now);
    }
  }
  bool run_until_up() {
    return run_until([this] { return client_up.has_value() && server_up.has_value(); });
  }
  void pump() {
    do {
      collect(client_session, to_server_);
      collect(server_session, to_client_);
      events();
      deliver(to_server_, server_session, server_ip);
      deliver(to_client_, client_session, client_ip);
      events();
    } while (!to_server_.empty() || !to_client_.empty() || pending());
  }

  Instant now{std::chrono::hours(1)};
  Credential credential;
  SeededRandom random;
  std::mt19937 dice;
  Line line_;
  Drops client_drops, server_drops;
  PppSession client_session, server_session;
  Addresses given = addresses();
  std::function<AuthVerdict(const AuthRequest&)> judge;  ///< in place of `credential`
  /// IP that came out of a session, oldest first.
  std::vector<ByteVector> client_ip, server_ip;
  std::optional<Up> client_up, server_up;
  std::optional<Ipv6Up> client_v6, server_v6;
  std::optional<Down> client_down, server_down;
  unsigned attempts = 0;
  AuthVerdict last_verdict;

 private:
  bool chance(unsigned percent) { return dice() % 100 < percent; }
  bool pending() {
    collect(client_session, to_server_);
    collect(server_session, to_client_);
    return !to_server_.empty() || !to_client_.empty();
  }
  void collect(PppSession& from, std::deque<ByteVector>& queue) {
    while (auto frame = from.poll_transmit()) {
      if (chance(line_.loss)) continue;
      if (chance(line_.duplicates)) queue.push_back(*frame);
      queue.push_back(std::move(*frame));
      if (queue.size() > 1 && chance(line_.reorder)) std::swap(queue.back(), queue[queue.size() - 2]);
    }
  }
  void deliver(std::deque<ByteVector>& queue, PppSession& to, std::vector<ByteVector>& arrived) {
    while (!queue.empty()) {
      ByteVector frame = std::move(queue.front());
      queue.pop_front();
      const MutableBytes packet = to.on_frame(frame, now);
      if (!packet.empty()) arrived.emplace_back(packet.begin(), packet.end());
    }
  }
  void events() {
    while (auto event = server_session.poll_event()) {
      if (auto* need = std::get_if<AuthNeeded>(&*event)) {
        ++attempts;
        last_verdict = judge ? judge(need->request) : verify(need->request, credential);
        server_session.auth_result(need->request.attempt, last_verdict, now);
      } else if (std::holds_alternative<AddressNeeded>(*event)) {
        server_session.set_addresses(given, now);
      } else if (auto* up = std::get_if<Up>(&*event)) {
        server_up = *up;
      } else if (auto* six = std::get_if<Ipv6Up>(&*event)) {
        server_v6 = *six;
      } else if (std::holds_alternative<Ipv6Down>(*event)) {
        server_v6.reset();
      } else if (auto* down = std::get_if<Down>(&*event)) {
        server_down = *down;
      }
    }
    while (auto event = client_session.poll_event()) {
      if (auto* up = std::get_if<Up>(&*event)) client_up = *up;
      if (auto* six = std::get_if<Ipv6Up>(&*event)) client_v6 = *six;
      if (auto* down = std::get_if<Down>(&*event)) client_down = *down;
    }
  }

  std::deque<ByteVector> to_server_, to_client_;
};

}  // namespace sluice::ppp::test
