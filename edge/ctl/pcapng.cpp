#include "edge/ctl/pcapng.hpp"

namespace sluice::ctl {
namespace {

enum class Block : std::uint32_t {
  kInterface = 1,
  kStatistics = 5,
  kPacket = 6,
  kSection = 0x0a0d0d0a,
};
enum class Option : std::uint16_t {
  kEnd = 0,
  kComment = 1,
  // Each block has its own meaning for the numbers from 2 on.
  kPacketFlags = 2,
  kInterfaceName = 2,
  kStatisticsBegin = 2,
  kInterfaceDescription = 3,
  kStatisticsEnd = 3,
  kApplication = 4,
  kStatisticsReceived = 4,
  kStatisticsDropped = 5,
  kTimeResolution = 9,
};
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint32_t kInbound = 1, kOutbound = 2;
constexpr std::uint8_t kNanoseconds = 9;  // 10^-9
constexpr std::size_t kMaxOption = 0xffff;

std::size_t padded(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

/// One block under way: its length stands at both ends and is known when it is done.
class Builder {
 public:
  explicit Builder(Block type) {
    u32(static_cast<std::uint32_t>(type));
    u32(0);
  }
  void u16(std::uint16_t v) {
    u8(static_cast<std::uint8_t>(v >> 8));
    u8(static_cast<std::uint8_t>(v));
  }
  void u32(std::uint32_t v) {
    u16(static_cast<std::uint16_t>(v >> 16));
    u16(static_cast<std::uint16_t>(v));
  }
  void u64(std::uint64_t v) {
    u32(static_cast<std::uint32_t>(v >> 32));
    u32(static_cast<std::uint32_t>(v));
  }
  void bytes(Bytes b) {
    out_.insert(out_.end(), b.begin(), b.end());
    out_.resize(padded(out_.size()));
  }
  void option(Option code, Bytes value) {
    value = value.first(std::min(value.size(), kMaxOption));
    u16(static_cast<std::uint16_t>(code));
    u16(static_cast<std::uint16_t>(value.size()));
    bytes(value);
  }
  void option(Option code, std::string_view text) {
    if (!text.empty()) option(code, as_bytes(text));
  }
  void option64(Option code, std::uint64_t value) {
    std::uint8_t raw[8];
    store_be64(raw, value);
    option(code, raw);
  }
  ByteVector done() {
    option(Option::kEnd, Bytes());
    const auto length = static_cast<std::uint32_t>(out_.size() + 4);
    u32(length);
    store_be32(out_.data() + 4, length);
    return std::move(out_);
  }

 private:
  void u8(std::uint8_t v) { out_.push_back(v); }
  ByteVector out_;
};

}  // namespace

ByteVector pcapng_section(std::string_view application, std::string_view comment) {
  Builder out(Block::kSection);
  out.u32(kByteOrder);
  out.u16(1);
  out.u16(0);
  out.u64(UINT64_MAX);  // length: not known yet
  out.option(Option::kComment, comment);
  out.option(Option::kApplication, application);
  return out.done();
}

ByteVector pcapng_interface(const PcapngInterface& interface) {
  Builder out(Block::kInterface);
  out.u16(static_cast<std::uint16_t>(interface.link));
  out.u16(0);
  out.u32(0);  // packets are whole
  out.option(Option::kInterfaceName, interface.name);
  out.option(Option::kInterfaceDescription, interface.description);
  out.option(Option::kTimeResolution, Bytes(&kNanoseconds, 1));
  return out.done();
}

ByteVector pcapng_packet(const PcapngPacket& packet) {
  const auto size = static_cast<std::uint32_t>(packet.data.size());
  Builder out(Block::kPacket);
  out.u32(packet.interface);
  out.u64(packet.time);
  out.u32(size);
  out.u32(size);
  out.bytes(packet.data);
  std::uint8_t flags[4];
  store_be32(flags, packet.received ? kInbound : kOutbound);
  out.option(Option::kPacketFlags, flags);
  out.option(Option::kComment, packet.comment);
  return out.done();
}

ByteVector pcapng_statistics(const PcapngStatistics& statistics) {
  Builder out(Block::kStatistics);
  out.u32(statistics.interface);
  out.u64(statistics.end);
  out.option64(Option::kStatisticsBegin, statistics.begin);
  out.option64(Option::kStatisticsEnd, statistics.end);
  out.option64(Option::kStatisticsReceived, statistics.received);
  out.option64(Option::kStatisticsDropped, statistics.dropped);
  return out.done();
}

}  // namespace sluice::ctl
