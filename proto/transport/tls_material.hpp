#pragma once
// What a TlsIdentity holds, for the files of this folder that speak Botan.

#include <botan/pk_keys.h>
#include <botan/x509cert.h>

#include <memory>
#include <vector>

#include "proto/pki/chain.hpp"
#include "proto/transport/identity.hpp"

namespace sluice::transport {

struct TlsIdentity::Material {
  pki::Anchors anchors;
  std::vector<Botan::X509_Certificate> chain;  ///< own certificate first
  std::unique_ptr<Botan::Private_Key> key;
  PeerName self;
};

}  // namespace sluice::transport
