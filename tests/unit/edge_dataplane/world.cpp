#include "tests/unit/edge_dataplane/world.hpp"

namespace sluice::edge::testing {
namespace {

std::unique_ptr<esp::Engine> botan(RandomSource& random) {
  return std::move(esp::make_engine("botan", random)).value();
}

esp::SaParameters parameters(Spi spi, const esp::Suite& suite, const Keys& keys, bool esn = false) {
  return {.spi = spi,
          .suite = &suite,
          .encryption_key = keys.encryption,
          .integrity_key = keys.integrity,
          .extended_sequence = esn,
          .replay_window = 0,
          .last_sequence = 0,
          .limits = {}};
}

}  // namespace

World::World(esp::SuiteId suite, bool esn)
    : suite_(esp::suite(suite)),
      esn_(esn),
      far_engine_(botan(random_)),
      pipeline_(std::make_unique<Pipeline>(botan(random_), 64,
                                           [this](Event event) { events_.push_back(std::move(event)); })) {}

void World::apply(Command command) {
  OutgoingBatch out;
  pipeline_->apply(std::move(command), now, out);
  deliver(out);
}

World::Client& World::add_client(const char* remote, std::uint16_t inner_port, TunnelId tunnel, bool udp) {
  auto& client = clients.emplace_back();
  client.peer = PeerId(static_cast<std::uint32_t>(clients.size()));
  client.remote = endpoint(remote);
  if (!udp) client.remote.port = 0;
  client.inner_port = inner_port;
  client.lac = std::make_unique<l2tp::LacTunnel>(
      l2tp::TunnelConfig{.local_tunnel = tunnel, .host_name = "client"}, random_);
  add_sas(client);
  return client;
}

void World::add_sas(Client& client, const std::function<void()>& early,
                    const std::function<void()>& halfway) {
  const Spi in(next_spi_++);
  const Spi out(next_spi_++);
  const Keys in_keys(suite_, in.value());
  const Keys out_keys(suite_, out.value());
  const auto install = [&](Spi spi, const Keys& keys, bool inbound) {
    SaSpec spec;
    spec.spi = spi;
    spec.inbound = inbound;
    spec.extended_sequence = esn_;
    spec.lifetime = lifetime;
    spec.udp_encapsulated = client.remote.port != 0;
    const Endpoint local{local_for(client.remote),
                         static_cast<std::uint16_t>(client.remote.port == 0 ? 0 : 4500)};
    spec.source = inbound ? client.remote : local;
    spec.destination = inbound ? local : client.remote;
    spec.encryption_key = Secret(Bytes(keys.encryption));
    spec.integrity_key = Secret(Bytes(keys.integrity));
    apply(AddSa{client.peer, std::move(spec), suite_.id, inbound ? Spi() : in, std::make_shared<SaStats>()});
  };
  client.spi_in = in;
  client.sas.push_back(
      {std::move(far_engine_->make_outbound(parameters(in, suite_, in_keys, esn_))).value(),
       std::move(far_engine_->make_inbound(parameters(out, suite_, out_keys, esn_))).value()});
  apply(ExpectSpi{in});
  if (early) early();
  install(in, in_keys, true);
  if (halfway) halfway();
  install(out, out_keys, false);
}

World::Agent& World::add_agent(const char* data) {
  auto& agent = agents.emplace_back();
  agent.id = BackendId(static_cast<std::uint32_t>(agents.size()));
  agent.data = endpoint(data);
  const auto& gcm = esp::suite(esp::SuiteId::kAesGcm128);
  const Spi to_edge(next_spi_++);
  const Spi to_agent(next_spi_++);
  const Keys to_edge_keys(gcm, to_edge.value());
  const Keys to_agent_keys(gcm, to_agent.value());
  agent.sas.out = std::move(far_engine_->make_outbound(parameters(to_edge, gcm, to_edge_keys, true))).value();
  agent.sas.in = std::move(far_engine_->make_inbound(parameters(to_agent, gcm, to_agent_keys, true))).value();
  apply(AddPath{.backend = agent.id,
                .agent_worker = 0,
                .to_edge = to_edge,
                .to_agent = to_agent,
                .to_edge_key = Secret(Bytes(to_edge_keys.encryption)),
                .to_agent_key = Secret(Bytes(to_agent_keys.encryption)),
                .agent = agent.data,
                .local = channel_local_});
  return agent;
}

void World::bind(const SccrqArrived& sccrq, Agent& agent, RelayId relay, TunnelId agent_tunnel) {
  auto& tunnel = tunnels[relay];
  tunnel.relay = relay;
  tunnel.agent = static_cast<std::size_t>(agent.id.value() - 1);
  tunnel.lns = std::make_unique<l2tp::LnsTunnel>(l2tp::TunnelConfig{.local_tunnel = agent_tunnel}, random_);
  apply(BindRelay{.relay = relay,
                  .peer = sccrq.peer,
                  .backend = agent.id,
                  .agent_worker = 0,
                  .client_tunnel = l2tp::read_sccrq(sccrq.packet)->assigned_tunnel,
                  .agent_tunnel = agent_tunnel,
                  .client_port = sccrq.client_port,
                  .stats = std::make_shared<RelayStats>(),
                  .first_packet = sccrq.packet});
}

ByteVector World::seal_from(Client& client, Bytes l2tp, std::optional<std::size_t> sa) {
  ByteVector udp(8);
  store_be16(udp.data(), client.inner_port);
  store_be16(udp.data() + 2, 1701);
  store_be16(udp.data() + 4, static_cast<std::uint16_t>(l2tp.size() + 8));
  store_be16(udp.data() + 6, 0xbad0);  // wrong, as behind a NAT
  udp.insert(udp.end(), l2tp.begin(), l2tp.end());
  Datagram room(udp, {}, {});
  esp::SealJob job;
  job.set(*client.sas[sa.value_or(client.sas.size() - 1)].out, room.rx.packet, 17);
  far_engine_->seal(std::span(&job, 1));
  EXPECT_TRUE(job.ok());
  return {job.packet.bytes().begin(), job.packet.bytes().end()};
}

void World::to_edge(Client& client, Bytes esp, std::optional<Endpoint> from) {
  Datagram datagram(esp, from.value_or(client.remote), local_for(client.remote));
  OutgoingBatch out;
  if (client.remote.port == 0) {
    pipeline_->from_clients_raw(std::span(&datagram.rx, 1), now, out);
  } else {
    pipeline_->from_clients(std::span(&datagram.rx, 1), 4500, now, out);
  }
  deliver(out);
}

void World::frame_to_edge(Agent& agent, RelayId relay, Bytes l2tp) {
  ByteVector frame(4);
  channel::put_relay_header(frame.data(), relay);
  frame.insert(frame.end(), l2tp.begin(), l2tp.end());
  Datagram room(frame, {}, {});
  esp::SealJob job;
  job.set(*agent.sas.out, room.rx.packet, channel::kNextHeaderRelay);
  far_engine_->seal(std::span(&job, 1));
  Datagram datagram(job.packet.bytes(), agent.data, channel_local_);
  OutgoingBatch out;
  pipeline_->from_agents(std::span(&datagram.rx, 1), now, out);
  deliver(out);
}

void World::deliver(OutgoingBatch& out) {
  const std::vector<Outgoing> packets(out.packets().begin(), out.packets().end());
  for (const auto& outgoing : packets) {
    // Copies: what follows may call into the pipeline again.
    const ByteVector bytes(outgoing.packet.data.begin(), outgoing.packet.data.end());
    auto packet = outgoing.packet;
    packet.data = bytes;
    outgoing.exit == Exit::kAgent ? to_agent(packet) : to_client(packet);
  }
}

void World::to_client(const transport::TxPacket& packet) {
  EXPECT_EQ(packet.local, local_for(packet.remote));
  for (auto& client : clients) {
    if (client.remote != packet.remote) continue;
    for (auto& sas : client.sas) {
      if (sas.in->spi() != Spi(load_be32(packet.data.data()))) continue;
      Datagram datagram(packet.data, {}, {});
      esp::OpenJob job;
      job.set(*sas.in, datagram.rx.packet);
      far_engine_->open(std::span(&job, 1));
      ASSERT_TRUE(job.ok());
      ASSERT_EQ(job.next_header, 17);
      auto udp = job.packet.bytes();
      ASSERT_EQ(load_be16(udp.data()), 1701);
      ASSERT_EQ(load_be16(udp.data() + 2), client.inner_port);
      ASSERT_EQ(load_be16(udp.data() + 4), udp.size());
      // RFC 8200 §8.1: over IPv6 a UDP packet without checksum is thrown away.
      ASSERT_EQ(load_be16(udp.data() + 6) != 0, client.remote.address.is_v6());
      const auto received = client.lac->on_datagram(udp.subspan(8), now);
      if (received.is_data()) client.data.emplace_back(received.ppp.begin(), received.ppp.end());
      return;
    }
  }
  ++lost_to_clients;
}

void World::to_agent(const transport::TxPacket& packet) {
  for (auto& agent : agents) {
    if (agent.sas.in->spi() != Spi(load_be32(packet.data.data()))) continue;
    EXPECT_EQ(packet.remote, agent.data);
    Datagram datagram(packet.data, {}, {});
    esp::OpenJob job;
    job.set(*agent.sas.in, datagram.rx.packet);
    far_engine_->open(std::span(&job, 1));
    ASSERT_TRUE(job.ok());
    const auto frame = channel::parse_data_frame(job.next_header, job.packet.mutable_bytes());
    ASSERT_TRUE(frame);
    auto& tunnel = tunnels.at(frame->relay);
    const auto received = tunnel.lns->on_datagram(frame->l2tp, now);
    if (received.is_data()) tunnel.data.emplace_back(received.ppp.begin(), received.ppp.end());
    return;
  }
  FAIL() << "a frame for no agent";
}

bool World::pump(Client& client) {
  bool moved = false;
  if (client.lac->next_timeout() && *client.lac->next_timeout() <= now) client.lac->on_timeout(now);
  while (auto packet = client.lac->poll_transmit()) {
    to_edge(client, seal_from(client, *packet));
    moved = true;
  }
  while (auto event = client.lac->poll_event()) {
    if (std::holds_alternative<l2tp::TunnelUp>(*event)) client.lac->open_session(now);
    client.events.push_back(std::move(*event));
    moved = true;
  }
  return moved;
}

bool World::pump(Tunnel& tunnel) {
  bool moved = false;
  while (auto packet = tunnel.lns->poll_transmit()) {
    frame_to_edge(agents[tunnel.agent], tunnel.relay, *packet);
    moved = true;
  }
  while (auto event = tunnel.lns->poll_event()) {
    if (const auto* up = std::get_if<l2tp::SessionUp>(&*event)) tunnel.session = up->local;
    moved = true;
  }
  return moved;
}

void World::settle() {
  for (bool moved = true; moved;) {
    moved = false;
    for (auto& client : clients) moved |= pump(client);
    for (auto& [id, tunnel] : tunnels) moved |= pump(tunnel);
  }
}

void World::send_ppp(Client& client, Bytes ppp) {
  ByteVector buffer(l2tp::kDataHeadroom);
  buffer.insert(buffer.end(), ppp.begin(), ppp.end());
  std::optional<SessionId> session;
  for (const auto& event : client.events) {
    if (const auto* up = std::get_if<l2tp::SessionUp>(&event)) session = up->local;
  }
  ASSERT_TRUE(session);
  const auto packet = client.lac->frame_data(*session, buffer, l2tp::kDataHeadroom);
  ASSERT_TRUE(packet);
  to_edge(client, seal_from(client, *packet));
}

void World::send_ppp(Tunnel& tunnel, Bytes ppp) {
  ByteVector buffer(l2tp::kDataHeadroom);
  buffer.insert(buffer.end(), ppp.begin(), ppp.end());
  ASSERT_TRUE(tunnel.session);
  const auto packet = tunnel.lns->frame_data(*tunnel.session, buffer, l2tp::kDataHeadroom);
  ASSERT_TRUE(packet);
  frame_to_edge(agents[tunnel.agent], tunnel.relay, *packet);
}

void World::advance(Duration by) {
  now += by;
  if (const auto next = pipeline_->next_timeout(); next && *next <= now) {
    OutgoingBatch out;
    pipeline_->on_timeout(now, out);
    deliver(out);
  }
}

}  // namespace sluice::edge::testing
