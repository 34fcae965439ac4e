#pragma once
// Opens a listening unix socket with the right owner and mode from its first moment.

#include "base/app/unique_fd.hpp"
#include "base/result.hpp"
#include "vici/error.hpp"
#include "vici/server.hpp"

namespace sluice::vici {

/// A listening socket and the identity of its file, by which it is known again when it is time to remove it.
struct UnixListener {
  app::UniqueFd fd;
  dev_t device = 0;
  ino_t inode = 0;
};

/// Replaces a socket file nobody listens on; refuses to replace a living one or anything that is no socket.
Result<UnixListener, Error> open_unix_listener(const ServerOptions& options);
/// Removes the socket file unless another has taken its place.
void remove_unix_listener(const std::string& path, const UnixListener& listener);

}  // namespace sluice::vici
