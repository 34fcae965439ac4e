#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>

#include "edge/ctl/commands.hpp"

namespace {

sluice::ctl::Terminal terminal() {
  if (::isatty(STDOUT_FILENO) == 0) return {};
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  // https://no-color.org: set and not empty means none.
  const char* no_colour = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  const bool plain =
      (no_colour && *no_colour) || kind == nullptr || *kind == '\0' || std::strcmp(kind, "dumb") == 0;
  return {known ? size.ws_col : 80u, !plain};
}

}  // namespace

int main(int argc, char** argv) {
  const char* socket = std::getenv("SLUICE_SOCKET");
  const bool somebody = ::isatty(STDIN_FILENO) != 0;
  try {
    return sluice::ctl::run({argv + 1, argv + argc}, {std::cout, std::cerr, terminal(), socket ? socket : "",
                                                      somebody ? &std::cin : nullptr});
  } catch (const std::exception& fault) {
    std::cerr << "sluicectl: " << fault.what() << "\n";
    return sluice::ctl::kFailed;
  }
}
