// Forges first messages of IKE handshakes, Main Mode and IKE_SA_INIT by turns, from many made-up addresses:
// what the edge must bear. For the lab: it sends into the network namespace that it is started in.
//   ike_flood --to 203.0.113.1 --from 198.18.0.1 --sources 10000 --rate 20000 --seconds 30
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

#include "base/app/system_random.hpp"
#include "base/app/unique_fd.hpp"
#include "base/ip.hpp"
#include "edge/probe/ike_message.hpp"

namespace {

using namespace sluice;

constexpr std::size_t kIpHeader = 20, kUdpHeader = 8;
constexpr std::uint16_t kIkePort = 500;

std::uint16_t checksum(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += load_be16(bytes.data() + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

/// A Main Mode message 1: one proposal that charon takes (RFC 2408 §3.4 to §3.6), and vendor ids as clients
/// send.
ByteVector main_mode(std::uint64_t spi) {
  static const ByteVector kTransform{0,    0,  0, 36, 1,    1,  0, 0, 0x80, 1,  0,    7,
                                     0x80, 14, 1, 0,  0x80, 2,  0, 4, 0x80, 4,  0,    14,
                                     0x80, 3,  0, 1,  0x80, 11, 0, 1, 0x80, 12, 0x70, 0x80};
  static const ByteVector kNatTraversal{0,    0,    0,    20,   0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03,
                                        0x58, 0x45, 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f};
  constexpr std::size_t kProposal = 8, kSa = 12, kVendorIds = 6;
  const std::size_t sa = kSa + kProposal + kTransform.size();
  ByteVector out(28 + sa + kVendorIds * kNatTraversal.size());
  ByteWriter to(out);
  to.u64(spi);
  to.u64(0);
  to.u8(1);
  to.u8(0x10);
  to.u8(2);
  to.u8(0);
  to.u32(0);
  to.u32(static_cast<std::uint32_t>(out.size()));
  to.u8(13);  // vendor ids follow
  to.u8(0);
  to.u16(static_cast<std::uint16_t>(sa));
  to.u32(1);  // IPsec DOI
  to.u32(1);  // identity only
  to.u16(0);
  to.u16(static_cast<std::uint16_t>(kProposal + kTransform.size()));
  to.u8(1);
  to.u8(1);  // ISAKMP
  to.u8(0);
  to.u8(1);
  to.bytes(kTransform);
  for (std::size_t i = 0; i < kVendorIds; ++i) {
    const std::size_t at = to.size();
    to.bytes(kNatTraversal);
    out[at] = i + 1 < kVendorIds ? 13 : 0;
  }
  return out;
}

struct Plan {
  std::string to, from;
  std::uint32_t sources = 10'000, rate = 20'000, seconds = 30;
};

class Flood {
 public:
  explicit Flood(const Plan& plan) : plan_(plan), fd_(::socket(AF_INET, SOCK_RAW, IPPROTO_RAW)) {
    const auto to = IpAddress::parse(plan.to), from = IpAddress::parse(plan.from);
    if (!fd_ || !to || !from) throw std::runtime_error("needs root and IPv4 addresses");
    target_ = to->to_v4();
    first_ = from->to_v4();
  }

  void run() {
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    const std::uint64_t all = std::uint64_t{plan_.rate} * plan_.seconds;
    while (sent_ + failed_ < all) {
      const double passed = std::chrono::duration<double>(clock::now() - start).count();
      const auto due = std::min(all, static_cast<std::uint64_t>(passed * plan_.rate));
      while (sent_ + failed_ < due) send_one();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const double took = std::chrono::duration<double>(clock::now() - start).count();
    std::printf("{\"sent\": %llu, \"failed\": %llu, \"seconds\": %.2f}\n",
                static_cast<unsigned long long>(sent_), static_cast<unsigned long long>(failed_), took);
  }

 private:
  void send_one() {
    const std::uint64_t spi = (std::uint64_t{dice_()} << 32 | dice_()) | 1;
    ByteVector message;
    if ((sent_ & 1) != 0) {
      init_.initiator_spi = spi;
      message = edge::write_sa_init(init_);
    } else {
      message = main_mode(spi);
    }
    ByteVector packet(kIpHeader + kUdpHeader + message.size());
    ByteWriter out(packet);
    out.u16(0x4500);
    out.u16(static_cast<std::uint16_t>(packet.size()));
    out.u32(0);
    out.u8(64);
    out.u8(IPPROTO_UDP);
    out.u16(0);
    out.u32(first_ + static_cast<std::uint32_t>(dice_() % plan_.sources));
    out.u32(target_);
    store_be16(packet.data() + 10, checksum(Bytes(packet).first(kIpHeader)));
    out.u16(kIkePort);
    out.u16(kIkePort);
    out.u16(static_cast<std::uint16_t>(kUdpHeader + message.size()));
    out.u16(0);  // no checksum (RFC 768)
    out.bytes(message);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(target_);
    const auto done =
        ::sendto(fd_.get(), packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    ++(done < 0 ? failed_ : sent_);
  }

  Plan plan_;
  app::UniqueFd fd_;
  std::uint32_t target_ = 0, first_ = 0;
  std::uint64_t sent_ = 0, failed_ = 0;
  std::mt19937 dice_{std::random_device{}()};
  edge::SaInit init_ = [] {
    app::SystemRandom random;
    return edge::random_sa_init(random);
  }();
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{"Floods an edge of the lab with first messages of IKE from made-up addresses"};
  Plan plan;
  cli.add_option("--to", plan.to)->required();
  cli.add_option("--from", plan.from, "the first of the made-up addresses")->required();
  cli.add_option("--sources", plan.sources)->check(CLI::Range(1, 1 << 20));
  cli.add_option("--rate", plan.rate, "a second")->check(CLI::Range(1, 1'000'000));
  cli.add_option("--seconds", plan.seconds)->check(CLI::Range(1, 3600));
  CLI11_PARSE(cli, argc, argv);
  try {
    Flood(plan).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ike_flood: %s\n", error.what());
    return 1;
  }
  return 0;
}
