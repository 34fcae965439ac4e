#pragma once
// An engine that behaves like a card: jobs go into a queue of limited size and come back late and out of
// order. It proves that the interface holds for such devices; the cryptography is Botan's.

#include <array>

#include "esp/botan_engine.hpp"
#include "esp/engine.hpp"

namespace sluice::esp {

class AsyncTestEngine final : public Engine {
 public:
  static constexpr std::size_t kQueue = 256;

  explicit AsyncTestEngine(RandomSource& random);

  std::string_view name() const override { return "async_test"; }
  std::string_view backend(const Suite& suite) const override { return inner_.backend(suite); }
  std::size_t key_state_size(const Suite& suite, bool sealing) const override {
    return inner_.key_state_size(suite, sealing);
  }
  bool load_key(void* state, const KeyMaterial& key) override { return inner_.load_key(state, key); }
  void drop_key(void* state, const Suite& suite) override { inner_.drop_key(state, suite); }
  void run(std::span<CryptoJob* const> jobs) override;

 protected:
  std::size_t queue_room() const override { return kQueue - queued_; }
  void enqueue(std::span<CryptoJob* const> jobs) override;
  std::size_t dequeue(std::span<CryptoJob*> done) override;

 private:
  struct Entry {
    CryptoJob* job = nullptr;
    std::uint64_t due = 0;  ///< the tick it is done at
    bool waited_for = false;
  };
  void put(CryptoJob& job, bool waited_for);
  std::size_t take(std::span<CryptoJob*> done, bool waited_for);
  std::uint32_t random();

  BotanEngine inner_;
  std::array<Entry, kQueue + kBurst> queue_{};  ///< run() is never refused
  std::size_t queued_ = 0;
  std::uint64_t tick_ = 0;
  std::uint32_t random_state_;
};

}  // namespace sluice::esp
