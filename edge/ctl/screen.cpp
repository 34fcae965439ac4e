#include "edge/ctl/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::ctl {

void Screen::enter() {
  if (entered_) return;
  entered_ = true;
  termios now{};
  if (::tcgetattr(STDIN_FILENO, &now) == 0) {
    before_ = now;
    // Keys come at once and unseen; those that send signals go on doing so.
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
  }
  write("\x1b[?1049h\x1b[?25l");
}

void Screen::leave() {
  if (!entered_) return;
  entered_ = false;
  write("\x1b[0m\x1b[?25h\x1b[?1049l");
  if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

TopSize Screen::size() {
  winsize now{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) != 0 || now.ws_col == 0 || now.ws_row == 0) return {};
  return {now.ws_col, now.ws_row};
}

bool Screen::show(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) text += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[K";
  return write(text + "\x1b[J");
}

bool Screen::write(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const auto some = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (some < 0 && errno != EINTR) return false;
    if (some > 0) done += static_cast<std::size_t>(some);
  }
  return true;
}

}  // namespace sluice::ctl
