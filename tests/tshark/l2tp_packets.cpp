// L2TP packets for another decoder to read, and what ours reads in them.
//   l2tp_packets generate FILE SEED   writes a pcap: every message type with every AVP, random values
//   l2tp_packets decode FILE          a line of JSON for each UDP datagram of a pcap (raw IPv4 or Ethernet)
//   l2tp_packets wrap HEXFILE FILE    a pcap of the packets in a "line<TAB>hex" file
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/text.hpp"
#include "l2tp/message.hpp"

namespace {

using namespace sluice;
using namespace sluice::l2tp;

constexpr std::size_t kIpUdp = 28;
constexpr std::uint32_t kPcapMagic = 0xa1b2c3d4, kLinkRawIp = 101, kLinkEthernet = 1;

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }
  std::size_t below(std::size_t limit) { return engine_() % limit; }
  std::uint16_t number() { return static_cast<std::uint16_t>(1 + below(0xffff)); }

 private:
  std::mt19937_64 engine_;
};

class Pcap {
 public:
  explicit Pcap(const std::string& path) : file_(path, std::ios::binary) {
    word(kPcapMagic), half(2), half(4), word(0), word(0), word(65535), word(kLinkRawIp);
  }
  void add(Bytes l2tp) {
    ByteVector ip(kIpUdp);
    ByteWriter out(ip);
    const auto size = static_cast<std::uint16_t>(kIpUdp + l2tp.size());
    out.u16(0x4500), out.u16(size), out.u32(0), out.u8(64), out.u8(17), out.u16(0), out.u32(0x0a000001),
        out.u32(0x0a000002);
    out.u16(1701), out.u16(1701), out.u16(static_cast<std::uint16_t>(size - 20)), out.u16(0);
    word(0), word(0), word(size), word(size);
    bytes(ip), bytes(l2tp);
  }

 private:
  void word(std::uint32_t value) { file_.write(reinterpret_cast<const char*>(&value), 4); }
  void half(std::uint16_t value) { file_.write(reinterpret_cast<const char*>(&value), 2); }
  void bytes(Bytes b) {
    file_.write(reinterpret_cast<const char*>(b.data()), static_cast<std::streamsize>(b.size()));
  }
  std::ofstream file_;
};

ByteVector value_for(const AvpInfo& info, SeededRandom& random) {
  const std::size_t most = std::min<std::size_t>(info.max_size, 60);
  ByteVector value(info.min_size + (most > info.min_size ? random.below(most - info.min_size + 1) : 0));
  if (info.value == AvpValue::kResultCode && value.size() == 3) value.push_back(0);
  random.fill(value);
  // What is text is printable: how bad bytes are shown is everybody's own affair.
  const auto printable_from = [&](std::size_t start) {
    for (std::size_t i = start; i < value.size(); ++i)
      value[i] = static_cast<std::uint8_t>('a' + value[i] % 26);
  };
  switch (info.value) {
    case AvpValue::kText:
      printable_from(0);
      break;
    case AvpValue::kResultCode:
      printable_from(4);
      break;
    case AvpValue::kQ931:
      printable_from(3);
      break;
    case AvpValue::kDisconnectCause:
      printable_from(5);
      break;
    default:
      break;
  }
  const bool id = info.type == AvpType::kAssignedTunnelId || info.type == AvpType::kAssignedSessionId;
  if (id) value[1] |= 1;
  return value;
}

void generate(const std::string& path, std::uint64_t seed) {
  SeededRandom random(seed);
  Pcap pcap(path);
  const Secret secret("shared");
  const auto finish = [&](const MessageBuilder& b) {
    pcap.add(
        b.finish(TunnelId{random.number()}, SessionId{random.number()}, random.number(), random.number()));
  };
  std::vector<const AvpInfo*> avps;
  for (std::uint16_t type = 1; type < 100; ++type) {
    if (const auto* info = avp_info(type)) avps.push_back(info);
  }
  for (std::uint16_t type = 1; type <= 28; ++type) {
    // Each AVP alone, then as many as fit in random order, then hidden ones and vendors'.
    for (const auto* info : avps) {
      MessageBuilder b(type, random.below(2) == 0);
      finish(b.bytes(info->type, value_for(*info, random)));
    }
    for (int i = 0; i < 10; ++i) {
      MessageBuilder b(type, true);
      for (std::size_t n = random.below(16); n > 0; --n) {
        const auto& info = *avps[random.below(avps.size())];
        b.bytes(info.type, value_for(info, random));
      }
      finish(b);
    }
    MessageBuilder other(type, true);
    ByteVector blob(random.below(30));
    random.fill(blob);
    other.hidden(AvpType::kCalledNumber, as_bytes("0815"), secret, random)
        .raw({.mandatory = false, .vendor = 4242, .type = 7, .value = blob})
        .raw({.mandatory = false, .vendor = 0, .type = 20, .value = blob});
    finish(other);
  }
  for (int i = 0; i < 8; ++i) pcap.add(make_zlb(TunnelId{random.number()}, random.number(), random.number()));
  for (unsigned bits = 0; bits < 16; ++bits) {
    Header h{.has_length = (bits & 1) != 0,
             .has_sequence = (bits & 2) != 0,
             .has_offset = (bits & 4) != 0,
             .priority = (bits & 8) != 0,
             .tunnel = TunnelId{random.number()},
             .session = SessionId{random.number()}};
    if (h.has_sequence) h.ns = random.number(), h.nr = random.number();
    if (h.has_offset) h.offset_size = static_cast<std::uint16_t>(random.below(9));
    ByteVector packet(64);
    ByteWriter out(packet);
    write_header(h, 8, out);
    out.u32(0xff03c021), out.u32(0x01010004);
    packet.resize(out.size());
    pcap.add(packet);
  }
}

std::string quoted(Bytes text) {
  return "\"" + escaped(as_text(text)) + "\"";
}

/// The parts of a value in the order the RFCs give them.
std::string parts_of(const AvpInfo& info, Bytes value) {
  ByteReader in(value);
  std::string out;
  const auto add = [&out](const std::string& part) { out += (out.empty() ? "" : ",") + part; };
  switch (info.value) {
    case AvpValue::kEmpty:
      break;
    case AvpValue::kUint16:
      add(std::to_string(in.u16()));
      break;
    case AvpValue::kUint32:
      add(std::to_string(in.u32()));
      break;
    case AvpValue::kUint64:
    case AvpValue::kBytes:
      add("\"" + to_hex(value) + "\"");
      break;
    case AvpValue::kText:
      add(quoted(value));
      break;
    case AvpValue::kResultCode:
      add(std::to_string(in.u16()));
      if (!in.at_end()) add(std::to_string(in.u16()));
      if (!in.at_end()) add(quoted(in.rest()));
      break;
    case AvpValue::kVersion:
      add(std::to_string(in.u8()));
      add(std::to_string(in.u8()));
      break;
    case AvpValue::kQ931:
      add(std::to_string(in.u16()));
      add(std::to_string(in.u8()));
      if (!in.at_end()) add(quoted(in.rest()));
      break;
    case AvpValue::kCallErrors:
    case AvpValue::kAccm:
      in.skip(2);
      while (in.remaining() >= 4) add(std::to_string(in.u32()));
      break;
    case AvpValue::kDisconnectCause:
      add(std::to_string(in.u16()));
      add(std::to_string(in.u16()));
      add(std::to_string(in.u8()));
      if (!in.at_end()) add(quoted(in.rest()));
      break;
  }
  return "[" + out + "]";
}

std::string describe_avp(const Avp& avp) {
  std::string out = "{\"m\":" + std::to_string(avp.mandatory) + ",\"h\":" + std::to_string(avp.hidden) +
                    ",\"length\":" + std::to_string(6 + avp.value.size()) +
                    ",\"vendor\":" + std::to_string(avp.vendor) + ",\"type\":" + std::to_string(avp.type);
  const auto* info = avp.vendor == 0 ? avp_info(avp.type) : nullptr;
  if (info && avp.usable) out += ",\"parts\":" + parts_of(*info, avp.value);
  return out + "}";
}

void print(Bytes packet) {
  const auto header = parse_header(packet);
  if (!header) {
    std::cout << "{\"refused\":\"" << to_string(header.error()) << "\"}\n";
    return;
  }
  const Header& h = *header;
  std::cout << "{\"control\":" << h.control << ",\"l\":" << h.has_length << ",\"s\":" << h.has_sequence
            << ",\"o\":" << h.has_offset << ",\"p\":" << h.priority << ",\"tunnel\":" << h.tunnel.value()
            << ",\"session\":" << h.session.value() << ",\"ns\":" << h.ns << ",\"nr\":" << h.nr
            << ",\"offset\":" << h.offset_size << ",\"size\":" << packet.size();
  if (h.control && !h.zlb()) {
    const auto message = parse_message(h.payload);
    if (!message) {
      std::cout << ",\"refused\":\"" << to_string(message.error()) << "\"";
    } else {
      std::cout << ",\"message\":" << message->type_number() << ",\"m\":" << message->type_mandatory()
                << ",\"avps\":[";
      const char* comma = "";
      for (const Avp& avp : message->avps()) std::cout << std::exchange(comma, ",") << describe_avp(avp);
      std::cout << "]";
    }
  }
  std::cout << "}\n";
}

int decode(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const ByteVector file{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto word = [&file](std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, file.data() + at, 4);
    return value;
  };
  if (file.size() < 24 || word(0) != kPcapMagic)
    return std::cerr << path << ": no pcap of this machine's byte order\n", 1;
  const std::size_t link = word(20) == kLinkEthernet ? 14 : 0;
  for (std::size_t at = 24; at + 16 <= file.size();) {
    const std::size_t size = word(at + 8);
    at += 16;
    if (size > file.size() - at) return std::cerr << path << ": cut short\n", 1;
    const auto frame = Bytes(file).subspan(at, size);
    at += size;
    if (frame.size() < link + kIpUdp || frame[link] != 0x45) continue;
    const std::size_t udp = load_be16(frame.data() + link + 24);
    print(frame.subspan(link + kIpUdp, std::min(udp - 8, frame.size() - link - kIpUdp)));
  }
  return 0;
}

void wrap(const std::string& hex_file, const std::string& path) {
  std::ifstream in(hex_file);
  Pcap pcap(path);
  for (std::string line; std::getline(in, line);) {
    const auto tab = line.find('\t');
    const auto bytes = tab == std::string::npos ? std::nullopt : from_hex(line.substr(tab + 1));
    if (bytes) pcap.add(*bytes);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "generate") return generate(words[1], std::stoull(words[2])), 0;
  if (words.size() == 2 && words[0] == "decode") return decode(words[1]);
  if (words.size() == 3 && words[0] == "wrap") return wrap(words[1], words[2]), 0;
  std::cerr << "l2tp_packets generate FILE SEED | decode FILE | wrap HEXFILE FILE\n";
  return 2;
}
