// link: sluice_radius
// CoA- and Disconnect-Requests from a listed source: as they come, and signed. The first octet picks the
// code.
#include "backend-agent/radius/core/dynamic.hpp"
#include "tests/unit/radius/support.hpp"

using namespace sluice;

namespace {
constexpr std::string_view kSecret = "fuzz";
constexpr std::int64_t kTime = 1'800'000'000;

void give(radius::DynamicServer& server, Bytes datagram) {
  const Endpoint from = *Endpoint::parse("127.0.0.1:4000");
  const Instant now{std::chrono::hours(1)};
  const auto request = server.on_datagram(from, datagram, now, kTime);
  if (request) server.answer(*request, request->wrong, now);
  while (server.poll_transmit()) {
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 4000) return 0;
  radius::DynamicSettings settings;
  settings.sources.push_back({*IpAddress::parse("127.0.0.1"), Secret(kSecret)});
  settings.nas_identifier = "fuzz";
  settings.demand_timestamp = data[0] % 4 < 2;
  radius::DynamicServer server(std::move(settings));
  const Bytes body = Bytes(data, size).subspan(1);
  give(server, body);

  // Whole attributes of the input, signed; twice, as a client that heard nothing would.
  radius::Draft draft(data[0] % 2 == 0 ? radius::Code::kCoaRequest : radius::Code::kDisconnectRequest);
  draft.add(radius::attr::kEventTimestamp, static_cast<std::uint32_t>(kTime));
  ByteReader in(body);
  while (in.remaining() >= 2) {
    const std::uint8_t type = in.u8();
    const std::uint8_t length = in.u8();
    const Bytes value = in.bytes(std::min<std::size_t>(length, in.remaining()));
    draft.add(radius::AttributeType{0, type}, value);
  }
  radius::Authenticator authenticator{};
  const auto packet = radius::sign_request(draft, data[0], authenticator, as_bytes(kSecret));
  if (!packet) return 0;
  give(server, *packet);
  give(server, *packet);
  return 0;
}
