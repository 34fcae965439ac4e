#pragma once
// A network namespace for a test's body.

#include <sched.h>

#include <functional>
#include <thread>

namespace sluice::agent::test {

/// Runs `body` on a thread in a network namespace of its own; false where that is not allowed.
inline bool in_own_network(const std::function<void()>& body) {
  bool allowed = false;
  std::thread([&] {
    allowed = ::unshare(CLONE_NEWNET) == 0;
    if (allowed) body();
  }).join();
  return allowed;
}

}  // namespace sluice::agent::test
