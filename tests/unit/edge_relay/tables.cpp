#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

constexpr std::uint16_t kAesCbc = 12, kHmacSha1 = 2;
const char* const kLocal = "192.0.2.1:4500";

}  // namespace

Tables::Tables(std::uint32_t workers, TunnelLimits limits)
    : peers({.workers = workers},
            {.random = random,
             .now = [this] { return now; },
             .unix_seconds = [] { return std::int64_t{1'000'000}; },
             .post = [this](std::uint32_t worker,
                            Command command) { commands.emplace_back(worker, std::move(command)); },
             .peer_gone = [this](const Peer& peer) { relays.on_peer_gone(peer); },
             .contact_id = [this](const Endpoint&) { return contact; }}),
      backends({},
               {.now = [this] { return now; },
                .unix_seconds = [] { return std::int64_t{1'000'000}; },
                .post = [this](std::uint32_t worker,
                               Command command) { commands.emplace_back(worker, std::move(command)); },
                .workers = workers,
                .random = random},
               {.up = [this](const Backend& backend) { relays.on_backend_up(backend); },
                .down = [this](const Backend& backend, const std::string& cause,
                               bool orderly) { relays.on_backend_down(backend, cause, orderly); },
                .event = [this](const Backend& backend,
                                const channel::EdgeEvent& event) { relays.on_agent_event(backend, event); }}),
      relays(
          {.random = random,
           .peers = peers,
           .backends = backends,
           .now = [this] { return now; },
           .unix_seconds = [] { return std::int64_t{1'000'000}; },
           .post = [this](std::uint32_t worker,
                          Command command) { commands.emplace_back(worker, std::move(command)); },
           .end_peer = [this](PeerId peer) { ended.push_back(peer); },
           .session_up = [this](const Relay&, const AgentSession& session) { ups.push_back(session.user); },
           .session_down = [this](const Relay&, const AgentSession&, const std::string& cause,
                                  const std::string&) { downs.push_back(cause); },
           .limits = limits,
           .note = [this](JournalEntry entry) { notes.push_back(std::move(entry)); }}) {}

SaSpec Tables::spec(Spi spi, std::uint32_t ike, const char* remote, bool inbound,
                    const std::string& identity) const {
  SaSpec out;
  out.spi = spi;
  out.ike_sa = IkeSaId(ike);
  out.peer_identity = identity;
  out.inbound = inbound;
  out.source = *Endpoint::parse(inbound ? remote : kLocal);
  out.destination = *Endpoint::parse(inbound ? kLocal : remote);
  out.udp_encapsulated = true;
  out.encryption = kAesCbc;
  out.encryption_key = Secret(std::size_t{32});
  out.integrity = kHmacSha1;
  out.integrity_key = Secret(std::size_t{20});
  return out;
}

Spi Tables::dial_in(std::uint32_t ike, const char* remote, const std::string& identity) {
  const auto local = *Endpoint::parse(kLocal);
  IkePeer up;
  up.ike_sa = IkeSaId(ike);
  up.version = 1;
  up.local = local;
  up.remote = *Endpoint::parse(remote);
  up.identity = identity;
  peers.ike_up(up);
  const auto in = peers.allocate_spi(IkeSaId(ike), identity, local, up.remote);
  EXPECT_TRUE(in);
  EXPECT_FALSE(peers.add_sa(spec(*in, ike, remote, true, identity)));
  EXPECT_FALSE(peers.add_sa(spec(Spi(0xc0000000U + ike), ike, remote, false, identity)));
  return *in;
}

FakeChannel& Tables::add_agent(const std::string& name, std::uint32_t weight, std::uint64_t boot) {
  auto& channel = channels.emplace_back(channels.size() + 1, name);
  channel::AgentReady ready;
  ready.agent.weight = weight;
  ready.agent.boot_id = boot;
  ready.agent.workers = 1;
  backends.channel_up(channel, ready, {});
  return channel;
}

void Tables::cut_off(FakeChannel& channel) {
  backends.channel_down(channel, {channel::DeadCause::kStreamClosed, "reset"});
}

void Tables::lose_agent(FakeChannel& channel) {
  backends.channel_down(channel, {channel::DeadCause::kSilent, "reset"});
}

void Tables::sccrq(PeerId peer, std::uint16_t tunnel, std::uint16_t port) {
  l2tp::LacTunnel lac({.local_tunnel = TunnelId(tunnel), .host_name = "client"}, random);
  lac.connect(now);
  relays.on_sccrq({peer, port, *lac.poll_transmit()});
}

}  // namespace sluice::edge::testing
