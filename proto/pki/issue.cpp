#include "proto/pki/issue.hpp"

#include <botan/data_src.h>
#include <botan/ec_group.h>
#include <botan/ecdsa.h>
#include <botan/pkcs8.h>
#include <botan/pubkey.h>
#include <botan/system_rng.h>
#include <botan/x509_ca.h>
#include <botan/x509_ext.h>
#include <botan/x509self.h>

#include <memory>

#include "proto/pki/names_extension.hpp"

namespace sluice::pki {
namespace {

namespace ext = Botan::Cert_Extension;

constexpr const char* kHash = "SHA-256";
constexpr const char* kOrganisation = "sluice";

std::unique_ptr<Botan::Private_Key> new_key(Botan::RandomNumberGenerator& rng) {
  return std::make_unique<Botan::ECDSA_PrivateKey>(rng, Botan::EC_Group("secp256r1"));
}

std::unique_ptr<Botan::Private_Key> read_key(const std::string& pem) {
  Botan::DataSource_Memory source(pem);
  return Botan::PKCS8::load_key(source);
}

Botan::X509_Certificate read_certificate(const std::string& pem) {
  Botan::DataSource_Memory source(pem);
  return Botan::X509_Certificate(source);
}

Botan::X509_DN distinguished_name(const Subject& subject) {
  Botan::X509_DN out;
  out.add_attribute("X520.CommonName", subject.name);
  out.add_attribute("X520.Organization", kOrganisation);
  out.add_attribute("X520.OrganizationalUnit", std::string(to_string(subject.role)));
  return out;
}

Botan::Extensions extensions(const Subject& subject, const Botan::X509_Certificate& ca,
                             const std::vector<std::uint8_t>& public_key) {
  const bool edge = subject.role == Role::kEdge;
  Botan::Extensions out;
  out.add(new ext::Basic_Constraints(false), true);
  out.add(new ext::Key_Usage(Botan::DIGITAL_SIGNATURE), true);
  out.add(
      new ext::Extended_Key_Usage({Botan::OID::from_string(edge ? "PKIX.ServerAuth" : "PKIX.ClientAuth")}));
  out.add(new ext::Subject_Key_ID(public_key, kHash));
  out.add(new ext::Authority_Key_ID(ca.subject_key_id()));
  out.add(new NamesExtension(subject.name, subject.addresses));
  return out;
}

}  // namespace

Result<PemPair, std::string> make_ca(const std::string& name, const Validity& validity) {
  try {
    auto& rng = Botan::system_rng();
    const auto key = new_key(rng);
    Botan::X509_Cert_Options options;
    options.common_name = name;
    options.organization = kOrganisation;
    options.CA_key(0);
    options.start = Botan::X509_Time(validity.from);
    options.end = Botan::X509_Time(validity.to);
    const auto certificate = Botan::X509::create_self_signed_cert(options, *key, kHash, rng);
    return PemPair{certificate.PEM_encode(), Botan::PKCS8::PEM_encode(*key)};
  } catch (const std::exception& e) {
    return Failure{std::string("cannot make the CA: ") + e.what()};
  }
}

Result<PemPair, std::string> issue_certificate(const PemPair& ca, const Subject& subject,
                                               const Validity& validity, const std::string& key_pem) {
  try {
    auto& rng = Botan::system_rng();
    const auto authority = read_certificate(ca.certificate);
    const auto ca_key = read_key(ca.key);
    Botan::AlgorithmIdentifier algorithm;
    const std::unique_ptr<Botan::PK_Signer> signer(Botan::choose_sig_format(*ca_key, rng, kHash, algorithm));
    const auto key = key_pem.empty() ? new_key(rng) : read_key(key_pem);
    const auto public_key = key->subject_public_key();
    const auto certificate = Botan::X509_CA::make_cert(
        signer.get(), rng, algorithm, public_key, Botan::X509_Time(validity.from),
        Botan::X509_Time(validity.to), authority.subject_dn(), distinguished_name(subject),
        extensions(subject, authority, key->public_key_bits()));
    return PemPair{certificate.PEM_encode(), key_pem.empty() ? Botan::PKCS8::PEM_encode(*key) : key_pem};
  } catch (const std::exception& e) {
    return Failure{"cannot issue a certificate for \"" + subject.name + "\": " + e.what()};
  }
}

bool key_belongs(const PemPair& pair) {
  try {
    return read_certificate(pair.certificate).load_subject_public_key()->subject_public_key() ==
           read_key(pair.key)->subject_public_key();
  } catch (const std::exception&) {
    return false;
  }
}

Result<std::string, std::string> make_crl(const PemPair& ca, const std::string& last,
                                          const std::vector<std::string>& revoked, const Validity& validity) {
  try {
    auto& rng = Botan::system_rng();
    const auto ca_key = read_key(ca.key);
    const Botan::X509_CA authority(read_certificate(ca.certificate), *ca_key, kHash, rng);
    const auto life = std::chrono::duration_cast<std::chrono::seconds>(validity.to - validity.from);
    if (last.empty()) return authority.new_crl(rng, validity.from, life).PEM_encode();
    Botan::DataSource_Memory source(last);
    std::vector<Botan::CRL_Entry> entries;
    for (const auto& certificate : revoked) entries.emplace_back(read_certificate(certificate));
    return authority.update_crl(Botan::X509_CRL(source), entries, rng, validity.from, life).PEM_encode();
  } catch (const std::exception& e) {
    return Failure{std::string("cannot make the CRL: ") + e.what()};
  }
}

}  // namespace sluice::pki
