#pragma once
// A small private CA for the channel. Keys are ECDSA on P-256, signatures SHA-256.

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "proto/transport/identity.hpp"

namespace sluice::transport {

struct Validity {
  std::chrono::system_clock::time_point from = std::chrono::system_clock::now() - std::chrono::minutes(5);
  std::chrono::system_clock::time_point to = from + std::chrono::hours(24 * 365);
};
struct PemPair {
  std::string certificate;
  std::string key;  ///< secret: write with mode 0600
};

Result<PemPair, std::string> make_ca(const std::string& name, const Validity& validity);
Result<PemPair, std::string> issue_certificate(const PemPair& ca, const std::string& name, Role role,
                                               const Validity& validity);

}  // namespace sluice::transport
