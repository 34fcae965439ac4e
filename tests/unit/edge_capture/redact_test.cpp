#include "edge/capture/redact.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::edge {
namespace {

ByteVector bytes(std::initializer_list<std::string_view> parts) {
  ByteVector out;
  for (const auto part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

/// Code, identifier, a right Length, and the data.
ByteVector packet(std::string_view protocol, char code, std::string_view data) {
  const auto length = static_cast<std::uint16_t>(4 + data.size());
  const char header[] = {code, 7, static_cast<char>(length >> 8), static_cast<char>(length)};
  return bytes({protocol, std::string_view(header, 4), data});
}

std::string redacted(ByteVector frame) {
  const auto size = frame.size();
  redact_ppp(frame);
  EXPECT_EQ(frame.size(), size);
  return std::string(as_text(frame));
}

constexpr std::string_view kPap("\xff\x03\xc0\x23", 4), kChap("\xc2\x23", 2), kEap("\xc2\x27", 2),
    kLcp("\xc0\x21", 2);

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Redact, PapKeepsTheUserAndTheLengthOfThePassword) {
  const auto out = redacted(packet(kPap, 1,
                                   "\x05"
                                   "alice"
                                   "\x06"
                                   "secret"));
  EXPECT_TRUE(holds(out,
                    "\x05"
                    "alice"
                    "\x06"
                    "******"));
  EXPECT_FALSE(holds(out, "secret"));
}

TEST(Redact, PapAnswersStay) {
  EXPECT_TRUE(holds(redacted(packet(kPap, 3,
                                    "\x05"
                                    "wrong")),
                    "wrong"));
}

TEST(Redact, PapWithWrongLengthsIsBlankedWhole) {
  EXPECT_FALSE(holds(redacted(packet(kPap, 1,
                                     "\xff"
                                     "alice"
                                     "\x06"
                                     "secret")),
                     "secret"));
  auto frame = packet(kPap, 1,
                      "\x05"
                      "alice"
                      "\x06"
                      "secret");
  for (const char length : {'\x00', '\x03', '\x7f'}) {
    frame[7] = static_cast<std::uint8_t>(length);
    EXPECT_FALSE(holds(redacted(frame), "secret"));
  }
  // What lies behind Length is read by nobody, and sent all the same.
  frame[7] = 10;
  EXPECT_FALSE(holds(redacted(frame), "secret"));
}

TEST(Redact, ChapKeepsNamesAndBlanksValues) {
  for (const char code : {'\x01', '\x02'}) {
    const auto out = redacted(packet(kChap, code,
                                     "\x10"
                                     "0123456789abcdefalice"));
    EXPECT_TRUE(holds(out, "****************alice"));
  }
  EXPECT_FALSE(holds(redacted(packet(kChap, 2,
                                     "\xf0"
                                     "0123456789abcdefalice")),
                     "0123"));
  EXPECT_FALSE(holds(redacted(packet(kChap, 7, "0123456789abcdefalice")), "0123"));
}

TEST(Redact, MsChapMessagesKeepWordsAndLoseHex) {
  const auto success =
      redacted(packet(kChap, 3, "S=0123456789ABCDEF0123456789ABCDEF01234567 M=Access granted"));
  EXPECT_TRUE(holds(success, "M=Access granted"));
  EXPECT_TRUE(holds(success, "S=****"));
  const auto failure = redacted(packet(kChap, 4, "E=691 R=1 C=0123456789abcdef0123456789abcdef V=3"));
  EXPECT_TRUE(holds(failure, "E=691 R=1 C=*"));
  EXPECT_FALSE(holds(failure, "0123"));
}

TEST(Redact, EapKeepsIdentitiesAndTypes) {
  EXPECT_TRUE(holds(redacted(packet(kEap, 2,
                                    "\x01"
                                    "alice")),
                    "alice"));
  EXPECT_TRUE(holds(redacted(packet(kEap, 2,
                                    std::string_view("\x04\x10"
                                                     "hash-of-password",
                                                     18))),
                    "\x04****"));
  EXPECT_FALSE(holds(redacted(packet(kEap, 9, "\x04hash")), "hash"));
}

TEST(Redact, ProtocolsOfTheLinkThatAreNotKnownAreBlanked) {
  EXPECT_FALSE(holds(redacted(packet("\xc0\x27", 1, "secret of SPAP")), "secret"));
  EXPECT_FALSE(holds(redacted(packet("\xc2\x81", 1, "secret of something")), "secret"));
  EXPECT_FALSE(holds(redacted(packet(std::string_view("\x00\x3d", 2), 1, "secret in a fragment")), "secret"));
}

TEST(Redact, RejectedPapIsBlankedToo) {
  const auto pap = packet("\xc0\x23", 1,
                          "\x05"
                          "alice"
                          "\x06"
                          "secret");
  const auto out = redacted(packet(kLcp, 8, as_text(pap)));
  EXPECT_TRUE(holds(out, "alice"));
  EXPECT_FALSE(holds(out, "secret"));
  auto nested = pap;
  for (int i = 0; i < 6; ++i) nested = packet(kLcp, 8, as_text(nested));
  EXPECT_FALSE(holds(redacted(nested), "secret"));
}

TEST(Redact, EverythingElseStaysAsItIs) {
  for (const auto& frame :
       {packet(std::string_view("\x00\x21", 2), 'E', "an IP packet: secret"),
        packet(std::string_view("\x21", 1), 'E', "one more"), packet(kLcp, 1, "\x03\x04\xc0\x23"),
        packet(std::string_view("\x80\x21", 2), 1, "IPCP"), ByteVector{}, ByteVector{0xff},
        ByteVector{0xc0}}) {
    EXPECT_EQ(redacted(frame), as_text(frame));
  }
}

TEST(Redact, TruncatedAndFlippedFramesNeverShowThePassword) {
  const auto whole = packet(kPap, 1,
                            "\x05"
                            "alice"
                            "\x06"
                            "secret");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    redacted(ByteVector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  // A flipped bit in address, control or protocol makes it another protocol; behind them it is PAP still.
  for (std::size_t bit = 32; bit < whole.size() * 8; ++bit) {
    auto frame = whole;
    frame[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const bool answer = frame[4] == 2 || frame[4] == 3;
    if (answer || (frame[8] & 0xf8) != 0) continue;
    EXPECT_FALSE(holds(redacted(frame), "secret")) << bit;
  }
}

ByteVector control(std::initializer_list<std::string_view> avps) {
  auto out = bytes({std::string_view("\xc8\x02\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00", 12)});
  for (const auto avp : avps) out.insert(out.end(), avp.begin(), avp.end());
  store_be16(out.data() + 2, static_cast<std::uint16_t>(out.size()));
  return out;
}

TEST(Redact, ControlMessagesLoseChallengesAndWhatIsHidden) {
  using namespace std::string_view_literals;
  auto packet = control({"\x80\x08\x00\x00\x00\x00\x00\x01"sv, "\x80\x0a\x00\x00\x00\x07host"sv,
                         "\x80\x0f\x00\x00\x00\x0b"
                         "challenge"sv,
                         "\xc0\x0c\x00\x00\x00\x09hidden"sv, "\x00\x0c\x00\x09\x00\x01vendor"sv});
  const auto size = packet.size();
  redact_l2tp(packet);
  const std::string out(as_text(packet));
  EXPECT_EQ(out.size(), size);
  EXPECT_TRUE(holds(out, "host"));
  for (const auto* word : {"challenge", "hidden", "vendor"}) EXPECT_FALSE(holds(out, word)) << word;
}

TEST(Redact, ControlMessagesThatAreBrokenAreBlankedFromThere) {
  using namespace std::string_view_literals;
  auto packet = control({"\x80\x08\x00\x00\x00\x00\x00\x01"sv,
                         "\x83\xff\x00\x00\x00\x0b"
                         "challenge"sv});
  redact_l2tp(packet);
  EXPECT_FALSE(holds(std::string(as_text(packet)), "challenge"));
}

TEST(Redact, DataMessagesAreReadAsPpp) {
  const auto pap = packet(kPap, 1,
                          "\x05"
                          "alice"
                          "\x06"
                          "secret");
  for (const auto header : {std::string_view("\x00\x02\x00\x05\x00\x06", 6),
                            std::string_view("\x02\x02\x00\x05\x00\x06\x00\x02\x00\x00", 10)}) {
    auto out = bytes({header, as_text(pap)});
    redact_l2tp(out);
    EXPECT_TRUE(holds(std::string(as_text(out)), "alice\x06******"));
  }
}

TEST(Redact, WhatIsNoL2tpIsBlanked) {
  auto packet = bytes({std::string_view("\x00\x03\x00\x05\x00\x06", 6), "version 3 with a secret"});
  redact_l2tp(packet);
  EXPECT_FALSE(holds(std::string(as_text(packet)), "secret"));
  ByteVector nothing;
  redact_l2tp(nothing);
}

}  // namespace
}  // namespace sluice::edge
