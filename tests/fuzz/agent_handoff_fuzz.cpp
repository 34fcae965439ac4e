// link: sluice_agent_handoff
// Packets of a client and a server in turn, each behind its length in one octet: nothing may fail, and a
// farewell that comes out must be a StopCCN.
#include <cstdlib>

#include "backend-agent/handoff/handoff_tunnel.hpp"
#include "l2tp/header.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  agent::HandoffTunnel tunnel(TunnelId(1000));
  ByteReader reader(Bytes(data, size));
  for (bool up = true; !reader.at_end(); up = !up) {
    const Bytes bytes = reader.bytes(reader.u8());
    if (!reader.ok()) break;
    ByteVector packet(bytes.begin(), bytes.end());
    up ? tunnel.from_client(packet) : tunnel.from_server(packet);
  }
  tunnel.over();
  for (const auto& farewell : {tunnel.farewell_to_client("bye"), tunnel.farewell_to_server("bye")}) {
    if (farewell && !l2tp::classify(*farewell).is_control()) std::abort();
  }
  return 0;
}
