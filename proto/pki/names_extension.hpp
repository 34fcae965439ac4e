#pragma once
// The subject's other names (RFC 5280 §4.2.1.6) as the channel uses them: one DNS name, and IP addresses.
// Botan 2 writes and reads IPv4 addresses only.

#include <botan/pkix_types.h>
#include <botan/x509cert.h>

#include <string>
#include <vector>

#include "base/ip.hpp"

namespace sluice::pki {

class NamesExtension final : public Botan::Certificate_Extension {
 public:
  NamesExtension(std::string dns, std::vector<IpAddress> addresses)
      : dns_(std::move(dns)), addresses_(std::move(addresses)) {}

  static Botan::OID static_oid() { return Botan::OID("2.5.29.17"); }
  Botan::OID oid_of() const override { return static_oid(); }

 private:
  std::string oid_name() const override { return "X509v3.SubjectAlternativeName"; }
  NamesExtension* copy() const override { return new NamesExtension(*this); }
  void contents_to(Botan::Data_Store&, Botan::Data_Store&) const override {}
  std::vector<std::uint8_t> encode_inner() const override;
  void decode_inner(const std::vector<std::uint8_t>&) override;

  std::string dns_;
  std::vector<IpAddress> addresses_;
};

/// The addresses among a certificate's names. Throws Botan's exceptions where they are malformed.
std::vector<IpAddress> addresses_of(const Botan::X509_Certificate& certificate);
/// The same of the extension's content alone.
std::vector<IpAddress> addresses_in(const std::vector<std::uint8_t>& general_names);

}  // namespace sluice::pki
