// link: sluice_radius
// Answers of a server: as they come, and with the attributes made genuine so that what lies behind the proof
// is reached. The first octet picks the code.
#include <cstdlib>

#include "backend-agent/radius/core/client.hpp"
#include "backend-agent/radius/core/grant.hpp"
#include "tests/unit/radius/support.hpp"

using namespace sluice;

namespace {
constexpr std::string_view kSecret = "fuzz";

/// `attributes` in a packet that proves itself.
ByteVector genuine(Bytes request, radius::Code code, Bytes attributes) {
  ByteVector packet = radius::test::plain_reply_to(request, code, kSecret);
  packet.insert(packet.end(), attributes.begin(), attributes.end());
  store_be16(packet.data() + 2, static_cast<std::uint16_t>(packet.size()));
  std::copy_n(request.begin() + 4, 16, packet.begin() + 4);
  const auto md5 = Botan::HashFunction::create_or_throw("MD5");
  md5->update(packet.data(), packet.size());
  md5->update(as_bytes(kSecret).data(), kSecret.size());
  md5->final(packet.data() + 4);
  return packet;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 4000) return 0;
  const radius::Code codes[] = {radius::Code::kAccessAccept, radius::Code::kAccessReject,
                                radius::Code::kAccessChallenge};
  const radius::Code code = codes[data[0] % 3];
  const Bytes body = Bytes(data, size).subspan(1);

  radius::test::SeededRandom random(1);
  radius::ClientSettings settings;
  settings.servers.push_back({*Endpoint::parse("127.0.0.1:1812"), Secret(kSecret), 1});
  settings.sockets = 1;
  settings.demand_message_authenticator = false;
  radius::Client client(std::move(settings), random);
  const Instant now{std::chrono::hours(1)};
  radius::Draft draft(radius::Code::kAccessRequest);
  draft.add(radius::attr::kUserName, "fuzz");
  client.submit(std::move(draft), now);
  const auto sent = client.poll_transmit();
  client.on_datagram(0, sent->to, body, now);
  client.on_datagram(0, sent->to, genuine(sent->bytes, code, body), now);
  for (const auto& event : client.take_events()) {
    const auto* answered = std::get_if<radius::Answered>(&event);
    if (answered == nullptr) continue;
    const auto packet = radius::Packet::parse(answered->packet);
    if (!packet) std::abort();
    for (const auto type : radius::read_grant(*packet).bad) radius::name_of(type);
  }
  client.on_timeout(now + std::chrono::hours(1));
  return 0;
}
