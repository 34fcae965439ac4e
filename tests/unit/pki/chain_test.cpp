#include "proto/pki/chain.hpp"

#include <botan/pem.h>
#include <gtest/gtest.h>

#include "proto/pki/issue.hpp"

namespace sluice::pki {
namespace {

using std::chrono::days;

class ChainTest : public testing::Test {
 protected:
  static PemPair make(const std::string& name) {
    auto ca = make_ca(name, {});
    EXPECT_TRUE(ca.ok());
    return *ca;
  }
  PemPair issue(const std::string& name, Role role, const Validity& validity = {}) const {
    auto pair = issue_certificate(ca_, {name, role}, validity);
    EXPECT_TRUE(pair.ok());
    return *pair;
  }
  std::string crl(const std::vector<std::string>& revoked, const Validity& validity = {}) const {
    const auto first = make_crl(ca_, {}, {}, validity);
    EXPECT_TRUE(first.ok());
    const auto next = make_crl(ca_, *first, revoked, validity);
    EXPECT_TRUE(next.ok());
    return *next;
  }
  std::optional<ChainError> judge(const std::string& certificate, Role role, const std::string& crl_pem = {},
                                  TimePoint at = std::chrono::system_clock::now()) const {
    const auto anchors = parse_anchors(ca_.certificate, crl_pem);
    EXPECT_TRUE(anchors.ok()) << anchors.error();
    return verify_chain(parse_certificates(certificate), *anchors, role, at);
  }
  static ChainFault fault(const std::optional<ChainError>& error) {
    EXPECT_TRUE(error.has_value());
    return error ? error->fault : ChainFault::kOther;
  }

  PemPair ca_ = make("Sluice CA");
};

TEST_F(ChainTest, AGoodCertificateHoldsForItsRoleOnly) {
  const auto edge = issue("edge1", Role::kEdge), agent = issue("agent1", Role::kAgent);
  EXPECT_FALSE(judge(edge.certificate, Role::kEdge));
  EXPECT_FALSE(judge(agent.certificate, Role::kAgent));
  EXPECT_EQ(fault(judge(edge.certificate, Role::kAgent)), ChainFault::kOther);
  EXPECT_EQ(fault(judge(agent.certificate, Role::kEdge)), ChainFault::kOther);
}

TEST_F(ChainTest, AnotherCasCertificateIsNotTrustedWhateverItsName) {
  const auto stranger = issue_certificate(make("Sluice CA"), {"agent1", Role::kAgent}, {});
  EXPECT_TRUE(judge(stranger->certificate, Role::kAgent).has_value());
  const auto other = issue_certificate(make("Another CA"), {"agent1", Role::kAgent}, {});
  EXPECT_EQ(fault(judge(other->certificate, Role::kAgent)), ChainFault::kUntrusted);
}

TEST_F(ChainTest, ACertificateDoesNotSignOthers) {
  const auto agent = issue("agent1", Role::kAgent);
  const auto minted = issue_certificate(agent, {"agent2", Role::kAgent}, {});
  if (!minted) return;  // better still
  EXPECT_TRUE(judge(minted->certificate + agent.certificate, Role::kAgent).has_value());
}

TEST_F(ChainTest, OutsideItsDatesACertificateIsExpired) {
  const auto now = std::chrono::system_clock::now();
  const auto agent = issue("agent1", Role::kAgent, {now - days(2), now + days(2)}).certificate;
  EXPECT_FALSE(judge(agent, Role::kAgent));
  EXPECT_EQ(fault(judge(agent, Role::kAgent, {}, now + days(3))), ChainFault::kExpired);
  EXPECT_EQ(fault(judge(agent, Role::kAgent, {}, now - days(3))), ChainFault::kExpired);
}

TEST_F(ChainTest, WhatTheListNamesIsRevokedAndNothingElse) {
  const auto bad = issue("agent1", Role::kAgent), good = issue("agent2", Role::kAgent);
  const auto list = crl({bad.certificate});
  const auto error = judge(bad.certificate, Role::kAgent, list);
  EXPECT_EQ(fault(error), ChainFault::kRevoked);
  EXPECT_NE(error->text.find("was revoked on " + date_text(std::time(nullptr))), std::string::npos)
      << error->text;
  EXPECT_FALSE(judge(good.certificate, Role::kAgent, list));
  const auto again = issue_certificate(ca_, {"agent1", Role::kAgent}, {}, bad.key);
  EXPECT_FALSE(judge(again->certificate, Role::kAgent, list)) << "a list names certificates, not keys";
}

TEST_F(ChainTest, AnOldListStillCounts) {
  const auto now = std::chrono::system_clock::now();
  const auto bad = issue("agent1", Role::kAgent), good = issue("agent2", Role::kAgent);
  const auto list = crl({bad.certificate}, {now - days(20), now - days(10)});
  EXPECT_EQ(fault(judge(bad.certificate, Role::kAgent, list)), ChainFault::kRevoked);
  EXPECT_FALSE(judge(good.certificate, Role::kAgent, list));
}

TEST_F(ChainTest, ALaterListKeepsWhatTheOneBeforeNamed) {
  const auto first = issue("agent1", Role::kAgent), second = issue("agent2", Role::kAgent);
  const auto list = make_crl(ca_, crl({first.certificate}), {second.certificate}, {});
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(fault(judge(first.certificate, Role::kAgent, *list)), ChainFault::kRevoked);
  EXPECT_EQ(fault(judge(second.certificate, Role::kAgent, *list)), ChainFault::kRevoked);
}

TEST_F(ChainTest, AListOfSomebodyElseIsRefused) {
  for (const auto& name : {"Sluice CA", "Another CA"}) {
    const auto forged = make_crl(make(name), {}, {}, {});
    const auto anchors = parse_anchors(ca_.certificate, *forged, {"ca.pem", "crl.pem"});
    ASSERT_FALSE(anchors.ok());
    EXPECT_EQ(anchors.error(), "crl.pem: this CRL was not signed by the CA ca.pem");
  }
}

TEST_F(ChainTest, SeveralCasMayBeBelievedWhileOneTakesOverFromAnother) {
  const auto next = make("Next CA");
  const auto both = parse_anchors(ca_.certificate + "\nthe new one:\n" + next.certificate, crl({}));
  ASSERT_TRUE(both.ok()) << both.error();
  for (const auto& ca : {ca_, next}) {
    const auto pair = issue_certificate(ca, {"agent1", Role::kAgent}, {});
    EXPECT_FALSE(verify_chain(parse_certificates(pair->certificate), *both, Role::kAgent));
  }
}

TEST_F(ChainTest, TruncatedAndBrokenTextIsAnErrorThatNamesTheFile) {
  const auto list = crl({issue("agent1", Role::kAgent).certificate});
  for (std::size_t size = 0; size + 1 < ca_.certificate.size(); size += 7) {
    const auto anchors = parse_anchors(ca_.certificate.substr(0, size), list, {"ca.pem", "crl.pem"});
    ASSERT_FALSE(anchors.ok()) << size;
    EXPECT_EQ(anchors.error().find("ca.pem: "), 0U) << anchors.error();
  }
  for (std::size_t size = 1; size + 1 < list.size(); size += 7) {
    const auto anchors = parse_anchors(ca_.certificate, list.substr(0, size), {"ca.pem", "crl.pem"});
    ASSERT_FALSE(anchors.ok()) << size;
    EXPECT_EQ(anchors.error().find("crl.pem: "), 0U) << anchors.error();
  }
}

TEST_F(ChainTest, NoFlippedBitTakesACertificateOffTheList) {
  const auto bad = parse_certificates(issue("agent1", Role::kAgent).certificate).front();
  const auto der = Botan::unlock(Botan::PEM_Code::decode_check_label(crl({bad.PEM_encode()}), "X509 CRL"));
  const std::string whole(der.begin(), der.end());
  ASSERT_TRUE(parse_anchors(ca_.certificate, whole).ok());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto odd = whole;
    odd[bit / 8] = static_cast<char>(odd[bit / 8] ^ (1 << (bit % 8)));
    const auto anchors = parse_anchors(ca_.certificate, odd);
    EXPECT_TRUE(!anchors || revoked_at(bad, anchors->crls)) << "bit " << bit;
  }
}

TEST(Names, AreShortAndPlain) {
  for (const auto* good : {"a", "edge1", "agent-7.example", "9_lives"}) EXPECT_TRUE(is_name(good)) << good;
  for (const auto* bad : {"", ".", "..", ".edge", "-edge", "_x", "a b", "a/b", "a\n", "\xc3\xa4"})
    EXPECT_FALSE(is_name(bad)) << bad;
  EXPECT_TRUE(is_name(std::string(128, 'a')));
  EXPECT_FALSE(is_name(std::string(129, 'a')));
}

TEST(Names, RolesAreReadAsTheyAreWritten) {
  for (const auto role : {Role::kEdge, Role::kAgent}) EXPECT_EQ(parse_role(to_string(role)), role);
  EXPECT_FALSE(parse_role("Edge"));
}

}  // namespace
}  // namespace sluice::pki
