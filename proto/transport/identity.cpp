#include "proto/transport/identity.hpp"

#include <botan/data_src.h>
#include <botan/pkcs8.h>

#include <algorithm>

#include "base/secret.hpp"
#include "proto/pki/files.hpp"
#include "proto/transport/tls_material.hpp"

namespace sluice::transport {
namespace {

constexpr std::int64_t kDay = 24 * 3600;

/// What make_identity and load_identity call the texts in errors.
struct Names {
  std::string ca = "CA", certificate = "certificate", key = "key", crl = "CRL";
};

using Made = Result<TlsIdentity, std::string>;

Made check_and_make(std::shared_ptr<TlsIdentity::Material> material, Role role, const Names& names) {
  const auto& own = material->chain.front();
  if (own.load_subject_public_key()->subject_public_key() != material->key->subject_public_key()) {
    return Failure{names.key + ": this key does not belong to the certificate " + names.certificate};
  }
  auto self = pki::read_peer_name(own);
  if (!self) return Failure{names.certificate + ": " + self.error()};
  if (self->role != role) {
    return Failure{names.certificate + ": this certificate is for the role \"" +
                   std::string(to_string(self->role)) + "\", wanted is \"" + std::string(to_string(role)) +
                   "\""};
  }
  if (const auto error = pki::verify_chain(material->chain, material->anchors, role)) {
    return Failure{names.certificate + ": does not hold against the CA " + names.ca + ": " + error->text};
  }
  material->self = *self;
  return TlsIdentity(std::move(material));
}

Made make_named(const IdentityTexts& texts, Role role, const Names& names) {
  auto material = std::make_shared<TlsIdentity::Material>();
  auto anchors = pki::parse_anchors(texts.ca, texts.crl, {names.ca, names.crl});
  if (!anchors) return Failure{anchors.error()};
  material->anchors = std::move(*anchors);
  const std::string* reading = &names.certificate;
  try {
    material->chain = pki::parse_certificates(texts.certificate);
    reading = &names.key;
    Botan::DataSource_Memory source(texts.key);
    material->key = Botan::PKCS8::load_key(source);
  } catch (const std::exception& e) {
    return Failure{*reading + ": not readable as PEM: " + e.what()};
  }
  if (material->chain.empty()) return Failure{names.certificate + ": holds no certificate"};
  try {
    return check_and_make(std::move(material), role, names);
  } catch (const std::exception& e) {
    return Failure{names.certificate + ": " + e.what()};
  }
}

void warn_of_end(std::vector<std::string>& out, const std::string& what, std::int64_t end, std::int64_t now) {
  if (end - now > kExpiryWarning) return;
  out.push_back(what + (end <= now ? " ended on " + pki::date_text(end)
                                   : " ends on " + pki::date_text(end) + ", in " +
                                         std::to_string((end - now) / kDay) + " days"));
}

}  // namespace

TlsIdentity::TlsIdentity(std::shared_ptr<const Material> material) : material_(std::move(material)) {}
const PeerName& TlsIdentity::self() const {
  return material_->self;
}

std::int64_t TlsIdentity::crl_next_update() const {
  std::int64_t oldest = 0;
  for (const auto& crl : material_->anchors.crls) {
    const auto next = pki::unix_seconds(crl.next_update());
    oldest = oldest == 0 ? next : std::min(oldest, next);
  }
  return oldest;
}

std::vector<std::string> TlsIdentity::warnings(std::int64_t now) const {
  std::vector<std::string> out;
  warn_of_end(out, "this certificate of the channel", self().expires_at, now);
  for (const auto& authority : material_->anchors.authorities)
    warn_of_end(out, "the CA of the channel", pki::unix_seconds(authority.not_after()), now);
  if (const auto next = crl_next_update(); next != 0 && next <= now) {
    out.push_back("tls.crl should have been replaced on " + pki::date_text(next) +
                  "; what it names stays revoked, what was revoked since is not known here");
  }
  return out;
}

std::vector<std::string> ExpiryReminder::due(const TlsIdentity& identity, std::int64_t now) {
  if (&identity.material() == said_of_ && now < again_at_) return {};
  said_of_ = &identity.material();
  again_at_ = now + kDay;
  return identity.warnings(now);
}

Made make_identity(const IdentityTexts& texts, Role role) {
  return make_named(texts, role, Names{});
}

Made load_identity(const IdentityFiles& files, Role role) {
  IdentityTexts texts;
  const auto read = [](const std::string& file, std::string& text) -> std::optional<std::string> {
    auto got = pki::read_public_file(file);
    if (!got) return got.error();
    text = std::move(*got);
    return std::nullopt;
  };
  if (const auto error = read(files.ca, texts.ca)) return Failure{*error};
  if (const auto error = read(files.certificate, texts.certificate)) return Failure{*error};
  if (!files.crl.empty()) {
    if (const auto error = read(files.crl, texts.crl)) return Failure{*error};
    if (texts.crl.empty()) return Failure{files.crl + ": holds no CRL"};
  }
  auto key = pki::read_key_file(files.key);
  if (!key) return Failure{key.error()};
  texts.key = std::move(*key);
  auto made = make_named(texts, role, Names{files.ca, files.certificate, files.key, files.crl});
  wipe({reinterpret_cast<std::uint8_t*>(texts.key.data()), texts.key.size()});
  if (made && !files.name.empty() && made->self().name != files.name) {
    return Failure{files.certificate + " is for \"" + made->self().name +
                   "\", but the configured name is \"" + files.name + "\""};
  }
  return made;
}

}  // namespace sluice::transport
