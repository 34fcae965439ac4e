#pragma once
// The terminal as a screen of one's own: the alternate one, without cursor, keys read one by one. Whatever
// ends it, the terminal is as it was.

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

#include "edge/ctl/top_frame.hpp"

namespace sluice::ctl {

class Screen {
 public:
  Screen() = default;
  ~Screen() { leave(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void enter();
  void leave();
  /// As it is now.
  static TopSize size();
  /// False: the terminal is gone.
  bool show(const std::vector<std::string>& lines);

 private:
  bool write(const std::string& text);

  bool entered_ = false;
  std::optional<termios> before_;  ///< of the keyboard; nothing where there is none
};

}  // namespace sluice::ctl
