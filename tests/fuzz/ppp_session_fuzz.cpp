// link: sluice_ppp
// A whole session under a script: each step is an opcode, a length and so many octets. Nothing may crash,
// hang or let IP through without an accepted verdict.
#include <cstdlib>

#include "tests/unit/ppp/link.hpp"

using namespace sluice;

namespace {

struct Run {
  ppp::test::Lone lone;
  bool accepted = false;
  unsigned downs = 0;

  void frame(ByteVector bytes) {
    if (!lone.feed(std::move(bytes)).empty() && !accepted) std::abort();
  }
  /// Answers as a willing peer would: acknowledges every Configure-Request.
  void acknowledge() {
    for (auto& sent : lone.sent()) {
      if (sent.size() < 8 || sent[4] != 1 || load_be16(sent.data() + 2) == ppp::kChapProtocol) continue;
      sent[4] = 2;
      frame(sent);
    }
  }
  /// Answers the last challenge with a response of the right size.
  void respond(Bytes data) {
    for (auto& sent : lone.sent()) {
      if (load_be16(sent.data() + 2) != ppp::kChapProtocol || sent[4] != 1) continue;
      ByteVector body(50, 0);
      body[0] = 49;
      body.insert(body.end(), data.begin(), data.end());
      frame(ppp::test::control_frame(ppp::kChapProtocol, 2, sent[5], body));
    }
  }
  void events() {
    while (auto event = lone.session.poll_event()) {
      if (std::holds_alternative<ppp::Down>(*event)) ++downs;
      if (std::holds_alternative<ppp::Up>(*event) && !accepted) std::abort();
    }
    if (downs > 1) std::abort();
  }
  void verdict(bool good) {
    ppp::AuthVerdict answer;
    answer.accepted = good;
    answer.cause = "wrong-password";
    if (good && lone.session.phase() == ppp::PppSession::Phase::kAuthenticate) accepted = true;
    lone.session.auth_result(answer, lone.now);
  }
  void step(std::uint8_t op, Bytes data) {
    switch (op % 12) {
      case 0:
        return frame({data.begin(), data.end()});
      case 1:
        return lone.wait(std::chrono::milliseconds(250 * (data.empty() ? 1 : data[0])));
      case 2:
        return verdict(true);
      case 3:
        return verdict(false);
      case 4:
        return lone.session.set_addresses(ppp::test::addresses(), lone.now);
      case 5:
        return acknowledge();
      case 6:
        return frame(ppp::test::control_frame(ppp::kLcp, 1, 1, data));
      case 7:
        return respond(data);
      case 8:
        return frame(ppp::test::control_frame(ppp::kIpcp, 1, 1, data));
      case 9:
        return lone.session.stop("script", as_text(data), lone.now);
      case 10:
        return lone.session.lower_down("script", "");
      default: {
        ByteVector buffer(16 + data.size());
        std::copy(data.begin(), data.end(), buffer.begin() + 16);
        if (!lone.session.frame_ip(buffer, 16, data.size()).empty() && !accepted) std::abort();
      }
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Run run;
  ByteReader script(Bytes(data, size));
  for (int steps = 0; steps < 200 && !script.at_end(); ++steps) {
    const std::uint8_t op = script.u8();
    const std::size_t length = script.at_end() ? 0 : script.u8();
    run.step(op, script.bytes(std::min(length, script.remaining())));
    run.events();
  }
  // Whatever happened, stop() ends it.
  run.lone.session.stop("end", "", run.lone.now);
  run.lone.wait(std::chrono::seconds(30));
  run.events();
  if (run.downs != 1) std::abort();
  return 0;
}
