#pragma once
// A pre-shared key to hand to users: strong, and one can read it out and type it on a telephone.

#include "base/random.hpp"
#include "base/secret.hpp"
#include "edge/ctl/command.hpp"

namespace sluice::ctl {

/// 140 random bits as seven groups of four characters out of 32, without those that look alike.
Secret generate_psk(RandomSource& random);
/// A user's password of the same kind: 80 bits, four groups.
Secret generate_password(RandomSource& random);

/// `sluicectl psk generate`
class PskCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.psk/1"}; }
};

}  // namespace sluice::ctl
