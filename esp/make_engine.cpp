#include "esp/async_test_engine.hpp"
#include "esp/botan_engine.hpp"
#include "esp/engine.hpp"
#ifdef SLUICE_HAVE_IPSEC_MB
#include "esp/ipsec_mb_engine.hpp"
#endif

namespace sluice::esp {
namespace {

using Made = Result<std::unique_ptr<Engine>, std::string>;

/// For engines that do every suite or are not to be used.
Made complete(std::unique_ptr<Engine> engine) {
  for (const auto& s : suites()) {
    if (engine->backend(s).empty()) return Failure{"Botan gives a wrong answer for " + std::string(s.name)};
  }
  return engine;
}

Made make_ipsec_mb([[maybe_unused]] RandomSource& random) {
#ifdef SLUICE_HAVE_IPSEC_MB
  return IpsecMbEngine::create(random);
#else
  return Failure{std::string("engine ipsec_mb is not in this build: install libipsec-mb-dev and build anew")};
#endif
}

}  // namespace

std::vector<std::string_view> engine_names() {
  return {"botan",
#ifdef SLUICE_HAVE_IPSEC_MB
          "ipsec_mb",
#endif
          "async_test"};
}

Result<std::unique_ptr<Engine>, std::string> make_engine(std::string_view name, RandomSource& random) {
  if (name == "botan") return complete(std::make_unique<BotanEngine>(random));
  if (name == "ipsec_mb") return make_ipsec_mb(random);
  if (name == "async_test") return complete(std::make_unique<AsyncTestEngine>(random));
  if (name == "auto") {
    auto fast = make_ipsec_mb(random);
    return fast ? std::move(fast) : make_engine("botan", random);
  }
  std::string known = "auto";
  for (const auto one : engine_names()) known += ", " + std::string(one);
  return Failure{"there is no ESP engine named \"" + std::string(name) + "\"; there are: " + known};
}

}  // namespace sluice::esp
