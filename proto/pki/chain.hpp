#pragma once
// Certificates as Botan has them: read, and judged by the CA and its revocation lists. Any thread.

#include <botan/certstor.h>
#include <botan/x509_crl.h>
#include <botan/x509cert.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "proto/pki/name.hpp"

namespace sluice::pki {

using TimePoint = std::chrono::system_clock::time_point;

/// Whom we believe.
struct Anchors {
  std::vector<Botan::X509_Certificate> authorities;
  /// The same, as Botan's TLS wants them.
  Botan::Certificate_Store_In_Memory store{};
  /// Each signed by one of `authorities`. One that is past its next update still counts: better to know of
  /// old revocations than of none, or to trust nobody.
  std::vector<Botan::X509_CRL> crls{};
};

/// PEM text, several certificates after each other. Throws Botan's exceptions.
std::vector<Botan::X509_Certificate> parse_certificates(std::string_view pem);

/// What the two texts are called in errors.
struct AnchorNames {
  std::string ca = "CA", crl = "CRL";
};
/// `crl_pem` may be empty. Errors begin with a name of `names` and say what is wrong.
Result<Anchors, std::string> parse_anchors(std::string_view ca_pem, std::string_view crl_pem,
                                           const AnchorNames& names = {});

/// Name, role and addresses that a certificate states; the error says what is missing.
Result<PeerName, std::string> read_peer_name(const Botan::X509_Certificate& certificate);

enum class ChainFault : std::uint8_t { kExpired, kRevoked, kUntrusted, kOther };
struct ChainError {
  ChainFault fault = ChainFault::kOther;
  std::string text;
};

/// Judges a chain (own certificate first) for the use that `role` has, as of `at`; nothing if it holds. What
/// a revocation list names is revoked whatever its date.
std::optional<ChainError> verify_chain(const std::vector<Botan::X509_Certificate>& chain,
                                       const Anchors& anchors, Role role,
                                       TimePoint at = std::chrono::system_clock::now());

/// When a list of `crls` says that this certificate was taken back; seconds since the epoch.
std::optional<std::int64_t> revoked_at(const Botan::X509_Certificate& certificate,
                                       const std::vector<Botan::X509_CRL>& crls);

inline std::int64_t unix_seconds(const Botan::X509_Time& time) {
  return static_cast<std::int64_t>(time.time_since_epoch());
}

}  // namespace sluice::pki
