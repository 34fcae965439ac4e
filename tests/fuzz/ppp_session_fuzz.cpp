// link: sluice_ppp
// A whole session under a script: each step is an opcode, a length and so many octets. Nothing may crash,
// hang or let IP through without an accepted verdict.
#include <cstdlib>

#include "tests/unit/ppp/link.hpp"

using namespace sluice;

namespace {

ppp::PppConfig config_of(std::uint8_t choice) {
  auto config = ppp::test::server_config();
  if ((choice & 1) != 0) config.auth = {ppp::AuthMethod::kEap};
  config.eap_passthrough = (choice & 2) != 0;
  if ((choice & 4) != 0) config.rechallenge_interval = std::chrono::seconds(20);
  if ((choice & 8) != 0) config.auth_retries = 2;
  return config;
}

struct Run {
  explicit Run(std::uint8_t first) : choice(first), lone(config_of(first)) {}
  std::uint8_t choice;
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
      ByteVector body(50 + data.size());
      ByteWriter out(body);
      out.u8(49);
      out.zeros(49);
      out.bytes(data);
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
    if (good) accepted = true;
    lone.session.auth_result(lone.session.pending_attempt(), answer, lone.now);
  }
  /// The session goes on in another object: as a value that must fit, and one with a few octets changed,
  /// which may be refused or taken but breaks nothing.
  void move(Bytes data) {
    if (lone.session.phase() == ppp::PppSession::Phase::kDead) return;
    lone.sent();
    events();
    ppp::SessionSnapshot value = lone.session.snapshot(lone.now);
    const auto shared = std::make_shared<const ppp::PppConfig>(config_of(choice));
    ppp::PppSession copy(shared, lone.random, lone.drops);
    if (!copy.restore(value, lone.now)) std::abort();
    if (copy.is_up() != lone.session.is_up() || copy.phase() != lone.session.phase()) std::abort();
    if (data.size() < 8) return;
    value.phase = static_cast<std::uint8_t>(value.phase ^ (data[0] & 1));
    value.lcp.cp.state = data[1];
    value.auth.state = data[2];
    value.ipcp.cp.state = data[3];
    value.ipv6cp.cp.state = data[4];
    value.auth.eap_stage = data[5];
    value.lcp.auth_index = data[6];
    value.up = (data[7] & 1) != 0;
    value.ipv6_up = (data[7] & 2) != 0;
    ppp::PppSession changed(shared, lone.random, lone.drops);
    if (!changed.restore(value, lone.now)) return;
    ByteVector frame(data.begin(), data.end());
    changed.on_frame(frame, lone.now);
    for (int i = 0; i < 50 && changed.next_timeout(); ++i)
      changed.on_timeout(std::max(lone.now, *changed.next_timeout()));
  }
  /// An IPv6 packet whose ends are right.
  void link(Bytes data) {
    if (!lone.session.ipv6_up()) return;
    const auto ids = lone.session.snapshot(lone.now).ipv6cp;
    const ByteVector message = data.size() < 8 ? ByteVector(8, 133) : ByteVector(data.begin(), data.end());
    const ByteVector packet =
        ppp::make_icmpv6(ppp::link_local(ids.remote_id), ppp::link_local(ids.local_id), message);
    frame(ppp::test::raw_frame(ppp::kIpv6, packet));
  }
  void step(std::uint8_t op, Bytes data) {
    switch (op % 16) {
      case 0:
        return frame({data.begin(), data.end()});
      case 1:
        return lone.wait(std::chrono::milliseconds(250 * (data.empty() ? 1 : data[0])));
      case 2:
        return verdict(true);
      case 3:
        return verdict(false);
      case 4:
        return lone.session.set_addresses(
            data.empty() ? ppp::test::addresses() : ppp::test::addresses_with_ipv6(), lone.now);
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
      case 11:
        return move(data);
      case 12:
        return frame(ppp::test::control_frame(ppp::kIpv6cp, 1, 1, data));
      case 13:
        return link(data);
      case 14:
        return lone.session.tell_time_remaining(std::chrono::seconds(9), as_text(data));
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
  ByteReader script(Bytes(data, size));
  Run run(script.u8());
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
