// link: sluice_l2tp
// A tunnel of either role and an observer, driven by a script: packets as they are, packets mended so that
// they pass the first checks, time, and commands. The tunnel asserts its invariants after each step; here are
// those seen outside.
#include <cstdlib>
#include <set>

#include "l2tp/lac.hpp"
#include "l2tp/lns.hpp"
#include "l2tp/observer.hpp"

namespace {

using namespace sluice;
using namespace sluice::l2tp;

void require(bool holds) {
  if (!holds) std::abort();
}

class CountingRandom final : public RandomSource {
 public:
  void fill(MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(next_ = next_ * 1103515245u + 12345u);
  }

 private:
  std::uint32_t next_ = 1;
};

constexpr TunnelId kLocal{0x0101};

class Driver {
 public:
  explicit Driver(std::uint8_t options) {
    TunnelConfig config{.local_tunnel = kLocal, .max_sessions = 5};
    config.max_control_per_second = (options & 1) != 0 ? 20 : 0;
    config.length_in_data = (options & 2) != 0;
    if ((options & 4) != 0) config.secret = std::make_shared<const Secret>(Secret("sluice"));
    config.demand_authentication = (options & 12) == 12;
    if ((options & 16) != 0) {
      auto lac = std::make_unique<LacTunnel>(config, random_);
      lac_ = lac.get();
      lac->connect(now_);
      tunnel_ = std::move(lac);
    } else {
      tunnel_ = std::make_unique<LnsTunnel>(config, random_);
    }
  }

  void step(ByteReader& in) {
    const std::uint8_t what = in.u8();
    switch (what % 8) {
      case 0:
      case 1:
        raw(in.bytes(in.u8()));
        break;
      case 2:
      case 3:
      case 4:
        mended(in.u8(), SessionId{in.u16()}, in.bytes(in.u8()));
        break;
      case 5:
        pass(std::chrono::milliseconds(in.u16()));
        break;
      case 6:
        command(in.u8());
        break;
      case 7:
        data();
        break;
    }
    drain();
    check();
  }

  /// However it was treated, a tunnel that is told to close comes to its end by itself.
  void finish() {
    tunnel_->close_tunnel(StopResult::kGeneral, "end", now_);
    drain();
    for (int i = 0; i < 64 && tunnel_->next_timeout(); ++i) {
      now_ = std::max(now_, *tunnel_->next_timeout());
      tunnel_->on_timeout(now_);
      drain();
      check();
    }
    require(!tunnel_->next_timeout());
    require(tunnel_->sessions() == 0 && open_.empty());
  }

 private:
  void raw(Bytes packet) {
    observer_.from_client(packet);
    const auto got = tunnel_->on_datagram(packet, now_);
    require((got.kind == Received::Kind::kDropped) == (got.reason != DropReason::kNone));
    if (got.is_data()) {
      require(open_.contains(got.session));
      require(got.ppp.empty() || (got.ppp.data() >= packet.data() &&
                                  got.ppp.data() + got.ppp.size() <= packet.data() + packet.size()));
    }
  }
  /// The AVPs behind a header that fits the tunnel, its numbers off by a little.
  void mended(std::uint8_t skew, SessionId session, Bytes avps) {
    const auto& control = tunnel_->control();
    const bool first = tunnel_->state() == TunnelState::kIdle;
    const Header header{.control = true,
                        .has_length = true,
                        .has_sequence = true,
                        .tunnel = first ? TunnelId{} : kLocal,
                        .session = session.value() < 8 && !open_.empty() ? *open_.begin() : session,
                        .ns = static_cast<std::uint16_t>(control.expected() + (skew & 3)),
                        .nr = static_cast<std::uint16_t>(control.next_ns() - ((skew >> 2) & 3))};
    ByteVector packet(kControlHeaderSize + avps.size());
    ByteWriter out(packet);
    write_header(header, avps.size(), out);
    out.bytes(avps);
    raw(packet);
  }
  void pass(Duration time) {
    now_ += time;
    if (const auto at = tunnel_->next_timeout(); at && *at <= now_) tunnel_->on_timeout(now_);
  }
  void command(std::uint8_t which) {
    if (which < 8 && lac_) lac_->open_session(now_);
    if (which >= 8 && which < 250 && !open_.empty()) {
      tunnel_->close_session(*open_.begin(), CallResult::kAdministrative, "fuzz", now_);
    }
    if (which >= 250) tunnel_->close_tunnel(StopResult::kGeneral, "fuzz", now_);
  }
  void data() {
    ByteVector buffer(kDataHeadroom + 9, 0x55);
    const SessionId id = open_.empty() ? SessionId{1} : *open_.begin();
    const auto packet = tunnel_->frame_data(id, buffer, kDataHeadroom);
    require(packet.has_value() == open_.contains(id));
    if (packet) require(parse_header(*packet)->payload.size() == 9);
  }
  void drain() {
    while (auto packet = tunnel_->poll_transmit()) {
      observer_.from_agent(*packet);
      const auto header = parse_header(*packet);
      require(header.ok() && header->control);
      if (header->zlb()) continue;
      static const Secret secret("sluice");
      const auto message = parse_message(header->payload, &secret);
      require(message.ok() && message->info() && !message->fault());
    }
    while (auto event = tunnel_->poll_event()) take(*event);
  }
  void take(const Event& event) {
    require(!down_);
    if (const auto* up = std::get_if<SessionUp>(&event))
      require(up->remote && open_.insert(up->local).second);
    if (const auto* gone = std::get_if<SessionDown>(&event))
      require(open_.erase(gone->local) == (gone->was_up ? 1 : 0));
    if (std::holds_alternative<TunnelUp>(event)) require(!std::exchange(up_, true));
    if (const auto* gone = std::get_if<TunnelDown>(&event)) {
      require(gone->was_up == up_ && open_.empty());
      down_ = true;
    }
  }
  void check() const {
    require(tunnel_->sessions_up() == open_.size());
    require(tunnel_->established() == (up_ && !down_));
    require(tunnel_->control().held() < 8);
    require(!tunnel_->finished() || down_);
  }

  CountingRandom random_;
  std::unique_ptr<Tunnel> tunnel_;
  LacTunnel* lac_ = nullptr;
  Observer observer_;
  Instant now_{};
  std::set<SessionId> open_;
  bool up_ = false, down_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(Bytes(data, size));
  Driver driver(in.u8());
  for (int steps = 0; steps < 200 && !in.at_end() && in.ok(); ++steps) driver.step(in);
  driver.finish();
  return 0;
}
