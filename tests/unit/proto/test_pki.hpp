#pragma once
// Certificates made in the test.
#include <gtest/gtest.h>

#include <string>

#include "proto/transport/pki.hpp"

namespace sluice::test {

using transport::PemPair;
using transport::Role;
using transport::TlsIdentity;
using transport::Validity;

struct TestPki {
  PemPair ca = make("ca");

  static PemPair make(const std::string& name) {
    auto made = transport::make_ca(name, Validity{});
    EXPECT_TRUE(made.ok());
    return *made;
  }
  PemPair issue(const std::string& name, Role role, const Validity& validity = {}) const {
    auto issued = transport::issue_certificate(ca, name, role, validity);
    EXPECT_TRUE(issued.ok());
    return *issued;
  }
  TlsIdentity identity(const std::string& name, Role role) const {
    const auto pair = issue(name, role);
    auto made = transport::make_identity(ca.certificate, pair.certificate, pair.key, role);
    EXPECT_TRUE(made.ok()) << made.error();
    return *made;
  }
};

}  // namespace sluice::test
