#pragma once
// A small private CA for the channel, on PEM text: keys are ECDSA on P-256, signatures SHA-256. Errors are
// sentences.

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "proto/pki/name.hpp"

namespace sluice::pki {

struct Validity {
  std::chrono::system_clock::time_point from = std::chrono::system_clock::now() - std::chrono::minutes(5);
  std::chrono::system_clock::time_point to = from + std::chrono::hours(24 * 365);
};
struct PemPair {
  std::string certificate;
  std::string key;  ///< secret: write with mode 0600
};
struct Subject {
  std::string name;
  Role role = Role::kAgent;
  std::vector<IpAddress> addresses{};  ///< as in PeerName
};

Result<PemPair, std::string> make_ca(const std::string& name, const Validity& validity);
/// For a new key, or for `key` where it is given.
Result<PemPair, std::string> issue_certificate(const PemPair& ca, const Subject& subject,
                                               const Validity& validity, const std::string& key = {});
/// Whether key and certificate are a pair; false also where either cannot be read.
bool key_belongs(const PemPair& pair);
/// The next revocation list after `last` (empty: the first), with `revoked` (certificates, PEM) added.
Result<std::string, std::string> make_crl(const PemPair& ca, const std::string& last,
                                          const std::vector<std::string>& revoked, const Validity& validity);

}  // namespace sluice::pki
