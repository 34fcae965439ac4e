// link: sluice_agent_lns
// Bytes as a tunnel's value: what is read comes back from its own message, and an L2TP tunnel, a PPP session
// or a whole Lns that takes it can be driven to its end.
#include <cstdlib>

#include "backend-agent/lns/lns.hpp"
#include "backend-agent/lns/session_value.hpp"
#include "l2tp/lns.hpp"
#include "tests/unit/ppp/link.hpp"

using namespace sluice;

namespace {

constexpr Instant kNow{std::chrono::hours(1)};

void require(bool holds) {
  if (!holds) std::abort();
}

void drive(const l2tp::TunnelSnapshot& value) {
  ppp::test::SeededRandom random{1};
  l2tp::TunnelConfig config;
  config.local_tunnel = value.peer.local ? value.peer.local : TunnelId(1);
  l2tp::LnsTunnel tunnel(config, random);
  if (!tunnel.restore(value, kNow)) return;
  require(tunnel.state() == value.state && tunnel.sessions() == value.sessions.size());
  l2tp::LnsTunnel again(config, random);
  require(again.restore(tunnel.snapshot(kNow), kNow));
  Instant now = kNow;
  tunnel.close_tunnel(l2tp::StopResult::kGeneral, "over", now);
  for (int i = 0; i < 100 && !tunnel.finished(); ++i) {
    while (tunnel.poll_event()) {
    }
    while (tunnel.poll_transmit()) {
    }
    const auto next = tunnel.next_timeout();
    if (!next) break;
    now = std::max(now, *next);
    tunnel.on_timeout(now);
  }
}

void drive(const ppp::SessionSnapshot& value) {
  static const auto config = std::make_shared<const ppp::PppConfig>(ppp::test::server_config());
  ppp::test::SeededRandom random{1};
  ppp::Drops drops;
  ppp::PppSession session(config, random, drops);
  if (!session.restore(value, kNow)) return;
  require(session.is_up() == value.up && session.ipv6_up() == value.ipv6_up);
  Instant now = kNow;
  session.stop("over", "over", now);
  for (int i = 0; i < 100; ++i) {
    while (session.poll_event()) {
    }
    while (session.poll_transmit()) {
    }
    const auto next = session.next_timeout();
    if (!next) break;
    now = std::max(now, *next);
    session.on_timeout(now);
  }
}

struct Machine {
  agent::LnsSettings settings() {
    agent::LnsSettings out;
    out.ppp_config = [](std::uint16_t) {
      static const auto config = std::make_shared<const ppp::PppConfig>(ppp::test::server_config());
      return config;
    };
    return out;
  }
  void drain() {
    while (lns.poll_transmit()) {
    }
  }
  ppp::test::SeededRandom random{1};
  std::size_t opened = 0;
  agent::Lns lns{settings(), random, [this](const agent::Event& event) {
                   opened += std::holds_alternative<agent::SessionOpened>(event) ? 1U : 0U;
                 }};
};

void drive(const agent::TunnelValue& value) {
  const agent::TunnelKey key{agent::ChannelId(1), RelayId(1)}, other{agent::ChannelId(1), RelayId(2)};
  Machine machine;
  const auto restored = machine.lns.restore(key, 0, value, kNow);
  require(restored || machine.lns.empty());
  if (!restored) return;
  require(!machine.lns.restore(key, 0, value, kNow) || machine.lns.empty());
  if (const auto written = machine.lns.snapshot(key, kNow)) {
    Machine second;
    require(second.lns.restore(other, 0, *written, kNow).ok());
  }
  for (const auto& session : value.sessions) {
    ByteVector packet(agent::Lns::kHeadroom + 60);
    packet[agent::Lns::kHeadroom] = 0x45;
    store_be32(packet.data() + agent::Lns::kHeadroom + 16, session.assigned.remote.to_v4());
    machine.lns.from_tun(packet, agent::Lns::kHeadroom, 60, kNow);
  }
  Instant now = kNow;
  for (int i = 0; i < 200 && !machine.lns.empty(); ++i) {
    if (i == 20) machine.lns.close_all("over", now);
    machine.drain();
    const auto next = machine.lns.next_timeout();
    if (!next && i >= 20) break;
    if (next) now = std::max(now, *next);
    machine.lns.on_timeout(now);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto value = agent::decode_tunnel({data, size});
  if (!value) return 0;
  const auto back = agent::decode_tunnel(agent::encode(*value));
  require(back == value);
  drive(*value);
  drive(value->l2tp);
  for (const auto& session : value->sessions) drive(session.ppp);
  return 0;
}
