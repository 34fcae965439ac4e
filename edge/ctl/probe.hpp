#pragma once
// `sluicectl probe`: tries out an agent, or the edge's IKE.

#include "edge/ctl/command.hpp"

namespace sluice::ctl {

class ProbeCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.probe/1", "sluice.probe-ike/1"}; }

 private:
  int backend(const Conversation& with) const;
  int ike(const Conversation& with) const;

  std::string name_;  ///< the agent's
  bool probes_ike_ = false;
};

}  // namespace sluice::ctl
