#pragma once
// The private CA as a folder of PEM files, and what an operator does with it. Nothing but certificates and
// the revocation list says what was issued and taken back, so there is no register that could disagree:
//   ca.pem, ca.key            the CA
//   crl.pem                   what was taken back, signed anew at every change
//   NAME.pem, NAME.key        the latest certificate of each edge and agent
//   issued/SERIAL.pem         every certificate that was ever issued
//   retired/NAME-SERIAL.key   keys that a renewal with a new key replaced, and .pem beside them; the serial
//                             number is that of the certificate that came instead
// No key is ever overwritten. One process at a time: the folder is locked while an Authority lives.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/app/unique_fd.hpp"
#include "base/result.hpp"
#include "proto/pki/issue.hpp"
#include "proto/pki/name.hpp"

namespace sluice::pki {

inline constexpr std::chrono::days kCaDays{3650};
inline constexpr std::chrono::days kCertificateDays{365};
/// Beyond a certificate's default life, so that whoever renews in time never meets an old list.
inline constexpr std::chrono::days kCrlDays{400};

/// One certificate that was issued.
struct IssuedCertificate {
  PeerName who;
  std::int64_t valid_from = 0;             ///< seconds since the epoch
  std::optional<std::int64_t> revoked_at;  ///< likewise
  bool current = false;                    ///< the one in NAME.pem
};

struct AuthorityFacts {
  std::string name;
  std::string fingerprint;  ///< SHA-256 of ca.pem's certificate
  std::int64_t valid_from = 0, expires_at = 0;
  std::uint32_t crl_number = 0;
  std::int64_t crl_made_at = 0, crl_next_update = 0;
  std::size_t revoked = 0;
};

struct RenewOptions {
  std::chrono::days life = kCertificateDays;
  /// Instead of those of the certificate before.
  std::optional<std::vector<IpAddress>> addresses{};
  bool new_key = false;
};

class Authority {
 public:
  enum class Access : std::uint8_t { kRead, kSign };  ///< reading needs no ca.key
  using Clock = std::chrono::system_clock;

  /// Makes folder, CA and an empty list. Refuses where a CA is already.
  static Result<Authority, std::string> init(const std::filesystem::path& folder, const std::string& name,
                                             std::chrono::days life = kCaDays,
                                             Clock::time_point now = Clock::now());
  static Result<Authority, std::string> open(const std::filesystem::path& folder, Access access);
  Authority(Authority&&) noexcept = default;
  Authority& operator=(Authority&&) noexcept = default;
  ~Authority();

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path certificate_file(const std::string& name) const { return folder_ / (name + ".pem"); }
  std::filesystem::path key_file(const std::string& name) const { return folder_ / (name + ".key"); }
  std::filesystem::path ca_file() const { return folder_ / "ca.pem"; }
  std::filesystem::path crl_file() const { return folder_ / "crl.pem"; }

  /// A first certificate with a new key. Refuses a name that has one.
  Result<IssuedCertificate, std::string> issue(const Subject& subject,
                                               std::chrono::days life = kCertificateDays,
                                               Clock::time_point now = Clock::now());
  /// Another certificate for the same name and role. The one before stays good until it ends or is revoked.
  Result<IssuedCertificate, std::string> renew(const std::string& name, const RenewOptions& options = {},
                                               Clock::time_point now = Clock::now());
  /// Takes back every certificate of `name` that is not, or only the one with this serial number.
  Result<std::vector<IssuedCertificate>, std::string> revoke(const std::string& name,
                                                             const std::string& serial = {},
                                                             Clock::time_point now = Clock::now());

  /// By name, then by age.
  Result<std::vector<IssuedCertificate>, std::string> list() const;
  Result<AuthorityFacts, std::string> facts() const;

 private:
  explicit Authority(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::optional<std::string> lock();
  std::optional<std::string> take_key();
  Result<Validity, std::string> validity(std::chrono::days life, Clock::time_point now) const;
  Result<IssuedCertificate, std::string> record(const std::string& certificate) const;
  Result<IssuedCertificate, std::string> keep_key(const Subject& subject, const Validity& validity);
  Result<IssuedCertificate, std::string> replace_key(const Subject& subject, const Validity& validity);
  std::optional<std::string> sign_crl(const std::vector<std::string>& revoked, Clock::time_point now);

  std::filesystem::path folder_;
  app::UniqueFd lock_;
  PemPair ca_;
  std::string crl_;
};

}  // namespace sluice::pki
