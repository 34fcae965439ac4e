#pragma once
// Opens a listening unix socket with the right owner and mode from its first moment. Any thread.

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/app/unique_fd.hpp"
#include "base/result.hpp"

namespace sluice::app {

struct UnixListenerOptions {
  std::string path;
  mode_t mode = 0660;
  std::optional<uid_t> owner{};  ///< default: of the process
  std::optional<gid_t> group{};
};

/// A listening socket and the identity of its file, by which it is known again when it is time to remove it.
struct UnixListener {
  UniqueFd fd;
  dev_t device = 0;
  ino_t inode = 0;
};

/// Replaces a socket file nobody listens on; refuses to replace a living one or anything that is no socket.
/// Errors name the path, the cause and what to do.
Result<UnixListener, std::string> open_unix_listener(const UnixListenerOptions& options);
/// Removes the socket file unless another has taken its place.
void remove_unix_listener(const std::string& path, const UnixListener& listener);

}  // namespace sluice::app
