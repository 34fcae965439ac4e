// link: sluice_ppp
// PAP, CHAP and EAP packets into a server that waits for proof, and into a client. The first octet picks the
// method.
#include "tests/unit/ppp/link.hpp"

using namespace sluice;

namespace {
void decide(ppp::test::Lone& lone) {
  while (auto event = lone.session.poll_event()) {
    if (auto* need = std::get_if<ppp::AuthNeeded>(&*event)) {
      ppp::Credential credential;
      credential.password = Secret("secret");
      lone.session.auth_result(need->request.attempt, ppp::verify(need->request, credential), lone.now);
    }
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ppp::AuthMethod methods[] = {ppp::AuthMethod::kPap, ppp::AuthMethod::kChapMd5,
                                     ppp::AuthMethod::kMsChapV2, ppp::AuthMethod::kEap};
  const ppp::AuthMethod method = methods[data[0] % 4];
  const ppp::Protocol protocol = method == ppp::AuthMethod::kPap   ? ppp::kPapProtocol
                                 : method == ppp::AuthMethod::kEap ? ppp::kEapProtocol
                                                                   : ppp::kChapProtocol;
  ByteVector frame(4 + size - 1);
  ByteWriter out(frame);
  ppp::write_header(out, protocol, false, false);
  out.bytes(Bytes(data, size).subspan(1));

  auto config = ppp::test::server_config();
  config.auth = {method};
  ppp::test::Lone server(std::move(config));
  server.open_lcp();
  // Let the packet answer the challenge that was sent, so that its body is looked at.
  if (protocol != ppp::kPapProtocol && frame.size() > 5 && !server.sent_on_open.empty()) {
    frame[5] = server.sent_on_open.back()[5];
  }
  server.feed(frame);
  decide(server);
  server.feed(frame);
  server.wait(std::chrono::seconds(60));

  ppp::test::Lone client(ppp::test::client_config());
  ByteVector option{3, 0};
  const ByteVector value = ppp::auth_option_value(method);
  option.insert(option.end(), value.begin(), value.end());
  option[1] = static_cast<std::uint8_t>(option.size());
  client.open_lcp(option);
  client.feed(frame);
  client.feed(frame);
  client.wait(std::chrono::seconds(60));
  return 0;
}
