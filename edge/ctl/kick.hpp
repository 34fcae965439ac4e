#pragma once
// `sluicectl kick`: ends clients' tunnels in good order.

#include "edge/ctl/command.hpp"

namespace sluice::ctl {

class KickCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.kick/1"}; }

 private:
  /// Nothing when a filter is no KEY=VALUE.
  std::optional<vici::Message> arguments(bool dry_run) const;
  int print(const Conversation& with, const Answer& answer) const;

  std::vector<std::string> where_;
  bool all_ = false, yes_ = false, dry_run_ = false;
  std::uint32_t rate_ = 10;
  std::string reason_;
};

}  // namespace sluice::ctl
