#include "esp/botan_engine.hpp"
#include "esp/engine.hpp"

namespace sluice::esp {

std::vector<std::string_view> engine_names() {
  return {"botan"};
}

Result<std::unique_ptr<Engine>, std::string> make_engine(std::string_view name, RandomSource& random) {
  if (name == "botan" || name == "auto") {
    auto botan = std::make_unique<BotanEngine>(random);
    return std::unique_ptr<Engine>(std::move(botan));
  }
  return Failure{"no such engine"};
}

}  // namespace sluice::esp
