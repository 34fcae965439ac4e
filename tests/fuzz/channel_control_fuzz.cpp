// link: sluice_channel
// Both ends of the control stream against a peer that says anything. First byte: which side and whether the
// handshake is done. Then records: a byte of time or command, a 16-bit length, that many bytes of stream; a
// length with its top bit set sends the bytes as the payload of one well-formed frame.
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "proto/channel/control_session.hpp"

using namespace sluice;
using namespace sluice::channel;

namespace {
constexpr std::uint32_t kWorkers = 2;

void require(bool holds) {
  if (!holds) std::abort();
}

/// SPIs in order, so that an input can name them.
class OrderedSpis final : public SpiSource {
 public:
  Spi allocate(std::uint32_t) override { return Spi(next_++); }
  void release(Spi) override {}

 private:
  std::uint32_t next_ = 0x1000;
};

struct World {
  Instant now{};
  OrderedSpis edge_spis, agent_spis;
  EdgeControl edge{{.edge_name = "edge", .boot_id = 1, .workers = kWorkers, .data_port = 6000, .times = {}},
                   edge_spis,
                   now};
  AgentControl agent{{.hello = {.version_min = 1,
                                .version_max = kVersionMax,
                                .boot_id = 2,
                                .weight = 1,
                                .workers = kWorkers,
                                .data_port = 7000,
                                .max_sessions = 0,
                                .software = "fuzz",
                                .carrier = CarrierMode::kAuto},
                      .times = {}},
                     agent_spis,
                     now};

  void handshake() {
    for (int i = 0; i < 3; ++i) {
      edge.on_bytes(agent.poll_transmit(), now);
      agent.on_bytes(edge.poll_transmit(), now);
    }
    require(edge.established() && agent.established());
  }
};

template <class Core>
void check(Core& core, bool& dead) {
  while (auto event = core.poll_event()) {
    require(!dead);
    dead = std::holds_alternative<Dead>(*event);
  }
  require(core.dead() == dead);
  require(core.next_timeout().has_value() != dead);
  if (dead) require(core.open_relays() == 0);
}

TunnelOpen an_open(std::uint8_t relay) {
  TunnelOpen open;
  open.relay = RelayId(relay);
  open.assigned_tunnel = TunnelId(relay);
  return open;
}

void command(EdgeControl& core, std::uint8_t what, std::uint8_t relay, Instant now) {
  if (what == 1) core.open_tunnel(an_open(relay), now);
  if (what == 2) core.close_tunnel(RelayId(relay), CloseCause::kAdmin, "x");
  if (what == 3) core.renew_paths(now);
  if (what == 3) core.resume_tunnel({relay, RelayId(relay), 0});
  if (what == 2) core.refuse_resume({relay, CloseCause::kPeerGone, "x"});
}
void command(AgentControl& core, std::uint8_t what, std::uint8_t relay, Instant) {
  if (what == 1) core.accept(RelayId(relay));
  if (what == 2) core.refuse(RelayId(relay), "no");
  if (what == 3) core.session_up({RelayId(relay), SessionId(1), "u", "pap", {}, 0});
  if (what == 2) {
    TunnelResume resume;
    resume.resume = relay;
    resume.relay = RelayId(relay);
    resume.agent_tunnel = resume.client_tunnel = TunnelId(1);
    core.resume_tunnel(resume);
  }
}

template <class Core>
void play(Core& core, ByteReader& in, Instant now) {
  bool dead = false;
  check(core, dead);
  while (!in.at_end() && in.ok()) {
    const std::uint8_t action = in.u8();
    const std::uint16_t length = in.u16();
    const Bytes bytes = in.bytes(std::min<std::size_t>(length & 0x7fffU, in.remaining()));
    now += std::chrono::milliseconds(16 * (action >> 4));
    core.on_timeout(now);
    command(core, action & 3, (action >> 2) & 3, now);
    if ((length & 0x8000U) == 0) {
      core.on_bytes(bytes, now);
    } else {
      ByteVector framed;
      if (append_frame(framed, bytes)) core.on_bytes(framed, now);
    }
    static_cast<void>(core.poll_transmit());
    check(core, dead);
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteReader in(Bytes(data, size));
  const std::uint8_t start = in.u8();
  World world;
  if ((start & 2) != 0) {
    world.handshake();
    while (world.edge.poll_event()) continue;
    while (world.agent.poll_event()) continue;
  }
  if ((start & 1) != 0) {
    play(world.edge, in, world.now);
  } else {
    play(world.agent, in, world.now);
  }
  return 0;
}
