#pragma once
// `sluicectl support-bundle`: what somebody needs who looks into a fault from afar, in one file, without
// secrets.

#include "edge/ctl/command.hpp"

namespace sluice::ctl {

class BundleCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.support-bundle/1"}; }

 private:
  std::string out_;  ///< empty: a name with the date
};

}  // namespace sluice::ctl
