#pragma once
// `sluicectl stats` and `sluicectl version`.

#include "edge/ctl/command.hpp"

namespace sluice::ctl {

class StatsCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.stats/1"}; }
};

class VersionCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.version/1"}; }
};

}  // namespace sluice::ctl
