#pragma once
#include <cstddef>

namespace sluice::esp {

/// Asks for one cache line. The empty statement keeps the request: gcc takes a function that does nothing but
/// prefetch for one without effect and drops the calls to it.
inline void prefetch_line(const void* at) {
  __builtin_prefetch(at);
  asm volatile("" : : "r"(at));
}

/// The lines of [begin, end) counted from `at`, which is the start of a line.
inline void prefetch_lines(const void* at, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; i += 64) prefetch_line(static_cast<const std::byte*>(at) + i);
}

}  // namespace sluice::esp
