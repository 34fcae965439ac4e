#pragma once
// What can go wrong between a vici client and its daemon, as a value.

#include <cstdint>
#include <string>

namespace sluice::vici {

enum class ErrorKind : std::uint8_t {
  kAddress,         ///< the URI is not one we know
  kUnreachable,     ///< no connection to the daemon
  kClosed,          ///< the connection ended; requests in flight may or may not have been done
  kTimeout,         ///< no answer in time
  kUnknownCommand,  ///< the daemon has no such command
  kUnknownEvent,    ///< the daemon has no such event
  kRefused,         ///< the daemon answered success = no
  kMalformed,       ///< the daemon sent what is not vici
  kTooLarge,        ///< the request does not fit a packet
  kCancelled,       ///< the caller gave up
  kCount
};

struct Error {
  ErrorKind kind = ErrorKind::kClosed;
  std::string
      text;  ///< one sentence or two for an operator: what, where, likely cause, what to do. No secrets
};

}  // namespace sluice::vici
