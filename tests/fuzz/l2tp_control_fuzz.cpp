// link: sluice_l2tp
// Reliable delivery between two ends over a line that the input rules: it loses, doubles, delays and forges.
// After each step the invariants hold; once the line is good again, what was sent has arrived, each message
// once and in order.
#include <cstdlib>
#include <deque>
#include <vector>

#include "l2tp/control_connection.hpp"
#include "l2tp/message.hpp"

namespace {

using namespace sluice;
using namespace sluice::l2tp;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::uint32_t kMost = 64;

struct End {
  End(std::uint16_t window, const Retransmission& times) : control(window, times) {}
  ControlConnection control;
  std::uint32_t sent = 0;       // messages queued here
  std::uint32_t delivered = 0;  // messages of the other side handed out here
};

class Line {
 public:
  explicit Line(ByteReader& in)
      : a_(static_cast<std::uint16_t>(1 + in.u8() % 9), times()),
        b_(static_cast<std::uint16_t>(1 + in.u8() % 9), times()) {
    const std::uint16_t first_a = in.u16(), first_b = in.u16();
    a_.control.set_first_sequence(first_a, first_b);
    b_.control.set_first_sequence(first_b, first_a);
    a_.control.set_peer_window(static_cast<std::uint16_t>(in.u8() % 12));
    b_.control.set_peer_window(static_cast<std::uint16_t>(in.u8() % 12));
  }

  void step(std::uint8_t what, ByteReader& in) {
    End& end = (what & 1) != 0 ? a_ : b_;
    switch ((what >> 1) % 8) {
      case 0:
      case 1:
        queue(end, (what & 0x80) != 0);
        break;
      case 2:
      case 3:
        poll(end);
        break;
      case 4:
        arrive(end, in.u8(), false);
        break;
      case 5:
        arrive(end, in.u8(), true);
        break;
      case 6:
        lose(end, in.u8());
        break;
      case 7:
        pass(std::chrono::milliseconds(in.u16() % 3000));
        break;
    }
    check();
  }
  /// A good line from here on.
  void finish() {
    for (int round = 0; round < 400 && !(idle(a_) && idle(b_)); ++round) {
      for (End* end : {&a_, &b_}) {
        while (poll(*end)) {
        }
        while (!to(*end).empty()) arrive(*end, 0, false);
      }
      pass(std::chrono::seconds(9));
      check();
    }
    require(a_.delivered == b_.sent && b_.delivered == a_.sent);
    require(a_.control.held() == 0 && b_.control.held() == 0);
  }

 private:
  // Nobody gives up here: how many losses in a row end a connection is tested elsewhere.
  static Retransmission times() { return {.tries = 1'000'000}; }
  static bool idle(const End& end) { return end.control.idle(); }
  std::deque<ByteVector>& to(const End& end) { return &end == &a_ ? to_a_ : to_b_; }
  std::deque<ByteVector>& from(const End& end) { return &end == &a_ ? to_b_ : to_a_; }

  void queue(End& end, bool urgent) {
    if (end.sent == kMost) return;
    // Its number is the message's content.
    MessageBuilder hello(MessageType::kHello);
    hello.u32(AvpType::kCallSerialNumber, end.sent++);
    end.control.send(hello.finish({}, {}, 0, 0), {.urgent = urgent});
  }
  bool poll(End& end) {
    auto packet = end.control.poll_transmit();
    if (!packet) return false;
    if (from(end).size() < 256) from(end).push_back(std::move(*packet));
    return true;
  }
  void arrive(End& end, std::uint8_t which, bool stays) {
    auto& queue = to(end);
    if (queue.empty()) return;
    const auto at = queue.begin() + which % static_cast<std::ptrdiff_t>(queue.size());
    const ByteVector packet = *at;
    if (!stays) queue.erase(at);
    const auto header = parse_header(packet);
    require(header.ok());
    const auto verdict = end.control.on_packet(*header, now_);
    require(verdict != ControlConnection::Verdict::kBadNr);
    if (verdict == ControlConnection::Verdict::kDeliver) deliver(end, *header);
    while (auto held = end.control.take_next()) deliver(end, *parse_header(*held));
  }
  void deliver(End& end, const Header& header) {
    const auto message = parse_message(header.payload);
    require(message.ok() && message->u32(AvpType::kCallSerialNumber) == end.delivered);
    ++end.delivered;
  }
  void lose(End& end, std::uint8_t which) {
    auto& queue = to(end);
    if (!queue.empty()) queue.erase(queue.begin() + which % static_cast<std::ptrdiff_t>(queue.size()));
  }
  void pass(Duration time) {
    now_ += time;
    for (End* end : {&a_, &b_}) {
      if (const auto at = end->control.next_timeout(); at && *at <= now_) end->control.on_timeout(now_);
    }
  }
  void check() const {
    for (const End* end : {&a_, &b_}) {
      require(end->control.consistent() && !end->control.failed());
      require(end->control.held() < 10);
    }
    require(a_.delivered <= b_.sent && b_.delivered <= a_.sent);
  }

  End a_, b_;
  std::deque<ByteVector> to_a_, to_b_;
  Instant now_{};
};

/// One end alone against packets with any numbers at all.
void stranger(ByteReader& in) {
  ControlConnection control(static_cast<std::uint16_t>(1 + in.u8() % 9), {});
  static const ByteVector avps = MessageBuilder(MessageType::kHello).finish({}, {}, 0, 0);
  Instant now{};
  for (int i = 0; i < 300 && !in.at_end() && in.ok(); ++i) {
    const std::uint8_t what = in.u8();
    if (what < 40) control.send(avps, {.urgent = what<4, .probe = what> 30});
    if (what >= 40 && what < 80) control.poll_transmit();
    if (what >= 80 && what < 120) control.on_timeout(now += std::chrono::milliseconds(what * 20));
    if (what >= 120) {
      const Header header{.control = true,
                          .has_length = true,
                          .has_sequence = true,
                          .ns = in.u16(),
                          .nr = in.u16(),
                          .payload = what < 160 ? Bytes{} : Bytes(avps).subspan(kControlHeaderSize)};
      control.on_packet(header, now);
      while (control.take_next()) {
      }
    }
    require(control.consistent());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(Bytes(data, size));
  if (in.u8() % 4 == 0) {
    stranger(in);
    return 0;
  }
  Line line(in);
  for (int steps = 0; steps < 400 && !in.at_end() && in.ok(); ++steps) line.step(in.u8(), in);
  line.finish();
  return 0;
}
