#pragma once
// Blocks of a pcapng file (draft-ietf-opsawg-pcapng), as Wireshark reads it. Big-endian, times in
// nanoseconds. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::ctl {

/// What an interface's packets begin with (tcpdump.org/linktypes.html).
enum class LinkType : std::uint16_t {
  kRawIp = 101,
  kPppWithDirection = 204,  ///< one byte in front: 0 received, 1 sent
};

/// The file's head.
ByteVector pcapng_section(std::string_view application, std::string_view comment);

struct PcapngInterface {
  std::string_view name, description;
  LinkType link{};
};
/// The n-th of these is interface n, from 0.
ByteVector pcapng_interface(const PcapngInterface& interface);

struct PcapngPacket {
  std::uint32_t interface = 0;
  std::uint64_t time = 0;  ///< nanoseconds since the epoch
  bool received = false;
  std::string_view comment;  ///< empty: none
  Bytes data;
};
ByteVector pcapng_packet(const PcapngPacket& packet);

struct PcapngStatistics {
  std::uint32_t interface = 0;
  std::uint64_t begin = 0, end = 0;  ///< nanoseconds since the epoch
  std::uint64_t received = 0, dropped = 0;
};
ByteVector pcapng_statistics(const PcapngStatistics& statistics);

}  // namespace sluice::ctl
