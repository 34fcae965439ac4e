#pragma once
// Who we are on the channel and whom we believe: a private CA, what it took back, a certificate and its key,
// all PEM. A certificate's DNS name (or, without one, its common name) is the name; its organisational unit
// is the role, "edge" or "agent"; an edge's allows server authentication, an agent's client authentication;
// IP addresses among its names, where there are any, are the only places that its holder may be at.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "proto/pki/name.hpp"

namespace sluice::transport {

using pki::PeerName;
using pki::Role;

/// From this long before its end on a certificate is warned about.
inline constexpr std::int64_t kExpiryWarning = 30 * 24 * 3600;

/// CA, revocation lists, certificate and key, checked against each other. Immutable; cheap to copy; any
/// thread.
class TlsIdentity {
 public:
  struct Material;
  explicit TlsIdentity(std::shared_ptr<const Material> material);
  const PeerName& self() const;
  /// When the oldest of the revocation lists should have been replaced, seconds since the epoch; 0: no list.
  std::int64_t crl_next_update() const;
  /// Sentences for the log about what ends soon or is over. `now`: seconds since the epoch.
  std::vector<std::string> warnings(std::int64_t now) const;
  const Material& material() const { return *material_; }

 private:
  std::shared_ptr<const Material> material_;
};

/// Has an identity's warnings said once for each identity, and once a day.
class ExpiryReminder {
 public:
  /// What is to be said now; `now` as in TlsIdentity::warnings().
  std::vector<std::string> due(const TlsIdentity& identity, std::int64_t now);

 private:
  const TlsIdentity::Material* said_of_ = nullptr;
  std::int64_t again_at_ = 0;
};

struct IdentityFiles {
  std::string ca;           ///< PEM, one or more CA certificates
  std::string certificate;  ///< PEM, own certificate
  std::string key;          ///< PEM, PKCS #8, not encrypted; must not be readable by others
  std::string crl{};        ///< PEM, the CAs' revocation lists; empty: none
  std::string name{};       ///< which the certificate must have; empty: any
};

/// Errors name the file, the cause and what to do. `role` is what the certificate must say.
Result<TlsIdentity, std::string> load_identity(const IdentityFiles& files, Role role);

/// The same from PEM text.
struct IdentityTexts {
  std::string ca, certificate, key, crl{};
};
Result<TlsIdentity, std::string> make_identity(const IdentityTexts& texts, Role role);

}  // namespace sluice::transport
