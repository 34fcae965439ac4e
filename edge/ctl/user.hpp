#pragma once
// `sluicectl user`: who may dial in, in an agent's users file. No daemon.

#include "base/result.hpp"
#include "edge/ctl/command.hpp"

namespace sluice::ctl {

/// The text of a users file with one more user; all else stays as it is, comments too. An error where the
/// text is no TOML, has the user already, or `name` or `password` cannot be written.
Result<Secret, std::string> with_user(std::string_view text, const std::string& name, const Secret& password);

class UserCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.user/1"}; }

 private:
  std::string file_ = "/etc/sluice/users.toml";
  std::string name_, password_file_;
};

}  // namespace sluice::ctl
