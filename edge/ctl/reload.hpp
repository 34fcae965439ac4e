#pragma once
// `sluicectl reload`.

#include "edge/ctl/command.hpp"

namespace sluice::ctl {

class ReloadCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.reload/1"}; }

 private:
  bool dry_run_ = false;
};

}  // namespace sluice::ctl
