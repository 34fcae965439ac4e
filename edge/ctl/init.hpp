#pragma once
// `sluicectl init`: from a few answers, or flags, to a working edge and its agents. No daemon.

#include <optional>
#include <string>
#include <vector>

#include "edge/ctl/command.hpp"
#include "edge/ctl/init_work.hpp"
#include "edge/ctl/machine.hpp"

namespace sluice::ctl {

class InitCommand final : public Command {
 public:
  explicit InitCommand(Machine (*machine)() = this_machine) : machine_(machine) {}
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.init/1"}; }

 private:
  struct Item;
  std::vector<Item> items(const Machine& machine);
  std::optional<int> settle(const Item& item, const Conversation& with) const;
  void show(const Conversation& with, const InitOutcome& outcome, const std::vector<InitStep>& steps) const;

  Machine (*machine_)();
  std::string folder_ = kUsualFolder;
  bool yes_ = false, all_in_one_ = false;
  std::string edge_, channel_, pool_;
  std::vector<std::string> addresses_, agents_, dns_, users_;
  InitPlan plan_;
};

}  // namespace sluice::ctl
