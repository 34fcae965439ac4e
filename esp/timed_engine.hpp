#pragma once
// An engine that tells how long another one works: two readings of a clock for each burst. The clock is
// handed in.

#include "base/counters.hpp"
#include "base/time.hpp"
#include "esp/engine.hpp"

namespace sluice::esp {

class TimedEngine final : public Engine {
 public:
  using Clock = Instant (*)();

  /// `inner` must work at once, not asynchronously: what it keeps in a queue would not be timed. `random` as
  /// for any engine.
  TimedEngine(std::unique_ptr<Engine> inner, Clock clock, RandomSource& random)
      : Engine(random), inner_(std::move(inner)), clock_(clock) {}

  std::string_view name() const override { return inner_->name(); }
  std::string_view backend(const Suite& suite) const override { return inner_->backend(suite); }
  std::size_t key_state_size(const Suite& suite, bool sealing) const override {
    return inner_->key_state_size(suite, sealing);
  }
  bool load_key(void* state, const KeyMaterial& key) override { return inner_->load_key(state, key); }
  void drop_key(void* state, const Suite& suite) override { inner_->drop_key(state, suite); }
  void run(std::span<CryptoJob* const> jobs) override {
    const auto begun = clock_();
    inner_->run(jobs);
    busy_.add(static_cast<std::uint64_t>((clock_() - begun).count()));
  }

  /// Ticks of Duration that `inner` has worked; any thread may read it.
  const Counter& busy() const { return busy_; }

 private:
  std::unique_ptr<Engine> inner_;
  Clock clock_;
  Counter busy_;
};

}  // namespace sluice::esp
