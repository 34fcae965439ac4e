// A capture for tshark to read, made as sluicectl makes it of what a tap takes.
//   capture_packets FILE
#include <fstream>
#include <iostream>

#include "edge/capture/tap.hpp"
#include "edge/ctl/pcapng.hpp"

namespace {

using namespace sluice;
using namespace sluice::ctl;

const Endpoint kEdge = *Endpoint::parse("192.0.2.1:4500"), kClient = *Endpoint::parse("203.0.113.5:40000");
const Endpoint kEdge6 = *Endpoint::parse("[2001:db8::1]:4500"),
               kClient6 = *Endpoint::parse("[2001:db8::5]:40000");

ByteVector l2tp_in_udp(Bytes ppp) {
  ByteVector out(8 + 6 + ppp.size());
  ByteWriter writer(out);
  writer.u16(1701), writer.u16(1701), writer.u16(static_cast<std::uint16_t>(out.size())), writer.u16(0);
  writer.u16(0x0002), writer.u16(900), writer.u16(1), writer.bytes(ppp);
  return out;
}

/// An ICMP echo in a PPP frame without address and control, and a login by PAP.
ByteVector ping() {
  const auto echo = edge::ip_packet(*IpAddress::parse("10.0.0.2"), *IpAddress::parse("10.0.0.1"), 1,
                                    ByteVector{8, 0, 0xf7, 0xff, 0, 0, 0, 0});
  ByteVector out{0x00, 0x21};
  out.insert(out.end(), echo.begin(), echo.end());
  return out;
}
ByteVector pap() {
  ByteVector out{0xff, 0x03, 0xc0, 0x23, 1, 1, 0, 17, 5};
  for (const char c : std::string_view("alice\x06secret")) out.push_back(static_cast<std::uint8_t>(c));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ofstream file(argv[1], std::ios::binary);
  const auto write = [&](const ByteVector& block) { file << as_text(block); };
  edge::CaptureTap tap({.id = 1, .filter = {}, .points = 7, .clock = std::chrono::seconds(1'700'000'000)});
  for (const auto& [local, remote] : {std::pair(kEdge, kClient), std::pair(kEdge6, kClient6)}) {
    for (const bool from_client : {true, false}) {
      const edge::CaptureTap::Way way{local, remote, from_client, {}};
      const ByteVector esp(48, 0x11);
      tap.outer(way, edge::CaptureTap::Outer::kUdp, esp, Instant{std::chrono::nanoseconds(1)});
      tap.outer(way, edge::CaptureTap::Outer::kEsp, esp, Instant{std::chrono::nanoseconds(2)});
      tap.inner(way, l2tp_in_udp(ping()), Instant{std::chrono::nanoseconds(3)});
      tap.inner(way, l2tp_in_udp(pap()), Instant{std::chrono::nanoseconds(4)});
    }
  }
  write(pcapng_section("capture_packets", "for tshark"));
  write(pcapng_interface({"esp", "outside", LinkType::kRawIp}));
  write(pcapng_interface({"l2tp", "inside ESP", LinkType::kRawIp}));
  write(pcapng_interface({"ppp", "inside L2TP", LinkType::kPppWithDirection}));
  while (const auto packet = tap.next()) {
    ByteVector data;
    if (packet->point == edge::CapturePoint::kPpp) data.push_back(packet->from_client ? 0 : 1);
    data.insert(data.end(), packet->bytes.begin(), packet->bytes.end());
    write(pcapng_packet({.interface = static_cast<std::uint32_t>(packet->point),
                         .time = packet->time,
                         .received = packet->from_client,
                         .comment = "1a2b3c4d5e6f",
                         .data = data}));
  }
  write(pcapng_statistics({.interface = 2, .begin = 1, .end = 2, .received = 12, .dropped = 4}));
  file.flush();
  return file ? 0 : 1;
}
