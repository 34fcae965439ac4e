#include "esp/sa_pool.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace sluice::esp {
namespace {

// Under the address sanitizer each SA is an allocation of its own, so that it sees their edges.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kOneByOne = true;
#elif defined(__has_feature)
constexpr bool kOneByOne = __has_feature(address_sanitizer);
#else
constexpr bool kOneByOne = false;
#endif

constexpr std::size_t kChunk = std::size_t{2} << 20;  // one huge page

void* aligned(std::size_t alignment, std::size_t size) {
  void* block = std::aligned_alloc(alignment, size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

SaPool::~SaPool() {
  for (void* chunk : chunks_) std::free(chunk);
}

void* SaPool::allocate(std::size_t size) {
  size = round(size);
  if (kOneByOne) return aligned(kLine, size);
  if (auto& spare = free_[size]; !spare.empty()) {
    void* block = spare.back();
    spare.pop_back();
    return block;
  }
  if (size > kChunk) {
    chunks_.push_back(aligned(kLine, size));
    return chunks_.back();
  }
  if (size > left_) {
    chunks_.push_back(aligned(kChunk, kChunk));
    at_ = static_cast<std::byte*>(chunks_.back());
    left_ = kChunk;
    // Advice only: where the kernel has no huge pages to give, nothing changes.
    madvise(at_, kChunk, MADV_HUGEPAGE);
  }
  void* block = at_;
  at_ += size;
  left_ -= size;
  return block;
}

void SaPool::release(void* block, std::size_t size) {
  if (kOneByOne) {
    std::free(block);
  } else {
    free_[round(size)].push_back(block);
  }
}

}  // namespace sluice::esp
