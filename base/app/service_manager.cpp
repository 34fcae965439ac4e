#include "base/app/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/app/log.hpp"
#include "base/text.hpp"

namespace sluice::app {
namespace {

constexpr Duration kStatusInterval = std::chrono::seconds(1);
/// Three chances for each interval of the watchdog.
constexpr int kSignsOfLife = 3;

std::string taken(const char* name) {
  const char* value = std::getenv(name);
  std::string out = value == nullptr ? "" : value;
  ::unsetenv(name);
  return out;
}

/// A connected datagram socket that never blocks: a manager that does not read must not stop the daemon.
UniqueFd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
    return UniqueFd();
  std::memcpy(address.sun_path, path.data(), path.size());
  auto size = offsetof(sockaddr_un, sun_path) + path.size();
  if (path[0] == '@') {
    address.sun_path[0] = '\0';
  } else {
    ++size;
  }
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd &&
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size)) != 0)
    fd.reset();
  return fd;
}

}  // namespace

ServiceContext take_service_context() {
  ServiceContext out;
  out.socket = taken("NOTIFY_SOCKET");
  const auto interval = taken("WATCHDOG_USEC");
  const auto whose = taken("WATCHDOG_PID");
  if (!whose.empty() && whose != std::to_string(::getpid())) return out;
  out.watchdog = std::chrono::microseconds(std::max(0LL, std::strtoll(interval.c_str(), nullptr, 10)));
  return out;
}

ServiceManager::ServiceManager(boost::asio::io_context& io, ServiceContext context)
    : context_(std::move(context)), timer_(io) {
  if (context_.socket.empty()) return;
  socket_ = connect_to(context_.socket);
  if (!socket_)
    log_warning("daemon.no-manager", "the service manager cannot be told anything",
                {{"socket", context_.socket}});
}

void ServiceManager::ready(Status status) {
  if (!socket_) return;
  status_ = std::move(status);
  told_ = status_();
  tell("READY=1\nSTATUS=" + escaped(told_));
  pulse();
}

void ServiceManager::reloading() {
  tell("RELOADING=1\nSTATUS=reading the configuration again");
}

void ServiceManager::ready_again() {
  if (!status_) return;
  told_ = status_();
  tell("READY=1\nSTATUS=" + escaped(told_));
}

void ServiceManager::stopping() {
  // A farewell may last, and what it waits for is not the watchdog's to judge: the stop has a time limit of
  // its own.
  constexpr std::string_view kLong = "3600000000";
  status_ = nullptr;
  timer_.cancel();
  tell("STOPPING=1\nSTATUS=stopping" +
       (context_.watchdog > Duration(0) ? "\nWATCHDOG_USEC=" + std::string(kLong) : std::string()));
}

void ServiceManager::tell(const std::string& words) {
  if (!socket_) return;
  [[maybe_unused]] const auto sent = ::send(socket_.get(), words.data(), words.size(), MSG_NOSIGNAL);
}

Duration ServiceManager::interval() const {
  if (context_.watchdog <= Duration(0)) return kStatusInterval;
  return std::min(kStatusInterval, context_.watchdog / kSignsOfLife);
}

void ServiceManager::pulse() {
  if (context_.watchdog > Duration(0)) tell("WATCHDOG=1");
  if (auto now = status_(); now != told_) {
    told_ = std::move(now);
    tell("STATUS=" + escaped(told_));
  }
  timer_.expires_after(interval());
  timer_.async_wait([this](const boost::system::error_code& error) {
    // A wait that was over before it was cancelled comes without an error.
    if (!error && status_) pulse();
  });
}

}  // namespace sluice::app
