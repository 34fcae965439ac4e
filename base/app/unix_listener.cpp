#include "base/app/unix_listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/text.hpp"

namespace sluice::app {
namespace {

constexpr int kBacklog = 64;
constexpr std::string_view kTemporary = ".new";

Failure<std::string> failure(const std::string& path, const std::string& cause) {
  return Failure{"cannot open the socket " + escaped(path) + ": " + cause};
}
std::string reason(int fault) {
  return std::generic_category().message(fault);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd unix_socket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/// Why the path cannot be taken; empty when it is free or holds a dead socket.
std::string occupied(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? "" : reason(errno) + "; see to its folder's permissions";
  }
  if (!S_ISSOCK(found.st_mode))
    return "a file that is no socket is in its place; move it away or choose another path";
  const auto probe = unix_socket();
  const auto address = address_of(path);
  const int result = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (result == 0 || errno == EAGAIN) return "another process listens there; stop it or choose another path";
  return "";
}

}  // namespace

Result<UnixListener, std::string> open_unix_listener(const UnixListenerOptions& options) {
  const std::string temporary = options.path + std::string(kTemporary);
  if (!options.path.starts_with('/') || temporary.size() >= sizeof(sockaddr_un::sun_path)) {
    return failure(options.path, "it must be an absolute path of at most 103 bytes");
  }
  if (const auto cause = occupied(options.path); !cause.empty()) return failure(options.path, cause);
  UnixListener out{unix_socket()};
  if (!out.fd) return failure(options.path, reason(errno));
  // Bound under another name and moved into place when owner and mode are right, so that nobody connects
  // before.
  ::unlink(temporary.c_str());
  const auto address = address_of(temporary);
  if (::bind(out.fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int fault = errno;
    return failure(options.path, reason(fault) + (fault == ENOENT ? "; its folder does not exist, create it"
                                                                  : "; see to its folder's permissions"));
  }
  const auto keep = static_cast<uid_t>(-1);
  struct stat made {};
  if (::chmod(temporary.c_str(), options.mode) != 0 ||
      ::chown(temporary.c_str(), options.owner.value_or(keep), options.group.value_or(keep)) != 0 ||
      ::listen(out.fd.get(), kBacklog) != 0 || ::stat(temporary.c_str(), &made) != 0 ||
      ::rename(temporary.c_str(), options.path.c_str()) != 0) {
    const int fault = errno;
    ::unlink(temporary.c_str());
    return failure(options.path, reason(fault) + "; its owner, group and mode could not be set");
  }
  out.device = made.st_dev;
  out.inode = made.st_ino;
  return out;
}

void remove_unix_listener(const std::string& path, const UnixListener& listener) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return;
  if (found.st_dev == listener.device && found.st_ino == listener.inode) ::unlink(path.c_str());
}

}  // namespace sluice::app
