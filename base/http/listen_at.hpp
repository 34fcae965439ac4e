#pragma once
// Where a listener listens, as configuration files write it.

#include <string>
#include <string_view>
#include <variant>

#include "base/ip.hpp"
#include "base/result.hpp"

namespace sluice::http {

/// Nowhere, an address and port, or the path of a unix socket.
using ListenAt = std::variant<std::monostate, Endpoint, std::string>;

/// "127.0.0.1:9464", "[::1]:9464", "/run/sluice/metrics.sock" (absolute); empty is nowhere. The
/// error is a sentence about `text`.
Result<ListenAt, std::string> parse_listen_at(std::string_view text);
/// Reached from this machine only.
bool is_local(const ListenAt& at);
std::string to_string(const ListenAt& at);

}  // namespace sluice::http
