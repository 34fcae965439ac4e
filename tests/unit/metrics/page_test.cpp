#include "base/metrics/page.hpp"

#include <gmock/gmock.h>

#include "base/metrics/common_catalogue.hpp"
#include "base/metrics/process_figures.hpp"

namespace sluice::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Family kFamilies[] = {
    {"some_packets_total", Kind::kCounter, {"worker", "direction"}, "Packets."},
    {"some_sessions", Kind::kGauge, {}, "Sessions."},
    {"some_seconds", Kind::kHistogram, {"phase"}, "How long."},
    {"some_failures_total", Kind::kCounter, {"cause"}, "Failures."},
};
consteval const Family& row(std::string_view name) {
  return row_of(kFamilies, name);
}

TEST(MetricsPage, WritesHelpTypeAndLabelsOnce) {
  Page page;
  page.add(row("some_packets_total"), {"0", "in"}, 7);
  page.add(row("some_packets_total"), {"0", "out"}, 8);
  page.add(row("some_sessions"), 3);
  EXPECT_EQ(
      "# HELP some_packets_total Packets.\n"
      "# TYPE some_packets_total counter\n"
      "some_packets_total{worker=\"0\",direction=\"in\"} 7\n"
      "some_packets_total{worker=\"0\",direction=\"out\"} 8\n"
      "# HELP some_sessions Sessions.\n"
      "# TYPE some_sessions gauge\n"
      "some_sessions 3\n",
      page.text());
}

TEST(MetricsPage, KeepsCountsWholeFarBeyondAMillion) {
  Page page;
  page.add(row("some_packets_total"), {"0", "in"}, 123456789012345.0);
  EXPECT_THAT(page.text(), HasSubstr(" 123456789012345\n"));
}

TEST(MetricsPage, CumulatesHistogramsUpToInfinity) {
  Histogram histogram;
  histogram.observe(std::chrono::milliseconds(1));  // a bound counts for what equals it
  histogram.observe(std::chrono::milliseconds(40));
  histogram.observe(std::chrono::minutes(5));
  Page page;
  page.add(row("some_seconds"), {"ppp"}, histogram);
  const auto text = page.text();
  EXPECT_THAT(text, HasSubstr("some_seconds_count{phase=\"ppp\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("some_seconds_sum{phase=\"ppp\"} 300.041"));
  EXPECT_THAT(text, HasSubstr("some_seconds_bucket{phase=\"ppp\",le=\"0.001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("some_seconds_bucket{phase=\"ppp\",le=\"0.025\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("some_seconds_bucket{phase=\"ppp\",le=\"0.05\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("some_seconds_bucket{phase=\"ppp\",le=\"30\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("some_seconds_bucket{phase=\"ppp\",le=\"+Inf\"} 3\n"));
}

TEST(MetricsPage, EscapesLabelValues) {
  Page page;
  page.add(row("some_failures_total"), {"a\"b\\c\nd"}, 1);
  EXPECT_THAT(page.text(), HasSubstr(R"({cause="a\"b\\c\nd"} 1)"));
}

TEST(CauseCounts, TakesNoMoreCausesThanItMay) {
  CauseCounts counts;
  for (int i = 0; i < 1000; ++i) counts.add("cause-" + std::to_string(i));
  EXPECT_LE(counts.all().size(), CauseCounts::kMaxCauses + 1);
  EXPECT_EQ(1000 - CauseCounts::kMaxCauses, counts.all().at("other"));
}

TEST(CauseCounts, CountsWhatIsNoWordAsOther) {
  CauseCounts counts;
  counts.add("wrong_psk");
  counts.add("user \"bob\"");
  counts.add(std::string(300, 'x'));
  counts.add("");
  EXPECT_EQ(2U, counts.all().size());
  EXPECT_EQ(3U, counts.all().at("other"));
}

TEST(ProcessFigures, TellOfThisProcess) {
  Page page;
  add_process(page, 1700000000);
  const auto text = page.text();
  EXPECT_THAT(text, HasSubstr("process_start_time_seconds 1700000000\n"));
  EXPECT_THAT(text, HasSubstr("process_resident_memory_bytes "));
  EXPECT_THAT(text, Not(HasSubstr("process_resident_memory_bytes 0\n")));
  EXPECT_THAT(text, Not(HasSubstr("process_open_fds 0\n")));
}

}  // namespace
}  // namespace sluice::metrics
