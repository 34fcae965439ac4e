#include "edge/ctl/top.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/text.hpp"
#include "edge/ctl/screen.hpp"
#include "edge/ctl/top_frame.hpp"
#include "vici/client.hpp"

namespace sluice::ctl {
namespace {

namespace asio = boost::asio;
using vici::Error;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Readable when a key was pressed; negative: there is no keyboard. Asio makes what it watches non-blocking,
/// and a terminal would stay so for the shell and for our own output: so it watches this in its place.
int keyboard() {
  if (::isatty(STDIN_FILENO) == 0) return -1;
  const int out = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  if (out >= 0) ::epoll_ctl(out, EPOLL_CTL_ADD, STDIN_FILENO, &event);
  return out;
}

enum class How : std::uint8_t { kScreen, kText, kJson };

/// Looks, draws and listens to keys and signals, all on one io_context, until it is ended.
class Top {
 public:
  Top(const Conversation& with, How how, double interval, std::uint64_t frames)
      : with_(with),
        how_(how),
        interval_(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(interval))),
        frames_(frames),
        client_(io_.get_executor(), with.question("stats").uri) {}

  int run() {
    listen_to_signals();
    if (how_ == How::kScreen) {
      signals_.add(SIGQUIT);
      signals_.add(SIGWINCH);
      signals_.add(SIGTSTP);
      screen_.enter();
      if (const int keys = keyboard(); keys >= 0) {
        keys_.emplace(io_, keys);
        listen_to_keys();
      }
      draw_now();
    }
    asio::co_spawn(io_, look_on(), [this](const std::exception_ptr& fault) {
      if (fault) std::rethrow_exception(fault);
      end(code_);
    });
    io_.run();
    screen_.leave();
    return code_;
  }

 private:
  void end(int code) {
    code_ = code;
    io_.stop();
  }

  vici::Client::Awaitable<void> look_on() {
    const auto timeout = with_.question("stats").timeout;
    for (std::uint64_t shown = 0;;) {
      const auto error = co_await look(timeout);
      if (error && !co_await bear(*error)) co_return;
      // The first look has no rates: where frames are counted it is not one of them.
      if (!error && frame_ && (frame_->interval > 0 || how_ == How::kScreen)) {
        show();
        if (frames_ > 0 && ++shown == frames_) co_return;
      }
      timer_.expires_after(interval_);
      boost::system::error_code woken;
      co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
  }

  /// Whether to try again. A screen stays and says so, others end.
  vici::Client::Awaitable<bool> bear(const Error& error) {
    client_.close();
    before_.reset();
    if (how_ == How::kScreen && frame_) {
      state_.trouble = "no answer, trying again: " + error.text;
      draw_now();
      co_return true;
    }
    screen_.leave();
    code_ = with_.complain(error);
    co_return false;
  }

  vici::Client::Awaitable<std::optional<Error>> look(Duration timeout) {
    if (!client_.connected()) {
      if (auto error = co_await client_.connect(timeout)) co_return error;
    }
    Look now;
    now.at = steady_seconds();
    now.time =
        static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
    for (auto [command, to] : {std::pair{"version", &now.version}, std::pair{"stats", &now.stats}}) {
      auto answer = co_await client_.request(command, {}, timeout);
      if (!answer) co_return answer.error();
      *to = std::move(*answer);
    }
    struct List {
      const char *command, *event;
      Rows* to;
    };
    for (const auto& list : {List{"list-backends", "list-backend", &now.backends},
                             List{"list-sessions", "list-session", &now.sessions},
                             List{"list-drops", "list-drop", &now.drops}}) {
      const auto answer = co_await client_.stream(
          list.command, list.event, {}, [&](const vici::Message& row) { list.to->push_back(row); }, timeout);
      if (!answer) co_return answer.error();
    }
    if (!state_.paused) frame_ = compare(before_, now);
    before_ = std::move(now);
    state_.trouble.clear();
    co_return std::nullopt;
  }

  void show() {
    if (how_ == How::kJson) {
      with_.print("sluice.top/1", to_json(*frame_));
      with_.to.out.flush();
    } else if (how_ == How::kText) {
      for (const auto& line : draw(*frame_, state_, {with_.to.terminal.width, 0}, with_.to.terminal.colour))
        with_.to.out << line << "\n";
      with_.to.out.flush();
    } else {
      draw_now();
    }
    // Nobody reads it any more.
    if (!with_.to.out) end(kFailed);
  }

  void draw_now() {
    if (how_ != How::kScreen || !seen_) return;
    auto size = Screen::size();
    const auto lines = frame_ ? draw(*frame_, state_, size, with_.to.terminal.colour)
                              : std::vector<std::string>{std::string("looking ...").substr(0, size.columns)};
    if (!screen_.show(lines)) end(kFailed);
  }

  void listen_to_signals() {
    signals_.async_wait([this](const boost::system::error_code& error, int which) {
      if (error) return;
      switch (which) {
        case SIGWINCH:
          draw_now();
          break;
        case SIGTSTP:
          seen_ = false;
          screen_.leave();
          ::raise(SIGSTOP);
          // Here it goes on after SIGCONT.
          screen_.enter();
          seen_ = true;
          draw_now();
          break;
        default:
          return end(kOk);
      }
      listen_to_signals();
    });
  }

  void listen_to_keys() {
    keys_->async_wait(asio::posix::stream_descriptor::wait_read,
                      [this](const boost::system::error_code& error) {
                        if (error) return;
                        pollfd ready{STDIN_FILENO, POLLIN, 0};
                        while (!io_.stopped() && ::poll(&ready, 1, 0) == 1) {
                          char key = 0;
                          if (::read(STDIN_FILENO, &key, 1) != 1) return;
                          press(key);
                        }
                        if (!io_.stopped()) listen_to_keys();
                      });
  }

  void press(char key) {
    const auto toggle = [this](TopView view) {
      state_.view = state_.view == view ? TopView::kOverview : view;
    };
    state_.help = key == '?' && !state_.help;
    switch (key) {
      case 'q':
        return end(kOk);
      case 'a':
        toggle(TopView::kAgents);
        break;
      case 'p':
        toggle(TopView::kSessions);
        break;
      case 'd':
        toggle(TopView::kDrops);
        break;
      case 'o':
        state_.view = TopView::kOverview;
        break;
      case ' ':
        state_.paused = !state_.paused;
        break;
      case 's':
        state_.sort =
            static_cast<TopSort>((static_cast<int>(state_.sort) + 1) % static_cast<int>(TopSort::kCount));
        break;
      default:
        break;
    }
    draw_now();
  }

  const Conversation& with_;
  const How how_;
  const Duration interval_;
  const std::uint64_t frames_;  ///< 0: no end

  asio::io_context io_;
  vici::Client client_;
  asio::steady_timer timer_{io_};
  asio::signal_set signals_{io_, SIGINT, SIGTERM, SIGHUP};  // and, with a screen, those of its keys and size
  std::optional<asio::posix::stream_descriptor> keys_;

  Screen screen_;
  TopScreen state_;
  std::optional<Look> before_;
  std::optional<TopFrame> frame_;
  bool seen_ = true;  ///< the screen is ours
  int code_ = kOk;
};

}  // namespace

CLI::App* TopCommand::add_to(CLI::App& app) {
  auto* top = app.add_subcommand("top", "the edge at work, on a screen: rates, agents, the busiest sessions");
  top->add_flag("--once", once_, "one frame as text, as without a terminal");
  top->add_option("--interval", interval_, "seconds between two looks")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  top->add_option("--count", count_, "ends after so many frames")->check(CLI::Range(1, 1'000'000'000));
  examples(*top, {"top", "top --once", "top --json=lines --interval 10"});
  return top;
}

int TopCommand::run(const Conversation& with) {
  const bool screen = !with.json && !once_ && with.to.terminal.width > 0;
  const auto how = with.json ? How::kJson : screen ? How::kScreen : How::kText;
  // Lines go on; a document is one.
  const bool endless = screen || with.lines;
  return Top(with, how, interval_, count_ > 0 ? count_ : endless && !once_ ? 0 : 1).run();
}

}  // namespace sluice::ctl
