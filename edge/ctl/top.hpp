#pragma once
// `sluicectl top`: the edge at work, drawn anew every few seconds.

#include "edge/ctl/command.hpp"

namespace sluice::ctl {

class TopCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.top/1"}; }

 private:
  bool once_ = false;
  double interval_ = 2;      ///< seconds
  std::uint64_t count_ = 0;  ///< frames; 0: until it is ended
};

}  // namespace sluice::ctl
