// Clients connect, talk, rekey, move, start anew and leave in any order over a line that loses, doubles and
// reorders; agents come and go. Whatever happened, nothing of it stays in the pipeline.
#include "tests/unit/edge_dataplane/world.hpp"

namespace sluice::edge::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kLives = 10'000;
constexpr std::size_t kClients = 3;
constexpr Duration kGrace = seconds(5);

class Lives {
 public:
  explicit Lives(std::uint32_t seed) : dice_(seed), random_(seed) {
    agents_ = {&world_.add_agent("10.0.0.2:4700"), &world_.add_agent("10.0.0.3:4700")};
  }

  /// One life from nothing to nothing.
  void live() {
    const std::size_t clients = 1 + below(kClients);
    for (std::size_t i = 0; i < clients; ++i) {
      world_.add_client(("203.0.113.5:" + std::to_string(40000 + i)).c_str(), 1701, TunnelId(7));
      renew(world_.clients.back());
    }
    const std::size_t steps = 20 + below(180);
    for (std::size_t i = 0; i < steps; ++i) {
      step();
      follow();
    }
    end();
  }
  World& world() { return world_; }
  int tunnels = 0, sessions = 0;  ///< that came up, to the clients' knowledge

 private:
  struct Flying {
    bool to_agent = false;
    std::size_t client = 0;  // from
    RelayId relay;           // from
    ByteVector packet;
  };
  std::size_t below(std::size_t limit) { return dice_() % limit; }
  World::Client& some_client() { return world_.clients[below(world_.clients.size())]; }
  World::Tunnel* some_tunnel() {
    if (world_.tunnels.empty()) return nullptr;
    return &std::next(world_.tunnels.begin(), static_cast<std::ptrdiff_t>(below(world_.tunnels.size())))
                ->second;
  }

  void step() {
    gather();
    switch (below(60)) {
      case 0:
        renew(some_client());
        break;
      case 1:
        rekey(some_client());
        break;
      case 2:
        some_client().remote.port = static_cast<std::uint16_t>(40000 + below(1000));
        break;
      case 3:
        some_client().lac->close_tunnel(l2tp::StopResult::kGeneral, "", world_.now);
        break;
      case 4:
        if (auto* tunnel = some_tunnel())
          tunnel->lns->close_tunnel(l2tp::StopResult::kShuttingDown, "", world_.now);
        break;
      case 5:
        some_client().lac->open_session(world_.now);
        break;
      case 6:
        hang_up();
        break;
      case 7:
        talk();
        break;
      case 8:
        replay();
        break;
      case 9:
        if (below(4) == 0) lose_agent();
        break;
      case 10:
        if (below(6) == 0) forget(some_client());
        break;
      case 11:
        pass(milliseconds(below(3000)));
        break;
      case 12:
        if (below(5) == 0) pass(seconds(below(90)));
        break;
      default:
        fly();
        break;
    }
  }

  // ---- the line
  void gather() {
    for (std::size_t i = 0; i < world_.clients.size(); ++i) {
      while (auto packet = world_.clients[i].lac->poll_transmit())
        flying_.push_back({true, i, {}, std::move(*packet)});
      while (auto event = world_.clients[i].lac->poll_event()) {
        if (const auto* up = std::get_if<l2tp::SessionUp>(&*event))
          calls_.emplace_back(i, up->local), ++sessions;
        if (!std::holds_alternative<l2tp::TunnelUp>(*event)) continue;
        ++tunnels;
        if (below(4) != 0) world_.clients[i].lac->open_session(world_.now);
      }
    }
    for (auto& [id, tunnel] : world_.tunnels) {
      while (auto packet = tunnel.lns->poll_transmit()) flying_.push_back({false, 0, id, std::move(*packet)});
      while (tunnel.lns->poll_event()) {
      }
    }
  }
  void fly(bool good = false) {
    if (flying_.empty()) return;
    const auto at = flying_.begin() + static_cast<std::ptrdiff_t>(good ? 0 : below(flying_.size()));
    const Flying flying = *at;
    if (good || below(10) != 0) flying_.erase(at);  // else it stays and arrives once more
    if (good || below(10) != 0) arrive(flying);
  }
  void arrive(const Flying& flying) {
    if (!flying.to_agent) {
      const auto tunnel = world_.tunnels.find(flying.relay);
      if (tunnel != world_.tunnels.end()) {
        world_.frame_to_edge(world_.agents[tunnel->second.agent], flying.relay, flying.packet);
      }
      return;
    }
    auto& client = world_.clients[flying.client];
    if (client.sas.empty()) return;
    const auto esp = world_.seal_from(client, flying.packet, below(client.sas.size()));
    kept_ = {flying.client, esp};
    world_.to_edge(client, esp);
  }

  // ---- what people do
  void renew(World::Client& client) {
    client.lac = std::make_unique<l2tp::LacTunnel>(
        l2tp::TunnelConfig{.local_tunnel = TunnelId(static_cast<std::uint16_t>(7 + below(2))),
                           .host_name = "client"},
        random_);
    client.lac->connect(world_.now);
    if (client.sas.empty()) world_.add_sas(client);
  }
  void rekey(World::Client& client) {
    world_.add_sas(client);
    if (client.sas.size() > 2) drop_oldest(client);
  }
  void drop_oldest(World::Client& client) {
    const auto& sas = client.sas.front();
    world_.apply(RemoveSa{sas.out->spi(), true, client.peer, kGrace});
    world_.apply(RemoveSa{sas.in->spi(), false, client.peer, kGrace});
    client.sas.pop_front();
  }
  void hang_up() {
    if (calls_.empty()) return;
    const auto [client, session] = calls_[below(calls_.size())];
    world_.clients[client].lac->close_session(session, l2tp::CallResult::kAdministrative, "", world_.now);
  }
  void talk() {
    auto* tunnel = some_tunnel();
    if (tunnel == nullptr) return;
    ByteVector packet(10);
    ByteWriter out(packet);
    l2tp::write_header(
        {.tunnel = tunnel->lns->remote_id(), .session = SessionId(static_cast<std::uint16_t>(dice_()))}, 4,
        out);
    if (tunnel->lns->remote_id()) world_.frame_to_edge(world_.agents[tunnel->agent], tunnel->relay, packet);
    auto& client = some_client();
    store_be16(packet.data() + 2, tunnel->lns->local_id().value());
    if (!client.sas.empty()) world_.to_edge(client, world_.seal_from(client, packet));
  }
  void replay() {
    if (kept_.second.empty() || kept_.first >= world_.clients.size()) return;
    world_.to_edge(world_.clients[kept_.first], kept_.second);
  }
  void lose_agent() {
    auto*& agent = agents_[below(agents_.size())];
    const auto place = agent->id.value() - 1;
    world_.apply(RemovePaths{agent->id});
    std::vector<RelayId> orphans;
    for (const auto& [id, tunnel] : world_.tunnels) {
      if (tunnel.agent == place) orphans.push_back(id);
    }
    for (const auto id : orphans) {
      world_.tunnels.erase(id);
      world_.apply(Farewell{id, l2tp::StopResult::kShuttingDown, "the PPP server is gone"});
    }
    agent = &world_.add_agent(("10.0.0.2:" + std::to_string(4701 + world_.agents.size() % 1000)).c_str());
  }
  void forget(World::Client& client) {
    world_.apply(RemovePeer{client.peer});
    std::erase_if(world_.tunnels, [&](const auto& row) { return peers_[row.first] == client.peer; });
    client.sas.clear();
  }
  void pass(Duration time) {
    const Instant until = world_.now + time;
    for (;;) {
      std::optional<Instant> next = world_.pipeline().next_timeout();
      const auto consider = [&](std::optional<Instant> at) {
        if (at && (!next || *at < *next)) next = at;
      };
      for (auto& client : world_.clients) consider(client.lac->next_timeout());
      for (auto& [id, tunnel] : world_.tunnels) consider(tunnel.lns->next_timeout());
      if (!next || *next > until) break;
      world_.advance(std::max(*next, world_.now) - world_.now);
      for (auto& client : world_.clients) {
        if (const auto at = client.lac->next_timeout(); at && *at <= world_.now)
          client.lac->on_timeout(world_.now);
      }
      for (auto& [id, tunnel] : world_.tunnels) {
        if (const auto at = tunnel.lns->next_timeout(); at && *at <= world_.now)
          tunnel.lns->on_timeout(world_.now);
      }
      gather();
      follow();
    }
    world_.advance(until - world_.now);
  }

  // ---- what the control thread does
  void follow() {
    while (const auto sccrq = world_.take_event<SccrqArrived>()) place(*sccrq);
    while (world_.take_event<FarewellDone>()) {
    }
    while (world_.take_event<TunnelObserved>()) {
    }
    while (world_.take_event<PeerMoved>()) {
    }
    std::vector<RelayId> over;
    for (const auto& [id, tunnel] : world_.tunnels) {
      if (tunnel.lns->finished()) over.push_back(id);
    }
    for (const auto id : over) unbind(id);
  }
  void unbind(RelayId id) {
    world_.tunnels.erase(id);
    world_.apply(UnbindRelay{id});
  }
  void place(const SccrqArrived& sccrq) {
    const auto info = l2tp::read_sccrq(sccrq.packet);
    ASSERT_TRUE(info);
    std::vector<RelayId> stale;
    for (const auto& [id, tunnel] : world_.tunnels) {
      if (peers_[id] == sccrq.peer && tunnels_[id] == info->assigned_tunnel) stale.push_back(id);
    }
    for (const auto id : stale) unbind(id);
    if (below(8) == 0)
      return world_.apply(SendL2tp{sccrq.peer, sccrq.client_port, l2tp::refuse_sccrq(*info, "full")});
    const RelayId id(next_relay_++);
    peers_[id] = sccrq.peer;
    tunnels_[id] = info->assigned_tunnel;
    world_.bind(sccrq, *agents_[below(agents_.size())], id,
                TunnelId(static_cast<std::uint16_t>(0x4000 + id.value() % 0x4000)));
  }

  // ---- the end
  void end() {
    for (auto& client : world_.clients)
      client.lac->close_tunnel(l2tp::StopResult::kShuttingDown, "", world_.now);
    // A good line and enough time for whoever noticed nothing: HELLO and its retries.
    for (int i = 0; i < 60 && !(world_.tunnels.empty() && world_.pipeline().relays() == 0); ++i) {
      gather();
      while (!flying_.empty()) {
        fly(true);
        follow();
        gather();
      }
      pass(seconds(10));
    }
    EXPECT_TRUE(world_.tunnels.empty());
    EXPECT_EQ(world_.pipeline().relays(), 0U) << "no tunnel outlives both its ends";
    for (auto& client : world_.clients) {
      while (!client.sas.empty()) drop_oldest(client);
    }
    pass(kGrace + seconds(60));  // and the last resends of who is not answered any more
    EXPECT_EQ(world_.pipeline().inbound_sas(), 0U);
    for (auto& client : world_.clients) {
      world_.apply(RemovePeer{client.peer});
      EXPECT_TRUE(client.lac->finished());
    }
    EXPECT_EQ(world_.pipeline().peers(), 0U);
    EXPECT_FALSE(world_.pipeline().next_timeout());
    follow();
    world_.clients.clear();
    flying_.clear();
    calls_.clear();
    peers_.clear();
    tunnels_.clear();
    kept_ = {};
  }

  World world_{esp::SuiteId::kAesGcm128};
  std::mt19937 dice_;
  SeededRandom random_;
  std::vector<World::Agent*> agents_;
  std::vector<Flying> flying_;
  std::pair<std::size_t, ByteVector> kept_;  // an ESP packet, for a replay
  std::vector<std::pair<std::size_t, SessionId>> calls_;
  std::map<RelayId, PeerId> peers_;
  std::map<RelayId, TunnelId> tunnels_;
  std::uint32_t next_relay_ = 1;
};

TEST(Pipeline, TenThousandRandomLivesLeaveNoStateBehind) {
  constexpr int kWorlds = 20;
  for (std::uint32_t seed = 1; seed <= kWorlds; ++seed) {
    Lives lives(seed);
    for (int life = 0; life < kLives / kWorlds; ++life) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " life " + std::to_string(life));
      lives.live();
      if (HasFailure()) return;
    }
    EXPECT_GT(lives.world().pipeline().drops().read(Drop::kUnknownTunnel), 0U)
        << "late packets meet no tunnel";
    EXPECT_GT(lives.tunnels, kLives / kWorlds) << "most lives have a tunnel or more";
    EXPECT_GT(lives.sessions, kLives / kWorlds / 2);
    EXPECT_GT(lives.world().pipeline().client_esp_drops().read(esp::DropReason::kReplayed), 0U);
  }
}

}  // namespace
}  // namespace sluice::edge::testing
