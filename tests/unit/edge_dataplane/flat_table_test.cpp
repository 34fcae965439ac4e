#include "edge/dataplane/flat_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace sluice::edge {
namespace {

// A map beside it: whatever is inserted and erased, both find the same.
TEST(FlatTable, AgreesWithAMapUnderRandomChanges) {
  std::mt19937 random(7);
  std::array<int, 97> values{};
  FlatTable<int> table(4);
  std::map<std::uint32_t, int*> model;
  for (int step = 0; step < 200'000; ++step) {
    // Few keys, so that probe sequences run into each other and wrap around.
    const std::uint32_t key = static_cast<std::uint32_t>(random() % 300);
    if (random() % 2 == 0) {
      int* value = &values[random() % values.size()];
      table.insert(key, value);
      model[key] = value;
    } else {
      EXPECT_EQ(table.erase(key), model.erase(key) == 1);
    }
    const std::uint32_t probe = static_cast<std::uint32_t>(random() % 300);
    const auto expected = model.find(probe);
    ASSERT_EQ(table.find(probe), expected == model.end() ? nullptr : expected->second) << "step " << step;
    ASSERT_EQ(table.size(), model.size());
  }
}

}  // namespace
}  // namespace sluice::edge
