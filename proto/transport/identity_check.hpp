#pragma once
// The channel's certificates as --check and a reload see them. Any thread.

#include "base/app/config_check.hpp"
#include "proto/transport/identity.hpp"

namespace sluice::transport {

/// Adds what is wrong with an identity, and what soon will be (`now`: seconds since the epoch), each at the
/// setting of [tls] that names the file.
void check_identity(const Result<TlsIdentity, std::string>& identity, const app::ConfigValues& values,
                    std::int64_t now, app::CheckReport& report);

}  // namespace sluice::transport
