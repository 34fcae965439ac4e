#pragma once
// Who we are on the channel and whom we believe: a private CA, a certificate and its key, all PEM.
// A certificate's DNS name (or, without one, its common name) is the name; its organisational unit is the
// role, "edge" or "agent"; an edge's allows server authentication, an agent's client authentication.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sluice::transport {

enum class Role : std::uint8_t { kEdge, kAgent };
std::string_view to_string(Role role);

struct PeerName {
  std::string name;  ///< letters, digits, '.', '-' and '_' only
  Role role = Role::kAgent;
  std::string serial;           ///< of the certificate, hex
  std::int64_t expires_at = 0;  ///< seconds since the epoch
};

/// CA, certificate and key, checked against each other. Immutable; cheap to copy; any thread.
class TlsIdentity {
 public:
  struct Material;
  explicit TlsIdentity(std::shared_ptr<const Material> material);
  const PeerName& self() const;
  const Material& material() const { return *material_; }

 private:
  std::shared_ptr<const Material> material_;
};

struct IdentityFiles {
  std::string ca;           ///< PEM, one or more CA certificates
  std::string certificate;  ///< PEM, own certificate
  std::string key;          ///< PEM, PKCS #8, not encrypted; must not be readable by others
};

/// Errors name the file, the cause and what to do. `role` is what the certificate must say.
Result<TlsIdentity, std::string> load_identity(const IdentityFiles& files, Role role);
/// The same from PEM text.
Result<TlsIdentity, std::string> make_identity(std::string_view ca_pem, std::string_view certificate_pem,
                                               std::string_view key_pem, Role role);

}  // namespace sluice::transport
