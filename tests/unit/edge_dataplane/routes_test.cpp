#include "edge/dataplane/routes.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace sluice::edge {
namespace {

TEST(Routes, AgreesWithAMapUnderRandomChanges) {
  std::mt19937 dice(1);
  std::vector<int> relays(40);
  Routes<int> routes;
  std::map<std::pair<std::uint16_t, std::uint16_t>, int*> model;
  for (int step = 0; step < 20'000; ++step) {
    const auto tunnel = static_cast<std::uint16_t>(1 + dice() % 6),
               port = static_cast<std::uint16_t>(dice() % 4);
    auto* relay = &relays[dice() % relays.size()];
    const bool known =
        std::any_of(model.begin(), model.end(), [&](const auto& row) { return row.second == relay; });
    if (known) {
      routes.remove(relay);
      std::erase_if(model, [&](const auto& row) { return row.second == relay; });
    } else if (!model.contains({tunnel, port})) {
      routes.add(TunnelId(tunnel), port, relay);
      model[{tunnel, port}] = relay;
    }
    ASSERT_EQ(routes.size(), model.size());
    ASSERT_EQ(routes.empty(), model.empty());
    ASSERT_EQ(routes.likeliest() == nullptr, model.empty());
    std::set<int*> visited;
    routes.for_each([&](int& relay_of) { ASSERT_TRUE(visited.insert(&relay_of).second); });
    ASSERT_EQ(visited.size(), model.size());
    for (std::uint16_t t = 0; t < 8; ++t) {
      for (std::uint16_t p = 0; p < 5; ++p) {
        const auto at = model.find({t, p});
        ASSERT_EQ(routes.find(TunnelId(t), p), at == model.end() ? nullptr : at->second);
      }
    }
  }
}

}  // namespace
}  // namespace sluice::edge
