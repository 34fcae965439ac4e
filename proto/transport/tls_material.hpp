#pragma once
// What a TlsIdentity holds, for the files of this folder that speak Botan.

#include <botan/certstor.h>
#include <botan/pk_keys.h>
#include <botan/x509cert.h>

#include <memory>
#include <string>
#include <vector>

#include "proto/transport/identity.hpp"

namespace sluice::transport {

struct TlsIdentity::Material {
  Botan::Certificate_Store_In_Memory authorities;
  std::vector<Botan::X509_Certificate> chain;  ///< own certificate first
  std::unique_ptr<Botan::Private_Key> key;
  PeerName self;
};

/// Name and role that a certificate states; the error says what is missing.
Result<PeerName, std::string> read_peer_name(const Botan::X509_Certificate& certificate);

/// Checks a chain against the CA for the use that `role` has; the cause if it does not hold.
std::optional<std::string> verify_chain(const std::vector<Botan::X509_Certificate>& chain,
                                        const Botan::Certificate_Store& authorities, Role role);

}  // namespace sluice::transport
