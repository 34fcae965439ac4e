#pragma once
// The channel's rules for Botan's TLS: one version, ECDHE, AEADs, certificates on both sides, nothing
// renegotiated.

#include <botan/credentials_manager.h>
#include <botan/tls_policy.h>

#include <string>
#include <vector>

#include "proto/transport/tls_material.hpp"

namespace sluice::transport {

class ChannelPolicy final : public Botan::TLS::Policy {
 public:
  std::vector<std::string> allowed_ciphers() const override {
    return {"AES-256/GCM", "AES-128/GCM", "ChaCha20Poly1305"};
  }
  std::vector<std::string> allowed_macs() const override { return {"AEAD"}; }
  std::vector<std::string> allowed_key_exchange_methods() const override { return {"ECDH"}; }
  std::vector<std::string> allowed_signature_methods() const override { return {"ECDSA", "RSA"}; }
  std::vector<Botan::TLS::Group_Params> key_exchange_groups() const override {
    return {Botan::TLS::Group_Params::X25519, Botan::TLS::Group_Params::SECP256R1,
            Botan::TLS::Group_Params::SECP384R1};
  }
  bool allow_tls10() const override { return false; }
  bool allow_tls11() const override { return false; }
  bool allow_tls12() const override { return true; }
  bool allow_dtls10() const override { return false; }
  bool allow_dtls12() const override { return false; }
  bool require_client_certificate_authentication() const override { return true; }
  bool allow_insecure_renegotiation() const override { return false; }
  bool allow_client_initiated_renegotiation() const override { return false; }
  bool allow_server_initiated_renegotiation() const override { return false; }
  bool abort_connection_on_undesired_renegotiation() const override { return true; }
  bool include_time_in_hello_random() const override { return false; }
  bool support_cert_status_message() const override { return false; }
  std::size_t maximum_certificate_chain_size() const override { return 32 * 1024; }
};

/// Hands Botan the CA and our own certificate and key.
class ChannelCredentials final : public Botan::Credentials_Manager {
 public:
  explicit ChannelCredentials(TlsIdentity identity) : identity_(std::move(identity)) {}

  std::vector<Botan::Certificate_Store*> trusted_certificate_authorities(const std::string&,
                                                                         const std::string&) override {
    // Botan's interface wants a pointer to non-const, and only ever reads.
    return {const_cast<Botan::Certificate_Store_In_Memory*>(&identity_.material().anchors.store)};
  }
  std::vector<Botan::X509_Certificate> cert_chain(const std::vector<std::string>& key_types,
                                                  const std::string&, const std::string&) override {
    const auto own = identity_.material().key->algo_name();
    for (const auto& type : key_types) {
      if (type == own) return identity_.material().chain;
    }
    return {};
  }
  Botan::Private_Key* private_key_for(const Botan::X509_Certificate&, const std::string&,
                                      const std::string&) override {
    return identity_.material().key.get();
  }

 private:
  TlsIdentity identity_;
};

}  // namespace sluice::transport
