#include "proto/transport/pki.hpp"

#include <botan/data_src.h>
#include <botan/ec_group.h>
#include <botan/ecdsa.h>
#include <botan/pkcs8.h>
#include <botan/system_rng.h>
#include <botan/x509_ca.h>
#include <botan/x509self.h>

namespace sluice::transport {
namespace {

constexpr const char* kHash = "SHA-256";

Botan::ECDSA_PrivateKey new_key(Botan::RandomNumberGenerator& rng) {
  return {rng, Botan::EC_Group("secp256r1")};
}

Botan::X509_Cert_Options named(const std::string& name) {
  Botan::X509_Cert_Options options;
  options.common_name = name;
  options.organization = "sluice";
  return options;
}

}  // namespace

Result<PemPair, std::string> make_ca(const std::string& name, const Validity& validity) {
  try {
    auto& rng = Botan::system_rng();
    const auto key = new_key(rng);
    auto options = named(name);
    options.CA_key(0);
    options.start = Botan::X509_Time(validity.from);
    options.end = Botan::X509_Time(validity.to);
    const auto certificate = Botan::X509::create_self_signed_cert(options, key, kHash, rng);
    return PemPair{certificate.PEM_encode(), Botan::PKCS8::PEM_encode(key)};
  } catch (const std::exception& e) {
    return Failure{std::string("cannot make the CA: ") + e.what()};
  }
}

Result<PemPair, std::string> issue_certificate(const PemPair& ca, const std::string& name, Role role,
                                               const Validity& validity) {
  try {
    auto& rng = Botan::system_rng();
    Botan::DataSource_Memory ca_certificate(ca.certificate);
    Botan::DataSource_Memory ca_key(ca.key);
    const auto signer = Botan::PKCS8::load_key(ca_key);
    const Botan::X509_CA authority(Botan::X509_Certificate(ca_certificate), *signer, kHash, rng);
    const auto key = new_key(rng);
    auto options = named(name);
    options.org_unit = std::string(to_string(role));
    options.dns = name;
    options.add_constraints(Botan::DIGITAL_SIGNATURE);
    options.add_ex_constraint(role == Role::kEdge ? "PKIX.ServerAuth" : "PKIX.ClientAuth");
    const auto request = Botan::X509::create_cert_req(options, key, kHash, rng);
    const auto certificate =
        authority.sign_request(request, rng, Botan::X509_Time(validity.from), Botan::X509_Time(validity.to));
    return PemPair{certificate.PEM_encode(), Botan::PKCS8::PEM_encode(key)};
  } catch (const std::exception& e) {
    return Failure{"cannot issue a certificate for \"" + name + "\": " + e.what()};
  }
}

}  // namespace sluice::transport
