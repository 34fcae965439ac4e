#include "base/app/core_dumps.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace sluice::app {

void forbid_core_dumps() {
  ::prctl(PR_SET_DUMPABLE, 0);
  // A program that is executed begins dumpable again, but keeps its limits. One byte is less than any core
  // has, and the one value for which the kernel does not start a handler that core_pattern names (core(5)):
  // with 0 it does.
  const rlimit one_byte{1, 1};
  ::setrlimit(RLIMIT_CORE, &one_byte);
}

}  // namespace sluice::app
