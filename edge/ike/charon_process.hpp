#pragma once
// charon as a process: started without capabilities, watched; ended with us whatever happens, or kept for the
// process after us.

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sluice::edge {

/// An account, looked up once.
struct Account {
  uid_t uid;
  gid_t gid;
};
/// Nothing if there is no such account.
std::optional<Account> find_account(const std::string& name);

/// Thread: the one that runs `io`. It must be the one that calls start(), and live on: the kernel ends charon
/// when the thread that started it ends.
class CharonProcess {
 public:
  struct Options {
    std::filesystem::path program;
    std::filesystem::path settings;  ///< strongswan.conf
    std::filesystem::path preload;   ///< the plugin, unless it lies in charon's own folder
    std::filesystem::path folder;    ///< working directory
    std::optional<Account> account;  ///< to run as; nothing: ours
    /// It outlives us: adopt() of a later process finds it by this file. Empty: it ends with us.
    std::filesystem::path record;
    /// What must be the same for adopt() beside program and preload: one line.
    std::string mark;
  };

  CharonProcess(boost::asio::io_context& io, Options options);
  ~CharonProcess();
  CharonProcess(const CharonProcess&) = delete;
  CharonProcess& operator=(const CharonProcess&) = delete;

  /// One line that charon printed, without its end. Called from the event loop.
  std::function<void(const std::string& line)> on_line;
  /// It ended by itself: "exit code 3" or "signal 11". Called from the event loop, last of all.
  std::function<void(const std::string& how)> on_exit;

  /// Nothing if it started, else why not.
  std::optional<std::string> start();
  /// Takes over the charon that a process before us started with the same options. One that was started
  /// with others is ended, which takes up to 2 s. False: there is none now.
  bool adopt();
  bool adopted() const { return adopted_; }
  /// Lets go of it: it runs on.
  void release();
  pid_t pid() const { return pid_; }
  void terminate();
  void kill();
  /// True once it is gone; never blocks. on_exit is not called after this said true.
  bool reap();

 private:
  std::optional<std::string> open_output(int& child_end);
  void write_record() const;
  void signal(int number);
  void end_now();
  void watch();
  void read_output();
  void take_output(std::size_t size);

  Options options_;
  pid_t pid_ = -1;
  bool adopted_ = false;
  int status_ = 0;
  boost::asio::posix::stream_descriptor exit_watch_;
  boost::asio::posix::stream_descriptor output_;
  std::array<char, 4096> chunk_{};
  std::string line_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::edge
