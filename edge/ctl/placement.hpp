#pragma once
// `sluicectl explain placement`, `sluicectl drain`, `sluicectl drains` and `sluicectl ready`.

#include <optional>
#include <string>

#include "edge/ctl/command.hpp"
#include "edge/ctl/views.hpp"

namespace sluice::ctl {

class ExplainCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.placement/1"}; }

 private:
  std::string identity_, listener_, client_, host_;
};

/// Whether new clients should come here: kOk or kFailed, and why not.
class ReadyCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.ready/1"}; }
};

/// What was typed behind `drain`.
struct DrainWords {
  std::string agent;     ///< empty: the edge
  std::string deadline;  ///< "90", "90s", "5m", "2h"; empty: none
  std::uint32_t kick_rate = 10;
  bool undo = false, wait = false;
};

/// Begins or undoes a drain; with --wait it returns when nothing is left.
class DrainCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.drain/1"}; }

 private:
  DrainWords words_;
};

/// Seconds of "90", "90s", "5m" or "2h"; nothing when it is none of these, or more than a year.
std::optional<std::uint32_t> seconds_of(std::string_view text);

}  // namespace sluice::ctl
