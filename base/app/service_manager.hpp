#pragma once
// What a service manager is told of a daemon (systemd's sd_notify(3) protocol): that it is ready, how it is,
// that its control thread lives. Nothing happens where no manager asked for it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "base/app/unique_fd.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace sluice::app {

/// What the manager left in the environment.
struct ServiceContext {
  std::string socket;    ///< NOTIFY_SOCKET: a path, or "@" and an abstract name; empty: nobody wants to know
  Duration watchdog{0};  ///< WATCHDOG_USEC: how long may pass between signs of life; 0: nobody counts
};
/// Takes it out of the environment, so that children do not speak in our name. An interval that is for
/// another process (WATCHDOG_PID) is left out. Call before threads are started.
ServiceContext take_service_context();

/// Thread: the one that runs `io`, which is the one whose life the watchdog follows.
class ServiceManager {
 public:
  /// One line on how the daemon is: "12 sessions, 2 agents".
  using Status = std::function<std::string()>;

  /// An unusable socket is as good as none: a daemon does not fail for it.
  ServiceManager(boost::asio::io_context& io, ServiceContext context);

  bool present() const { return static_cast<bool>(socket_); }
  /// The daemon serves. From here on `status` is asked each second, and told where it changed; signs of life
  /// are given at a third of the watchdog's interval.
  void ready(Status status);
  /// The configuration is being read again; ready_again() ends it.
  void reloading();
  void ready_again();
  /// The end began: no more signs of life are owed, and `io` may run dry.
  void stopping();

 private:
  void tell(const std::string& words);
  void pulse();
  Duration interval() const;

  ServiceContext context_;
  UniqueFd socket_;
  boost::asio::steady_timer timer_;
  Status status_;
  std::string told_;
};

}  // namespace sluice::app
