#include "lab/swarm/report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lab/swarm/options.hpp"

namespace sluice::swarm {
namespace {

using namespace std::chrono_literals;

Report some_report() {
  Report report;
  report.clients = 300;
  report.up = 299;
  report.connected = 400;
  report.failed = 1;
  report.lost = 100;
  report.elapsed = 12s;
  report.connecting_time = 4s;
  for (int i = 0; i < 400; ++i) report.total.add(20ms);
  report.undisturbed = {200, 1000, 1000};
  report.disturbed = {100, 500, 480};
  report.causes["the tunnel was ended: \"x\""] = 100;
  return report;
}

TEST(Report, JsonHoldsWhatScenariosAsk) {
  const auto json = nlohmann::json::parse(to_json(some_report()));
  EXPECT_EQ(json["clients"], 300);
  EXPECT_EQ(json["connects_per_second"], 100.0);
  EXPECT_EQ(json["phases"]["total"]["count"], 400);
  EXPECT_NEAR(json["phases"]["total"]["p99_ms"].get<double>(), 20.0, 0.4);
  EXPECT_EQ(json["echo"]["undisturbed"]["lost"], 0);
  EXPECT_EQ(json["echo"]["disturbed"]["lost"], 20);
  EXPECT_EQ(json["causes"]["the tunnel was ended: \"x\""], 100);
}

TEST(Report, TableAndProgressSayHowManyAreUp) {
  const auto report = some_report();
  EXPECT_EQ(progress_line(report),
            "12.0 s: 299 of 300 up, 0 connecting, 1 failed, 100 cut off, 400 connections, 1480 of 1500 "
            "echoes answered");
  const auto table = to_table(report);
  EXPECT_NE(table.find("300 clients: 299 up at the end"), std::string::npos) << table;
  EXPECT_NE(table.find("100 x the tunnel was ended"), std::string::npos) << table;
}

TEST(Report, RateOfNothingIsZero) {
  EXPECT_EQ(Report().rate(), 0.0);
}

TEST(Numbered, EveryPercentSignBecomesTheNumber) {
  EXPECT_EQ(numbered("user%", 12), "user12");
  EXPECT_EQ(numbered("%@r%.example", 3), "3@r3.example");
  EXPECT_EQ(numbered("same", 3), "same");
}

}  // namespace
}  // namespace sluice::swarm
