#pragma once
// `sluicectl log`: the log's levels by module, and another level for a time.

#include <string>

#include "edge/ctl/command.hpp"

namespace sluice::ctl {

class LogCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.log/1"}; }

 private:
  int set(const Conversation& with) const;
  int show(const Conversation& with) const;

  std::string module_, level_;
  std::string time_ = "10m";
};

}  // namespace sluice::ctl
