// Captures, malformed ones among them, through every parser and through sessions in every phase.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "ppp/mss_clamp.hpp"
#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp {
namespace {

ByteVector slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
std::uint32_t little32(Bytes b, std::size_t at) {
  return b[at] | (std::uint32_t{b[at + 1]} << 8) | (std::uint32_t{b[at + 2]} << 16) |
         (std::uint32_t{b[at + 3]} << 24);
}

/// The packets of a little-endian pcap file; a cut last one is given as far as it goes.
std::vector<ByteVector> packets_of(const std::filesystem::path& path) {
  const ByteVector file = slurp(path);
  std::vector<ByteVector> out;
  const bool ethernet = file.size() >= 24 && little32(file, 20) == 1;
  for (std::size_t at = 24; at + 16 <= file.size();) {
    const std::size_t size = std::min<std::size_t>(little32(file, at + 8), file.size() - at - 16);
    const auto begin = file.begin() + static_cast<std::ptrdiff_t>(at + 16);
    // PPP over Ethernet: 14 octets of Ethernet, 6 of PPPoE, then a frame without address and control.
    const std::size_t skip = ethernet ? std::min<std::size_t>(20, size) : 0;
    out.emplace_back(begin + static_cast<std::ptrdiff_t>(skip), begin + static_cast<std::ptrdiff_t>(size));
    at += 16 + size;
  }
  return out;
}

std::vector<ByteVector> all_packets() {
  std::vector<ByteVector> out;
  for (const auto& entry : std::filesystem::directory_iterator(SLUICE_VECTORS "/ppp")) {
    if (entry.path().extension() != ".pcap") continue;
    for (auto& packet : packets_of(entry.path())) out.push_back(std::move(packet));
  }
  return out;
}

void drain(PppSession& session) {
  while (session.poll_transmit()) continue;
  while (session.poll_event()) continue;
}

/// One frame into a new session that waits for LCP, one that waits for proof, and one that is up.
void through_every_phase(const ByteVector& frame) {
  test::Lone fresh;
  fresh.feed(frame);
  drain(fresh.session);
  test::Lone asking;
  asking.open_lcp();
  asking.feed(frame);
  drain(asking.session);
  ByteVector copy = frame;
  clamp_mss(copy, 1400);
}

TEST(Captures, ArePresent) {
  EXPECT_GE(all_packets().size(), 9U);
}

TEST(Captures, EveryTruncationAndBitFlipIsHandledInEveryPhase) {
  for (const auto& packet : all_packets()) {
    const ByteVector head(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(
                                                               std::min<std::size_t>(packet.size(), 160)));
    through_every_phase(packet);
    for (std::size_t cut = 0; cut < head.size(); ++cut) {
      through_every_phase({head.begin(), head.begin() + static_cast<std::ptrdiff_t>(cut)});
    }
    for (std::size_t bit = 0; bit < head.size() * 8; bit += 3) {
      ByteVector flipped = head;
      flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
      through_every_phase(flipped);
    }
  }
}

TEST(Captures, AnEstablishedLinkSurvivesThemAll) {
  test::Pair pair(test::client_config(), test::server_config());
  pair.start();
  ASSERT_TRUE(pair.run_until_up());
  for (const auto& packet : all_packets()) {
    ByteVector copy = packet;
    EXPECT_TRUE(pair.server_session.on_frame(copy, pair.now).empty());
    drain(pair.server_session);
  }
}

/// Real dialogues recorded between our own ends: each frame, cut and flipped, in every phase.
TEST(Captures, OwnFramesCutAndFlippedAreHandled) {
  test::Lone lone;
  std::vector<ByteVector> frames = lone.sent();
  lone.open_lcp();
  for (auto& f : lone.sent_on_open) frames.push_back(f);
  frames.push_back(test::control_frame(kIpcp, 1, 1, ByteVector{3, 6, 0, 0, 0, 0, 129, 6, 0, 0, 0, 0}));
  frames.push_back(test::control_frame(kPapProtocol, 1, 1, ByteVector{1, 'u', 1, 'p'}));
  for (const auto& frame : frames) {
    for (std::size_t cut = 0; cut < frame.size(); ++cut) {
      through_every_phase({frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(cut)});
    }
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      ByteVector flipped = frame;
      flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
      through_every_phase(flipped);
    }
  }
}

}  // namespace
}  // namespace sluice::ppp
