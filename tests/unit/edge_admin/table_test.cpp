#include "edge/ctl/table.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "edge/ctl/human.hpp"

namespace sluice::ctl {
namespace {

Table sample() {
  Table table({{"NAME", Align::kLeft, 3, 6}, {"N", Align::kRight, 2}, {"NOTE", Align::kLeft, 1, 8}});
  table.add({{"short"}, {"1"}, {"fine"}});
  table.add({{"a-rather-long-name"}, {"12345", Colour::kBad}, {"also rather long"}});
  return table;
}
std::size_t widest_line(const std::string& text) {
  std::istringstream in(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(in, line);) widest = std::max(widest, line.size());
  return widest;
}

TEST(Table, AlignsColumnsWithoutTrailingBlanks) {
  EXPECT_EQ(sample().render({}).text,
            "NAME                    N  NOTE\n"
            "short                   1  fine\n"
            "a-rather-long-name  12345  also rather long\n");
}

TEST(Table, CutsLongTextsBeforeItDropsColumns) {
  const auto out = sample().render({30, false});
  EXPECT_EQ(out.hidden, 0u);
  EXPECT_EQ(out.text,
            "NAME            N  NOTE\n"
            "short           1  fine\n"
            "a-rathe...  12345  also rat...\n");
}

TEST(Table, DropsTheLeastImportantColumnsFirst) {
  const auto out = sample().render({14, false});
  EXPECT_EQ(out.hidden, 1u);
  EXPECT_EQ(out.text,
            "NAME         N\n"
            "short        1\n"
            "a-ra...  12345\n");
  EXPECT_EQ(sample().render({8, false}).hidden, 2u);
}

TEST(Table, NeverExceedsTheTerminalWhereItCanHelpIt) {
  for (std::size_t width = 6; width < 60; ++width) {
    EXPECT_LE(widest_line(sample().render({width, false}).text), width);
  }
}

TEST(Table, ColoursOnlyWhereAsked) {
  EXPECT_EQ(sample().render({0, false}).text.find('\x1b'), std::string::npos);
  const auto coloured = sample().render({0, true}).text;
  EXPECT_NE(coloured.find("\x1b[31m12345\x1b[0m"), std::string::npos);
}

TEST(Human, BytesAndCounts) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1000), "1.0 kB");
  EXPECT_EQ(bytes_text(9'999), "9.9 kB");
  EXPECT_EQ(bytes_text(12'345'678), "12 MB");
  EXPECT_EQ(bytes_text(999'999'999), "999 MB");
  EXPECT_EQ(bytes_text(UINT64_MAX), "18 EB");
  EXPECT_EQ(count_text(12'345), "12k");
}

TEST(Human, Durations) {
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(59), "59s");
  EXPECT_EQ(duration_text(60), "1m 00s");
  EXPECT_EQ(duration_text(3'599), "59m 59s");
  EXPECT_EQ(duration_text(3'600), "1h 00m");
  EXPECT_EQ(duration_text(100 * 3'600), "4d 4h");
  EXPECT_EQ(delay_text(830), "830us");
  EXPECT_EQ(delay_text(1'250), "1.2ms");
  EXPECT_EQ(delay_text(35'000), "35ms");
  EXPECT_EQ(delay_text(1'300'000), "1.3s");
  EXPECT_EQ(permille_text(5), "0.5%");
  EXPECT_EQ(permille_text(375), "37%");
}

}  // namespace
}  // namespace sluice::ctl
