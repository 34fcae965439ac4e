#include "proto/transport/identity.hpp"

#include <botan/data_src.h>
#include <botan/hex.h>
#include <botan/pkcs8.h>
#include <botan/x509path.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/secret.hpp"
#include "base/text.hpp"
#include "proto/transport/tls_material.hpp"

namespace sluice::transport {
namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxFile = 1024 * 1024;

bool plain_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  });
}

std::vector<Botan::X509_Certificate> parse_certificates(std::string_view pem) {
  std::vector<Botan::X509_Certificate> out;
  Botan::DataSource_Memory source(reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size());
  while (!source.end_of_data()) {
    // Blank lines and remarks may follow the last certificate.
    const auto left = pem.substr(source.get_bytes_read());
    if (left.find("-----BEGIN") == std::string_view::npos && !out.empty()) break;
    out.emplace_back(source);
  }
  return out;
}

/// What make_identity and load_identity call the three texts in errors.
struct Names {
  std::string ca = "CA", certificate = "certificate", key = "key";
};

using Made = Result<TlsIdentity, std::string>;

Made check_and_make(std::shared_ptr<TlsIdentity::Material> material, Role role, const Names& names) {
  const auto& own = material->chain.front();
  if (own.load_subject_public_key()->subject_public_key() != material->key->subject_public_key()) {
    return Failure{names.key + ": this key does not belong to the certificate " + names.certificate};
  }
  auto self = read_peer_name(own);
  if (!self) return Failure{names.certificate + ": " + self.error()};
  if (self->role != role) {
    return Failure{names.certificate + ": this certificate is for the role \"" +
                   std::string(to_string(self->role)) + "\", wanted is \"" + std::string(to_string(role)) +
                   "\""};
  }
  if (auto cause = verify_chain(material->chain, material->authorities, role)) {
    return Failure{names.certificate + ": does not hold against the CA " + names.ca + ": " + *cause};
  }
  material->self = *self;
  return TlsIdentity(std::move(material));
}

Made make_named(std::string_view ca, std::string_view certificate, std::string_view key, Role role,
                const Names& names) {
  auto material = std::make_shared<TlsIdentity::Material>();
  const std::string* reading = &names.ca;
  try {
    for (const auto& authority : parse_certificates(ca)) {
      if (!authority.is_CA_cert()) return Failure{names.ca + ": holds a certificate that is not a CA's"};
      material->authorities.add_certificate(authority);
    }
    reading = &names.certificate;
    material->chain = parse_certificates(certificate);
    reading = &names.key;
    Botan::DataSource_Memory source(reinterpret_cast<const std::uint8_t*>(key.data()), key.size());
    material->key = Botan::PKCS8::load_key(source);
  } catch (const std::exception& e) {
    return Failure{*reading + ": not readable as PEM: " + e.what()};
  }
  if (material->authorities.all_subjects().empty()) return Failure{names.ca + ": holds no certificate"};
  if (material->chain.empty()) return Failure{names.certificate + ": holds no certificate"};
  try {
    return check_and_make(std::move(material), role, names);
  } catch (const std::exception& e) {
    return Failure{names.certificate + ": " + e.what()};
  }
}

Result<std::string, std::string> read_file(const std::string& path, bool secret) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Failure{path + ": " + std::strerror(errno)};
  if (secret && (info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return Failure{path + ": the private key may be read by everyone; run chmod 600 " + path};
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return Failure{path + ": " + std::strerror(errno)};
  if (!std::in_range<std::size_t>(info.st_size) || static_cast<std::size_t>(info.st_size) > kMaxFile) {
    return Failure{path + ": too large for a PEM file"};
  }
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kEdge:
      return "edge";
    case Role::kAgent:
      return "agent";
  }
  return "";
}

TlsIdentity::TlsIdentity(std::shared_ptr<const Material> material) : material_(std::move(material)) {}
const PeerName& TlsIdentity::self() const {
  return material_->self;
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
  if (!plain_name(out.name))
    return Failure{"no usable DNS or common name in the certificate: \"" + escaped(out.name) + "\""};
  const auto units = certificate.subject_info("X520.OrganizationalUnit");
  const auto is = [&](Role role) {
    return std::find(units.begin(), units.end(), to_string(role)) != units.end();
  };
  if (is(Role::kEdge) == is(Role::kAgent)) {
    return Failure{"the organisational unit (OU) of \"" + out.name + "\" must be \"edge\" or \"agent\""};
  }
  out.role = is(Role::kEdge) ? Role::kEdge : Role::kAgent;
  out.serial = Botan::hex_encode(certificate.serial_number(), false);
  out.expires_at = static_cast<std::int64_t>(certificate.not_after().time_since_epoch());
  return out;
}

std::optional<std::string> verify_chain(const std::vector<Botan::X509_Certificate>& chain,
                                        const Botan::Certificate_Store& authorities, Role role) {
  const auto usage =
      role == Role::kEdge ? Botan::Usage_Type::TLS_SERVER_AUTH : Botan::Usage_Type::TLS_CLIENT_AUTH;
  const Botan::Path_Validation_Restrictions restrictions;
  const auto result = Botan::x509_path_validate(chain, restrictions, authorities, "", usage);
  if (!result.successful_validation()) return result.result_string();
  return std::nullopt;
}

Result<TlsIdentity, std::string> make_identity(std::string_view ca_pem, std::string_view certificate_pem,
                                               std::string_view key_pem, Role role) {
  return make_named(ca_pem, certificate_pem, key_pem, role, Names{});
}

Result<TlsIdentity, std::string> load_identity(const IdentityFiles& files, Role role) {
  auto ca = read_file(files.ca, false);
  if (!ca) return Failure{ca.error()};
  auto certificate = read_file(files.certificate, false);
  if (!certificate) return Failure{certificate.error()};
  auto key = read_file(files.key, true);
  if (!key) return Failure{key.error()};
  auto made = make_named(*ca, *certificate, *key, role, Names{files.ca, files.certificate, files.key});
  wipe({reinterpret_cast<std::uint8_t*>(key->data()), key->size()});
  return made;
}

}  // namespace sluice::transport
