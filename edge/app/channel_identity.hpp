#pragma once
// This edge's certificate on the channel and whom it believes there, as the configured files say now.

#include <string>

#include "base/result.hpp"
#include "edge/config/config.hpp"
#include "proto/transport/identity.hpp"

namespace sluice::edge {

/// Errors name the file, the cause and what to do.
inline Result<transport::TlsIdentity, std::string> channel_identity(const Config& config) {
  return transport::load_identity({.ca = config.tls_ca,
                                   .certificate = config.tls_certificate,
                                   .key = config.tls_key,
                                   .crl = config.tls_crl,
                                   .name = config.name},
                                  transport::Role::kEdge);
}

}  // namespace sluice::edge
