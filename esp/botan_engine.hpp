#pragma once
// The reference engine: every suite, through Botan.

#include <array>
#include <memory>
#include <vector>

#include "esp/engine.hpp"

namespace sluice::esp {

struct BotanWorker;

/// Botan's keyed objects take several KiB each, so SAs keep their raw keys and share a table of objects: an
/// SA that finds its place taken keys it anew (about a microsecond). With fewer SAs than places that never
/// happens.
class BotanEngine final : public Engine {
 public:
  static constexpr std::size_t kDefaultPlaces = 4096;

  /// `places`: objects kept for each suite and direction, a power of two; they are made as they are needed.
  explicit BotanEngine(RandomSource& random, std::size_t places = kDefaultPlaces);
  ~BotanEngine() override;

  std::string_view name() const override { return "botan"; }
  std::string_view backend(const Suite& suite) const override;

  std::size_t key_state_size(const Suite&, bool sealing) const override;
  bool load_key(void* state, const KeyMaterial& key) override;
  void drop_key(void* state, const Suite& suite) override;
  void run(std::span<CryptoJob* const> jobs) override;

 private:
  struct Key;
  struct Kind {
    std::uint64_t last_serial = 0;
    std::vector<std::unique_ptr<BotanWorker>> table;
  };
  Kind& kind(SuiteId id, bool sealing) { return kinds_[static_cast<std::size_t>(id)][sealing ? 1 : 0]; }
  BotanWorker& keyed(const Key& key);
  void prefetch(const CryptoJob& job, bool worker);

  std::size_t places_;
  std::array<std::array<Kind, 2>, kSuiteCount> kinds_;
  std::array<bool, kSuiteCount> good_{};
};

}  // namespace sluice::esp
