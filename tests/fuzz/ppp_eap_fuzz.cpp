// link: sluice_ppp
// A conversation in EAP: each step is a length and so many octets, said under the identifier of the last
// Request. Passed through, spoken here, and as a client.
#include <cstdlib>

#include "tests/unit/ppp/link.hpp"

using namespace sluice;

namespace {

void drain(ppp::test::Lone& lone, std::uint8_t& id, bool server) {
  for (const auto& frame : lone.sent()) {
    if (load_be16(frame.data() + 2) == ppp::kEapProtocol && frame.size() > 5) id = frame[5];
  }
  while (auto event = lone.session.poll_event()) {
    auto* need = std::get_if<ppp::AuthNeeded>(&*event);
    if (need == nullptr || !server) continue;
    ppp::AuthVerdict verdict;
    if (need->request.method == ppp::AuthMethod::kEap) {
      // The outside echoes what it got, which need not be a Request at all.
      verdict.more = true;
      verdict.eap = need->request.eap;
      if (!verdict.eap.empty()) verdict.eap[0] = 1;
    } else {
      if (!need->request.within_eap) std::abort();
      ppp::Credential credential;
      credential.password = Secret("secret");
      verdict = ppp::verify(need->request, credential);
    }
    lone.session.auth_result(lone.session.pending_attempt(), verdict, lone.now);
  }
}

void converse(ppp::PppConfig config, Bytes script, Bytes lcp_options) {
  const bool server = config.role == ppp::Role::kServer;
  ppp::test::Lone lone(std::move(config));
  lone.open_lcp(lcp_options);
  std::uint8_t id = 0;
  for (const auto& frame : lone.sent_on_open) {
    if (load_be16(frame.data() + 2) == ppp::kEapProtocol && frame.size() > 5) id = frame[5];
  }
  ByteReader in(script);
  for (int steps = 0; steps < 20 && !in.at_end(); ++steps) {
    const std::size_t length = in.u8();
    const Bytes body = in.bytes(std::min(length, in.remaining()));
    ByteVector frame{0xff, 0x03, 0xc2, 0x27};
    frame.insert(frame.end(), body.begin(), body.end());
    if (server && frame.size() > 5) frame[5] = id;
    lone.feed(frame);
    drain(lone, id, server);
  }
  // Nobody gets in who does not know the password.
  if (server && lone.session.phase() == ppp::PppSession::Phase::kNetwork) std::abort();
  lone.wait(std::chrono::seconds(120));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes script(data, size);
  if (const auto packet = ppp::parse_eap(script)) {
    if (packet->whole.size() > size) std::abort();
    (void)ppp::parse_eap_md5(packet->data);
    (void)ppp::parse_eap_mschap(packet->data);
  }
  for (const bool outside : {false, true}) {
    auto config = ppp::test::server_config();
    config.auth = {ppp::AuthMethod::kEap};
    config.eap_passthrough = outside;
    converse(std::move(config), script, {});
  }
  auto client = ppp::test::client_config();
  client.auth = {ppp::AuthMethod::kEap};
  converse(std::move(client), script, ByteVector{3, 4, 0xc2, 0x27});
  return 0;
}
