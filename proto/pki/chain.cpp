#include "proto/pki/chain.hpp"

#include <botan/data_src.h>
#include <botan/hex.h>
#include <botan/pk_keys.h>
#include <botan/x509path.h>

#include <algorithm>

#include "base/text.hpp"
#include "proto/pki/names_extension.hpp"

namespace sluice::pki {
namespace {

/// All objects of one kind in PEM text. Blank lines and remarks may follow the last.
template <class T>
std::vector<T> parse_all(std::string_view pem) {
  std::vector<T> out;
  Botan::DataSource_Memory source(reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size());
  while (!source.end_of_data()) {
    const auto left = pem.substr(source.get_bytes_read());
    if (left.find("-----BEGIN") == std::string_view::npos && !out.empty()) break;
    out.emplace_back(source);
  }
  return out;
}

bool signed_by_one_of(const Botan::X509_CRL& crl, const std::vector<Botan::X509_Certificate>& authorities) {
  return std::ranges::any_of(authorities, [&](const Botan::X509_Certificate& ca) {
    return ca.subject_dn() == crl.issuer_dn() && ca.allowed_usage(Botan::CRL_SIGN) &&
           crl.check_signature(*ca.load_subject_public_key());
  });
}

ChainFault fault_of(Botan::Certificate_Status_Code code) {
  using Code = Botan::Certificate_Status_Code;
  if (code == Code::CERT_HAS_EXPIRED || code == Code::CERT_NOT_YET_VALID) return ChainFault::kExpired;
  if (code == Code::CERT_ISSUER_NOT_FOUND || code == Code::CANNOT_ESTABLISH_TRUST ||
      code == Code::CHAIN_LACKS_TRUST_ROOT) {
    return ChainFault::kUntrusted;
  }
  return ChainFault::kOther;
}

}  // namespace

std::vector<Botan::X509_Certificate> parse_certificates(std::string_view pem) {
  return parse_all<Botan::X509_Certificate>(pem);
}

Result<Anchors, std::string> parse_anchors(std::string_view ca_pem, std::string_view crl_pem,
                                           const AnchorNames& names) {
  Anchors out;
  const std::string* reading = &names.ca;
  try {
    out.authorities = parse_certificates(ca_pem);
    if (out.authorities.empty()) return Failure{names.ca + ": holds no certificate"};
    for (const auto& authority : out.authorities) {
      if (!authority.is_CA_cert()) return Failure{names.ca + ": holds a certificate that is not a CA's"};
      out.store.add_certificate(authority);
    }
    reading = &names.crl;
    if (!crl_pem.empty()) out.crls = parse_all<Botan::X509_CRL>(crl_pem);
    for (const auto& crl : out.crls) {
      if (!signed_by_one_of(crl, out.authorities))
        return Failure{names.crl + ": this CRL was not signed by the CA " + names.ca};
    }
  } catch (const std::exception& e) {
    return Failure{*reading + ": not readable as PEM: " + e.what()};
  }
  return out;
}

Result<PeerName, std::string> read_peer_name(const Botan::X509_Certificate& certificate) {
  PeerName out;
  const auto dns = certificate.subject_info("DNS");
  const auto common = certificate.subject_info("X520.CommonName");
  if (!dns.empty()) {
    out.name = dns.front();
  } else if (!common.empty()) {
    out.name = common.front();
  }
  if (!is_name(out.name))
    return Failure{"no usable DNS or common name in the certificate: \"" + escaped(out.name) + "\""};
  const auto units = certificate.subject_info("X520.OrganizationalUnit");
  const auto is = [&](Role role) { return std::ranges::find(units, to_string(role)) != units.end(); };
  if (is(Role::kEdge) == is(Role::kAgent)) {
    return Failure{"the organisational unit (OU) of \"" + out.name + "\" must be \"edge\" or \"agent\""};
  }
  out.role = is(Role::kEdge) ? Role::kEdge : Role::kAgent;
  out.serial = Botan::hex_encode(certificate.serial_number(), false);
  out.expires_at = unix_seconds(certificate.not_after());
  try {
    out.addresses = addresses_of(certificate);
  } catch (const std::exception& e) {
    return Failure{"the certificate of \"" + out.name + "\" has unreadable names: " + e.what()};
  }
  return out;
}

std::optional<std::int64_t> revoked_at(const Botan::X509_Certificate& certificate,
                                       const std::vector<Botan::X509_CRL>& crls) {
  for (const auto& crl : crls) {
    if (!crl.is_revoked(certificate)) continue;
    const auto& rows = crl.get_revoked();
    const auto row = std::ranges::find_if(
        rows, [&](const auto& entry) { return entry.serial_number() == certificate.serial_number(); });
    return row == rows.end() ? 0 : unix_seconds(row->expire_time());
  }
  return std::nullopt;
}

std::optional<ChainError> verify_chain(const std::vector<Botan::X509_Certificate>& chain,
                                       const Anchors& anchors, Role role, TimePoint at) {
  const auto usage =
      role == Role::kEdge ? Botan::Usage_Type::TLS_SERVER_AUTH : Botan::Usage_Type::TLS_CLIENT_AUTH;
  const auto result =
      Botan::x509_path_validate(chain, Botan::Path_Validation_Restrictions(), anchors.store, "", usage, at);
  if (!result.successful_validation()) return ChainError{fault_of(result.result()), result.result_string()};
  for (const auto& certificate : result.cert_path()) {
    if (const auto when = revoked_at(*certificate, anchors.crls)) {
      return ChainError{ChainFault::kRevoked, "certificate " +
                                                  Botan::hex_encode(certificate->serial_number(), false) +
                                                  " was revoked on " + date_text(*when)};
    }
  }
  return std::nullopt;
}

}  // namespace sluice::pki
