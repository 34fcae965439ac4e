#include "esp/async_test_engine.hpp"

#include <algorithm>
#include <utility>

namespace sluice::esp {
namespace {
constexpr std::uint32_t kLongestDelay = 6;  // ticks; each dequeue is one
}

AsyncTestEngine::AsyncTestEngine(RandomSource& random)
    : Engine(random), inner_(random), random_state_(random.u32() | 1) {}

// xorshift: the order has to be unlike the order of submission, not unpredictable.
std::uint32_t AsyncTestEngine::random() {
  random_state_ ^= random_state_ << 13;
  random_state_ ^= random_state_ >> 17;
  random_state_ ^= random_state_ << 5;
  return random_state_;
}

void AsyncTestEngine::put(CryptoJob& job, bool waited_for) {
  queue_[queued_++] = {&job, tick_ + 1 + random() % kLongestDelay, waited_for};
}

void AsyncTestEngine::enqueue(std::span<CryptoJob* const> jobs) {
  for (auto* job : jobs) put(*job, false);
}

std::size_t AsyncTestEngine::dequeue(std::span<CryptoJob*> done) {
  ++tick_;
  return take(done, false);
}

/// Jobs that are due, worked only now: until it comes back, nobody may count on a job's contents.
std::size_t AsyncTestEngine::take(std::span<CryptoJob*> done, bool waited_for) {
  std::size_t count = 0;
  const std::size_t most = std::min(done.size(), kBurst);
  for (std::size_t i = 0; i < queued_ && count < most;) {
    if (queue_[i].due > tick_ || queue_[i].waited_for != waited_for) {
      ++i;
      continue;
    }
    done[count++] = queue_[i].job;
    queue_[i] = queue_[--queued_];
  }
  for (std::size_t i = count; i > 1; --i) std::swap(done[i - 1], done[random() % i]);
  if (count > 0) inner_.run(done.first(count));
  return count;
}

void AsyncTestEngine::run(std::span<CryptoJob* const> jobs) {
  for (auto* job : jobs) put(*job, true);
  std::array<CryptoJob*, kBurst> done;
  for (std::size_t left = jobs.size(); left > 0;) {
    ++tick_;
    left -= take(done, true);
  }
}

}  // namespace sluice::esp
