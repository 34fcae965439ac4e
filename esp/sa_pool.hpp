#pragma once
// Memory for SAs, in large pieces that the kernel may back with huge pages: with many SAs the address
// translations would miss as often as the caches.

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

namespace sluice::esp {

/// Blocks on cache line boundaries. A freed block serves the next of its size. Not thread safe.
class SaPool {
 public:
  SaPool() = default;
  SaPool(const SaPool&) = delete;
  SaPool& operator=(const SaPool&) = delete;
  ~SaPool();

  void* allocate(std::size_t size);
  void release(void* block, std::size_t size);

  static constexpr std::size_t kLine = 64;
  static constexpr std::size_t round(std::size_t size) { return (size + kLine - 1) / kLine * kLine; }

 private:
  std::vector<void*> chunks_;
  std::map<std::size_t, std::vector<void*>> free_;  ///< by rounded size
  std::byte* at_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace sluice::esp
