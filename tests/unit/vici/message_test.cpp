#include "vici/message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace sluice::vici {
namespace {

// The encoding example of the vici plugin's README.
Message example() {
  Message message;
  message.add("key1", "value1");
  auto& section = message.open("section1");
  section.open("sub-section").add("key2", "value2");
  section.add_list("list1", {"item1", "item2"});
  return message;
}
const ByteVector kExample = [] {
  const char raw[] =
      "\x03\x04key1\x00\x06value1"
      "\x01\x08section1"
      "\x01\x0bsub-section"
      "\x03\x04key2\x00\x06value2"
      "\x02"
      "\x04\x05list1"
      "\x05\x00\x05item1"
      "\x05\x00\x05item2"
      "\x06"
      "\x02";
  const auto bytes = as_bytes(std::string_view(raw, sizeof raw - 1));
  return ByteVector(bytes.begin(), bytes.end());
}();

MessageFault fault_of(std::string_view hex) {
  const auto parsed = parse_message(from_hex(hex).value());
  EXPECT_FALSE(parsed.ok());
  return parsed.ok() ? MessageFault::kCount : parsed.error().fault;
}

TEST(ViciMessage, EncodesTheDocumentedExample) {
  const auto encoded = encode(example());
  ASSERT_TRUE(encoded.ok());
  EXPECT_EQ(to_hex(encoded.value()), to_hex(kExample));
}

TEST(ViciMessage, ParsesTheDocumentedExample) {
  const auto parsed = parse_message(kExample);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value(), example());
  EXPECT_EQ(parsed.value().section("section1")->section("sub-section")->get("key2"), "value2");
  EXPECT_THAT(*parsed.value().section("section1")->list("list1"), testing::ElementsAre("item1", "item2"));
}

TEST(ViciMessage, KeepsOrderAndRepeatedNames) {
  Message message;
  message.add("a", "1").add("b", "2").add("a", "3").add_list("a", {});
  message.open("a");
  const auto encoded = encode(message);
  ASSERT_TRUE(encoded.ok());
  const auto parsed = parse_message(encoded.value());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value(), message);
  ASSERT_EQ(parsed.value().entries().size(), 5u);
  EXPECT_EQ(parsed.value().entries()[2].text()->view(), "3");
  EXPECT_EQ(parsed.value().get("a"), "1");
  EXPECT_NE(parsed.value().list("a"), nullptr);
  EXPECT_NE(parsed.value().section("a"), nullptr);
}

TEST(ViciMessage, CarriesAnyBytesInValues) {
  ByteVector all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  Message message;
  message.add_bytes("blob", all).add("empty", "");
  const auto parsed = parse_message(encode(message).value());
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(equal(parsed.value().entries()[0].text()->bytes(), all));
  EXPECT_EQ(parsed.value().value("empty"), "");
}

TEST(ViciMessage, EveryTruncationIsAFaultOrAShorterMessage) {
  for (std::size_t cut = 0; cut < kExample.size(); ++cut) {
    const auto parsed = parse_message(Bytes(kExample).first(cut));
    // Only between two top level elements is a prefix whole.
    EXPECT_EQ(parsed.ok(), cut == 0 || cut == 14) << cut;
  }
}

TEST(ViciMessage, EverySingleBitFlipParsesAsItEncodesOrIsAFault) {
  for (std::size_t bit = 0; bit < kExample.size() * 8; ++bit) {
    auto flipped = kExample;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    const auto parsed = parse_message(flipped);
    if (!parsed.ok()) continue;
    EXPECT_TRUE(equal(encode(parsed.value()).value(), flipped)) << bit;
  }
}

TEST(ViciMessage, NamesTheFault) {
  EXPECT_EQ(fault_of("03 05 61"), MessageFault::kTruncated);
  EXPECT_EQ(fault_of("03 01 61 00 05 62"), MessageFault::kTruncated);
  EXPECT_EQ(fault_of("00"), MessageFault::kUnknownElement);
  EXPECT_EQ(fault_of("07"), MessageFault::kUnknownElement);
  EXPECT_EQ(fault_of("02"), MessageFault::kSectionEnd);
  EXPECT_EQ(fault_of("01 01 61"), MessageFault::kSectionOpen);
  EXPECT_EQ(fault_of("05 00 01 61"), MessageFault::kNotInList);
  EXPECT_EQ(fault_of("06"), MessageFault::kNotInList);
  EXPECT_EQ(fault_of("04 01 61 03 01 61 00 00 06"), MessageFault::kInsideList);
  EXPECT_EQ(fault_of("04 01 61 04 01 62 06 06"), MessageFault::kInsideList);
  EXPECT_EQ(fault_of("04 01 61 02"), MessageFault::kInsideList);
  EXPECT_EQ(fault_of("04 01 61 05 00 00"), MessageFault::kListOpen);
}

TEST(ViciMessage, ErrorSaysWhere) {
  const auto parsed = parse_message(from_hex("03 01 61 00 00 09").value());
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().to_string(), "an unknown element type at byte 5");
}

TEST(ViciMessage, BoundsNestingBothWays) {
  ByteVector deep;
  for (std::size_t i = 0; i <= kMaxDepth; ++i) deep.insert(deep.end(), {1, 0});
  const auto parsed = parse_message(deep);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().fault, MessageFault::kTooDeep);

  Message message;
  Message* at = &message;
  for (std::size_t i = 0; i < kMaxDepth; ++i) at = &at->open("s");
  const auto deepest = encode(message);
  ASSERT_TRUE(deepest.ok());
  EXPECT_TRUE(parse_message(deepest.value()).ok());
  at->open("s");
  EXPECT_EQ(encode(message).error().fault, MessageFault::kTooDeep);
}

TEST(ViciMessage, RefusesToEncodeWhatDoesNotFit) {
  const std::string longest_name(255, 'n');
  const std::string longest_value(65535, 'v');
  EXPECT_TRUE(encode(Message().add(longest_name, longest_value)).ok());
  EXPECT_EQ(encode(Message().add(longest_name + "n", "v")).error().fault, MessageFault::kNameTooLong);
  EXPECT_EQ(encode(Message().add("n", longest_value + "v")).error().fault, MessageFault::kValueTooLong);
  Message large;
  for (int i = 0; i < 9; ++i) large.add("n", longest_value);
  EXPECT_EQ(encode(large).error().fault, MessageFault::kMessageTooLong);
}

TEST(ViciMessage, ReadsTypedValues) {
  Message message;
  message.add("n", std::uint64_t{18446744073709551615ULL})
      .add("neg", -1)
      .add("spi", "c0ffee01")
      .add("yes", true);
  message.add("no", false).add("word", "maybe").add("blank", "");
  EXPECT_EQ(message.number("n"), 18446744073709551615ULL);
  EXPECT_EQ(message.number("neg"), std::nullopt);
  EXPECT_EQ(message.number("spi"), std::nullopt);
  EXPECT_EQ(message.number("spi", 16), 0xc0ffee01u);
  EXPECT_EQ(message.number("blank"), std::nullopt);
  EXPECT_EQ(message.number("absent"), std::nullopt);
  EXPECT_EQ(message.flag("yes"), true);
  EXPECT_EQ(message.flag("no"), false);
  EXPECT_EQ(message.flag("word"), std::nullopt);
  EXPECT_EQ(message.get("absent", "otherwise"), "otherwise");
}

TEST(ViciMessage, PrintsEscapedAndHidesSecrets) {
  Message message;
  message.add("id", "a\x1b[2Jb");
  message.add_secret("data", as_bytes("correct horse"));
  message.open("s").add_list("l", {"x", "y\n"});
  EXPECT_EQ(message.to_text(), R"(id = a\x1b[2Jb
data = (hidden)
s {
  l = [ "x" "y\x0a" ]
}
)");
}

TEST(ViciMessage, CopiesAreIndependent) {
  Message message;
  message.add_secret("data", as_bytes("correct horse"));
  Message copy = message;
  copy.add("more", "1");
  message = Message();
  EXPECT_EQ(copy.get("data"), "correct horse");
  EXPECT_TRUE(copy.entries()[0].text()->secret());
  EXPECT_TRUE(message.empty());
}

}  // namespace
}  // namespace sluice::vici
