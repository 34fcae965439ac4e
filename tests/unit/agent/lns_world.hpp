#pragma once
// One Lns with its clients, without sockets.

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/agent/dialler.hpp"

namespace sluice::agent::test {

inline const IpAddress kInside = *IpAddress::parse("192.0.2.1");

inline TunnelSpec spec(std::uint32_t relay, std::uint16_t tunnel = 1000) {
  TunnelSpec out;
  out.key = {ChannelId(1), RelayId(relay)};
  out.edge_worker = 3;
  out.assigned = TunnelId(tunnel);
  out.client = *Endpoint::parse("203.0.113.9:4500");
  out.correlation_id = "c" + std::to_string(relay);
  return out;
}

/// One Lns and its clients; the test decides about attempts, by default with `password`.
struct LnsWorld {
  explicit LnsWorld(std::uint16_t mtu = 0) : lns(make()), path_mtu(mtu) {}
  std::unique_ptr<Lns> make() {
    return std::make_unique<Lns>(settings(), random,
                                 [this](Event event) { events.push_back(std::move(event)); });
  }
  LnsSettings settings() {
    LnsSettings out;
    out.filters = filters;
    out.ppp_config = [this](std::uint16_t ppp_mtu) {
      auto config = ppp::test::server_config();
      config.rechallenge_interval = rechallenge;
      config.auth = auth;
      if (ppp_mtu != 0) config.mtu = config.mru = ppp_mtu;
      return std::make_shared<const ppp::PppConfig>(std::move(config));
    };
    return out;
  }
  Dialler& dial(std::uint32_t relay, std::string user = "alice", std::string_view with = "secret") {
    auto told = spec(relay);
    told.ppp_mtu = path_mtu;
    lns->open_tunnel(told, here());
    clients.push_back(std::make_unique<Dialler>(told.key, random, std::move(user), with));
    clients.back()->l2tp.connect(now);
    return *clients.back();
  }
  void deliver(const TunnelKey& key, ByteVector packet) {
    const auto ip = lns->from_edge(key, packet, here());
    if (!ip.empty()) tun.emplace_back(ip.begin(), ip.end());
  }
  /// A packet from inside as the L2TP packet that it becomes, if it does.
  std::optional<Lns::Outgoing> from_inside(const ByteVector& packet) {
    ByteVector buffer(Lns::kHeadroom + packet.size());
    std::copy(packet.begin(), packet.end(), buffer.begin() + Lns::kHeadroom);
    const auto out = lns->from_tun(buffer, Lns::kHeadroom, packet.size(), here());
    if (!out) return std::nullopt;
    return Lns::Outgoing{out->key, out->edge_worker, {out->l2tp.begin(), out->l2tp.end()}};
  }
  /// The client's tunnel as a message, and back in another Lns on a machine with another clock; the first is
  /// gone with all else that it had.
  void move(Dialler& client) {
    transmit();
    const auto value = lns->snapshot(client.key, here());
    ASSERT_TRUE(value);
    const ByteVector message = encode(*value);
    lns = make();
    ahead += std::chrono::hours(49);
    client.key = {ChannelId(client.key.channel.value() + 1), client.key.relay};
    const auto read = decode_tunnel(message);
    ASSERT_EQ(read, value);
    const auto serials = lns->restore(client.key, edge_worker, *read, here());
    ASSERT_TRUE(serials) << to_string(serials.error());
    EXPECT_EQ(serials->size(), value->sessions.size());
    ++moves;
  }
  /// Time on the Lns's machine.
  Instant here() const { return now + ahead; }
  /// Moves packets until nobody has any.
  void settle() {
    for (bool more = true; more;) {
      more = false;
      for (auto& client : clients) {
        for (auto& packet : client->drain(now)) {
          more = true;
          if (!cut) deliver(client->key, std::move(packet));
          handle_events();
          if (each_packet) each_packet();
        }
      }
      more |= handle_events();
      more |= transmit();
    }
  }
  bool transmit() {
    bool any = false;
    while (auto out = lns->poll_transmit()) {
      any = true;
      if (cut) continue;
      EXPECT_EQ(out->edge_worker, edge_worker);
      for (auto& client : clients) {
        if (client->key == out->key) client->take(out->l2tp, now);
      }
    }
    return any;
  }
  bool handle_events() {
    bool any = false;
    while (!events.empty()) {
      Event event = std::move(events.front());
      events.erase(events.begin());
      any = true;
      handle(std::move(event));
    }
    return any;
  }
  void handle(Event event) {
    if (auto* asked = std::get_if<AuthAsked>(&event)) {
      ++asked_count;
      if (silent) {
        unanswered = std::move(asked->request);
        return;
      }
      ppp::Credential credential;
      credential.password = Secret(password);
      AuthDecided decided{asked->session, asked->request.attempt, ppp::verify(asked->request, credential),
                          std::nullopt};
      if (decided.verdict.accepted) {
        decided.policy = policy;
        decided.addresses = ppp::test::addresses();
        decided.addresses->v6 = v6;
        decided.addresses->remote = IpAddress::v4(0x0a630000 + next_address++);
      }
      lns->decide(decided, here());
    } else if (const auto* up = std::get_if<SessionOpened>(&event)) {
      opened.push_back(*up);
    } else if (const auto* over = std::get_if<SessionGone>(&event)) {
      gone.push_back(*over);
    } else if (const auto* tunnel = std::get_if<TunnelGone>(&event)) {
      tunnels_gone.push_back(*tunnel);
    }
  }
  void run(Duration duration) {
    const Instant end = now + duration;
    while (true) {
      settle();
      std::optional<Instant> next = lns->next_timeout();
      if (next) *next -= ahead;
      for (const auto& client : clients) {
        const auto other = client->next_timeout();
        if (other && (!next || *other < *next)) next = other;
      }
      if (!next || *next > end) break;
      now = std::max(now + std::chrono::milliseconds(1), *next);
      lns->on_timeout(here());
      for (auto& client : clients) client->on_timeout(now);
    }
    now = end;
  }

  Instant now{std::chrono::hours(1)};
  Duration ahead{0};
  unsigned moves = 0;
  std::function<void()> each_packet;  ///< called after each that a client sent
  Duration rechallenge{0};
  std::vector<ppp::AuthMethod> auth = ppp::default_auth_methods();
  ppp::test::SeededRandom random{5};
  std::vector<Event> events;
  std::shared_ptr<const Filters> filters;
  std::unique_ptr<Lns> lns;
  std::uint16_t path_mtu;
  std::vector<std::unique_ptr<Dialler>> clients;
  std::vector<ByteVector> tun;
  std::string password = "secret";
  SessionPolicy policy;
  std::optional<ppp::Ipv6Addresses> v6;
  bool silent = false;
  ppp::AuthRequest unanswered;
  bool cut = false;  ///< nothing gets through
  std::uint32_t edge_worker = 3;
  std::uint32_t next_address = 10;
  unsigned asked_count = 0;
  std::vector<SessionOpened> opened;
  std::vector<SessionGone> gone;
  std::vector<TunnelGone> tunnels_gone;
};

}  // namespace sluice::agent::test
