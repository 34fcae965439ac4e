#include "backend-agent/uplink/keeper.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace sluice::agent {
namespace {

using std::chrono::seconds;

constexpr EdgeId kEdge(1), kOther(2);

channel::TunnelOpen an_open(std::uint32_t relay, std::string correlation = {}) {
  channel::TunnelOpen out;
  out.relay = RelayId(relay);
  out.assigned_tunnel = TunnelId(static_cast<std::uint16_t>(100 + relay));
  out.correlation_id = correlation.empty() ? "c-" + std::to_string(relay) : std::move(correlation);
  out.peer_identity = "192.168.1.10";
  out.client = *Endpoint::parse("203.0.113.10:1024");
  out.l2tp_port = 1701;
  return out;
}
channel::SessionUp an_up(std::uint32_t relay, std::uint16_t session) {
  return {RelayId(relay), SessionId(session), "user1", "pap", IpAddress::v4(0x0a1e0102), 5};
}
TunnelNumbers numbers(TunnelKey key) {
  return {key, TunnelId(7), 3, 4, true, {{SessionId(1), SessionId(11)}, {SessionId(2), SessionId(12)}}};
}

TEST(TunnelKeeper, OffersWhatTheEdgeToldAndWhatItWasTold) {
  TunnelKeeper keeper{seconds(60)};
  const ChannelId old(1), fresh(2);
  keeper.tunnel_opened(old, an_open(5));
  keeper.session_up({old, RelayId(5)}, an_up(5, 1));
  keeper.session_up({old, RelayId(5)}, an_up(5, 2));
  keeper.session_down({old, RelayId(5)}, SessionId(2));
  EXPECT_FALSE(keeper.offer(numbers({old, RelayId(5)}), fresh)) << "its channel is up";
  ASSERT_TRUE(keeper.cut_off(old, kEdge, Instant{}));
  EXPECT_EQ(keeper.waiting(kEdge), std::vector{old});
  EXPECT_TRUE(keeper.waiting(kOther).empty());
  const auto offer = keeper.offer(numbers({old, RelayId(5)}), fresh);
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->relay, RelayId(5));
  EXPECT_EQ(offer->correlation_id, "c-5");
  EXPECT_EQ(offer->agent_tunnel, TunnelId(105));
  EXPECT_EQ(offer->client_tunnel, TunnelId(7));
  EXPECT_EQ(offer->l2tp_port, 1701);
  ASSERT_EQ(offer->sessions.size(), 2U);
  EXPECT_TRUE(offer->sessions[0].up);
  EXPECT_EQ(offer->sessions[0].user, "user1");
  EXPECT_FALSE(offer->sessions[1].up) << "it ended";

  const auto rebind = keeper.resumed({offer->resume, RelayId(9), 1}, fresh);
  ASSERT_TRUE(rebind);
  EXPECT_EQ(rebind->from, (TunnelKey{old, RelayId(5)}));
  EXPECT_EQ(rebind->to, (TunnelKey{fresh, RelayId(9)}));
  EXPECT_EQ(rebind->edge_worker, 1U);
  EXPECT_FALSE(keeper.resumed({offer->resume, RelayId(9), 1}, fresh)) << "answered";
  EXPECT_TRUE(keeper.empty(old));
  EXPECT_EQ(keeper.current({old, RelayId(5)}), (TunnelKey{fresh, RelayId(9)}));
  keeper.tunnel_over({old, RelayId(5)});  // the worker had not heard of its new name
  EXPECT_TRUE(keeper.empty(fresh));
  EXPECT_EQ(keeper.current({old, RelayId(5)}), (TunnelKey{old, RelayId(5)}));
}

TEST(TunnelKeeper, NothingWaitsWithoutTunnelsOrWithoutGrace) {
  TunnelKeeper keeper{seconds(60)}, hasty{seconds(0)};
  EXPECT_FALSE(keeper.cut_off(ChannelId(1), kEdge, Instant{}));
  hasty.tunnel_opened(ChannelId(1), an_open(1));
  EXPECT_FALSE(hasty.cut_off(ChannelId(1), kEdge, Instant{}));
  EXPECT_FALSE(keeper.next_timeout());
}

TEST(TunnelKeeper, WaitingEndsAfterTheGraceAndNotBefore) {
  TunnelKeeper keeper{seconds(60)};
  keeper.tunnel_opened(ChannelId(1), an_open(1));
  const Instant start{seconds(1000)};
  ASSERT_TRUE(keeper.cut_off(ChannelId(1), kEdge, start));
  EXPECT_EQ(keeper.next_timeout(), start + seconds(60));
  EXPECT_TRUE(keeper.expired(start + seconds(59)).empty());
  EXPECT_EQ(keeper.expired(start + seconds(60)), std::vector{ChannelId(1)});
  EXPECT_TRUE(keeper.expired(start + seconds(61)).empty());
}

TEST(TunnelKeeper, AnswersCountOnlyOnTheChannelThatWasAsked) {
  TunnelKeeper keeper{seconds(60)};
  keeper.tunnel_opened(ChannelId(1), an_open(1));
  ASSERT_TRUE(keeper.cut_off(ChannelId(1), kEdge, Instant{}));
  const auto offer = keeper.offer(numbers({ChannelId(1), RelayId(1)}), ChannelId(2));
  ASSERT_TRUE(offer);
  EXPECT_FALSE(keeper.resumed({offer->resume, RelayId(1), 0}, ChannelId(3)));
  // Cut off again before the answer: the next channel asks anew, and a late answer means nothing.
  EXPECT_FALSE(keeper.cut_off(ChannelId(2), kEdge, Instant{}));
  EXPECT_FALSE(keeper.resumed({offer->resume, RelayId(1), 0}, ChannelId(2)));
  const auto again = keeper.offer(numbers({ChannelId(1), RelayId(1)}), ChannelId(3));
  ASSERT_TRUE(again);
  EXPECT_NE(again->resume, offer->resume);
  EXPECT_EQ(keeper.lost({again->resume, channel::CloseCause::kPeerGone, ""}, ChannelId(3)),
            (TunnelKey{ChannelId(1), RelayId(1)}));
  EXPECT_TRUE(keeper.empty(ChannelId(1)));
}

TEST(TunnelKeeper, ProbesAreNotKept) {
  TunnelKeeper keeper{seconds(60)};
  auto probe = an_open(1);
  probe.probe = true;
  keeper.tunnel_opened(ChannelId(1), probe);
  ASSERT_TRUE(keeper.cut_off(ChannelId(1), kEdge, Instant{}));
  EXPECT_FALSE(keeper.offer(numbers({ChannelId(1), RelayId(1)}), ChannelId(2)));
}

/// Against a naive model: each tunnel is found under its newest key, whatever is cut, resumed, lost or ended.
TEST(TunnelKeeper, RandomLivesKeepEveryTunnelApart) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
    TunnelKeeper keeper{seconds(60)};
    std::map<std::string, TunnelKey> model;
    std::set<ChannelId> waiting;
    std::uint32_t channels = 1, relays = 1, names = 0;
    ChannelId up(channels);
    for (int step = 0; step < 200; ++step) {
      const auto at = model.empty()
                          ? model.end()
                          : std::next(model.begin(), pick(static_cast<std::uint32_t>(model.size())));
      switch (pick(5)) {
        case 0: {
          const std::string name = "t" + std::to_string(++names);
          keeper.tunnel_opened(up, an_open(relays, name));
          model[name] = {up, RelayId(relays++)};
          break;
        }
        case 1:
          if (at == model.end()) break;
          keeper.tunnel_over(at->second);
          model.erase(at);
          break;
        case 2:  // cut off; a new edge counts its relays from one again
          if (keeper.cut_off(up, kEdge, Instant{})) waiting.insert(up);
          up = ChannelId(++channels);
          relays = 1;
          break;
        case 3: {
          if (at == model.end() || !waiting.contains(at->second.channel)) break;
          const auto offer = keeper.offer(numbers(at->second), up);
          ASSERT_TRUE(offer);
          ASSERT_EQ(offer->correlation_id, at->first);
          const auto rebind = keeper.resumed({offer->resume, RelayId(relays), 0}, up);
          ASSERT_TRUE(rebind);
          ASSERT_EQ(rebind->from, at->second);
          at->second = {up, RelayId(relays++)};
          break;
        }
        default: {
          if (at == model.end() || !waiting.contains(at->second.channel)) break;
          const auto offer = keeper.offer(numbers(at->second), up);
          ASSERT_TRUE(offer);
          ASSERT_EQ(keeper.lost({offer->resume, channel::CloseCause::kPeerGone, ""}, up), at->second);
          model.erase(at);
        }
      }
      for (const auto channel : waiting) {
        const bool any = std::any_of(model.begin(), model.end(),
                                     [&](const auto& row) { return row.second.channel == channel; });
        ASSERT_EQ(keeper.empty(channel), !any);
      }
    }
  }
}

}  // namespace
}  // namespace sluice::agent
