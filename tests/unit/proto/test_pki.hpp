#pragma once
// Certificates made in the test.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/pki/issue.hpp"
#include "proto/transport/identity.hpp"

namespace sluice::test {

using pki::PemPair;
using pki::Validity;
using transport::Role;
using transport::TlsIdentity;

struct TestPki {
  PemPair ca = make("ca");

  static PemPair make(const std::string& name) {
    auto made = pki::make_ca(name, Validity{});
    EXPECT_TRUE(made.ok());
    return *made;
  }
  PemPair issue(const std::string& name, Role role, const Validity& validity = {}) const {
    auto issued = pki::issue_certificate(ca, {name, role}, validity);
    EXPECT_TRUE(issued.ok());
    return *issued;
  }
  TlsIdentity identity(const std::string& name, Role role) const { return identity(issue(name, role), role); }
  TlsIdentity identity(const PemPair& pair, Role role, const std::string& crl = {}) const {
    auto made = transport::make_identity({ca.certificate, pair.certificate, pair.key, crl}, role);
    EXPECT_TRUE(made.ok()) << made.error();
    return *made;
  }
  /// A revocation list that names these.
  std::string crl(const std::vector<PemPair>& revoked, const Validity& validity = {}) const {
    const auto first = pki::make_crl(ca, {}, {}, validity);
    EXPECT_TRUE(first.ok());
    std::vector<std::string> certificates;
    for (const auto& pair : revoked) certificates.push_back(pair.certificate);
    auto next = pki::make_crl(ca, *first, certificates, validity);
    EXPECT_TRUE(next.ok());
    return *next;
  }
};

}  // namespace sluice::test
