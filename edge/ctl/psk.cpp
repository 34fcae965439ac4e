#include "edge/ctl/psk.hpp"

#include <string_view>

#include "base/app/system_random.hpp"

namespace sluice::ctl {
namespace {

// 32, so that five bits choose evenly. No 0 and o, no 1 and l.
constexpr std::string_view kLetters = "abcdefghijkmnpqrstuvwxyz23456789";
static_assert(kLetters.size() == 32);
constexpr std::size_t kPskGroups = 7, kPasswordGroups = 4, kGroup = 4;

Secret generate(RandomSource& random, std::size_t groups) {
  Secret out(groups * (kGroup + 1) - 1);
  random.fill(out.mutable_bytes());
  std::size_t at = 0;
  for (auto& byte : out.mutable_bytes()) {
    const bool joint = at++ % (kGroup + 1) == kGroup;
    byte = static_cast<std::uint8_t>(joint ? '-' : kLetters[byte % kLetters.size()]);
  }
  return out;
}

}  // namespace

Secret generate_psk(RandomSource& random) {
  return generate(random, kPskGroups);
}

Secret generate_password(RandomSource& random) {
  return generate(random, kPasswordGroups);
}

CLI::App* PskCommand::add_to(CLI::App& app) {
  auto* psk = app.add_subcommand("psk", "pre-shared keys");
  psk->require_subcommand(1);
  examples(*psk, {"psk generate"});
  examples(*psk->add_subcommand("generate", "prints a new one, strong and fit to be typed"),
           {"psk generate"});
  return psk;
}

int PskCommand::run(const Conversation& with) {
  app::SystemRandom random;
  const auto psk = generate_psk(random);
  if (with.json) {
    with.print("sluice.psk/1", {{"psk", psk.text()}});
  } else {
    with.to.out << psk.text() << "\n";
  }
  return kOk;
}

}  // namespace sluice::ctl
