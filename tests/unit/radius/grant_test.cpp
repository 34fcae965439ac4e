#include "backend-agent/radius/core/grant.hpp"

#include "tests/unit/radius/support.hpp"

namespace sluice::radius {
namespace {

using std::chrono::seconds;

Grant grant_of(const Draft& draft) {
  const ByteVector request(kHeaderSize, 1);
  const ByteVector bytes = test::reply_to(request, draft, "s");
  return read_grant(test::parsed(bytes));
}

TEST(RadiusGrant, ReadsWhatAnAcceptGives) {
  Draft draft(Code::kAccessAccept);
  draft.add(attr::kFramedIpAddress, *IpAddress::parse("10.1.2.3")).add(attr::kFramedPool, "staff");
  draft.add(attr::kUserName, "alice@example.net");
  draft.add(attr::kFramedRoute, "192.168.7.0/24 0.0.0.0 1")
      .add(attr::kFramedIpv6Route, "2001:db8:7::/48 :: 1");
  draft.add(attr::kFramedIpv6Prefix, *from_hex("0040 20010db8 00010002"));
  draft.add(attr::kDelegatedIpv6Prefix, *from_hex("0038 20010db8 00ff00"));
  draft.add(attr::kMsPrimaryDns, *IpAddress::parse("10.0.0.53"))
      .add(attr::kMsSecondaryDns, *IpAddress::parse("10.0.0.54"));
  draft.add(attr::kMsPrimaryNbns, *IpAddress::parse("0.0.0.0"));
  draft.add(attr::kDnsServerIpv6, *IpAddress::parse("2001:db8::53"));
  draft.add(attr::kSessionTimeout, 3600U).add(attr::kIdleTimeout, 600U).add(attr::kAcctInterimInterval, 60U);
  draft.add(attr::kSluiceRateUp, 2000U).add(attr::kSluiceRateDown, 8000U);
  draft.add(attr::kClass, "one").add(attr::kClass, "two").add(attr::kFilterId, "guests");
  draft.add(attr::kReplyMessage, "hello ").add(attr::kReplyMessage, "there").add(attr::kState, "st");
  draft.add(attr::kMsChap2Success, "\x07S=0123")
      .add(AttributeType{kMicrosoft, 16}, "MPPE key, not ours to use");
  draft.add(attr::kFramedInterfaceId, *from_hex("0000000000000042"));
  const Grant grant = grant_of(draft);
  EXPECT_EQ(grant.user, "alice@example.net");
  EXPECT_TRUE(grant.bad.empty());
  EXPECT_EQ(grant.address, IpAddress::parse("10.1.2.3"));
  EXPECT_EQ(grant.pool, "staff");
  ASSERT_EQ(grant.routes.size(), 2U);
  EXPECT_EQ(grant.routes[0].to_string(), "192.168.7.0/24");
  EXPECT_EQ(grant.routes[1].to_string(), "2001:db8:7::/48");
  EXPECT_EQ(grant.ipv6_prefix->to_string(), "2001:db8:1:2::/64");
  EXPECT_EQ(grant.delegated_prefix->to_string(), "2001:db8:ff::/56");
  EXPECT_EQ(grant.dns.size(), 2U);
  EXPECT_TRUE(grant.nbns.empty());
  EXPECT_EQ(grant.dns6.at(0).to_string(), "2001:db8::53");
  EXPECT_EQ(grant.session_timeout, seconds(3600));
  EXPECT_EQ(grant.idle_timeout, seconds(600));
  EXPECT_EQ(grant.interim_interval, seconds(60));
  EXPECT_EQ(grant.rate_up, 2'000'000U);
  EXPECT_EQ(grant.rate_down, 8'000'000U);
  EXPECT_EQ(grant.classes.size(), 2U);
  EXPECT_EQ(grant.filter_id, "guests");
  EXPECT_EQ(grant.reply_message, "hello there");
  EXPECT_EQ(grant.ms_success, "S=0123");
  EXPECT_EQ(grant.ms_chap_id, 7);
  EXPECT_EQ(grant.interface_id, 0x42U);
}

TEST(RadiusGrant, LeavesTheChoiceOfAddressToUs) {
  for (const char* any : {"255.255.255.254", "255.255.255.255"}) {
    const Grant grant =
        grant_of(Draft(Code::kAccessAccept).add(attr::kFramedIpAddress, *IpAddress::parse(any)));
    EXPECT_FALSE(grant.address);
    EXPECT_TRUE(grant.bad.empty());
  }
}

TEST(RadiusGrant, NamesValuesThatMakeNoSense) {
  const std::pair<AttributeType, const char*> rows[] = {
      {attr::kFramedIpAddress, "010203"},    {attr::kFramedIpAddress, "00000000"},
      {attr::kSessionTimeout, "0102"},       {attr::kFramedRoute, "78797a"},
      {attr::kFramedIpv6Prefix, "00"},       {attr::kFramedIpv6Prefix, "0081"},
      {attr::kFramedIpv6Prefix, "000820ff"}, {attr::kMsPrimaryDns, "0a0000"},
      {attr::kSluiceRateUp, "01"},           {attr::kMsChap2Success, "01"},
      {attr::kDnsServerIpv6, "0a000001"},    {attr::kFramedPool, ""}};
  for (const auto& [type, value] : rows) {
    const Grant grant = grant_of(Draft(Code::kAccessAccept).add(type, *from_hex(value)));
    ASSERT_EQ(grant.bad.size(), 1U) << name_of(type) << " " << value;
    EXPECT_EQ(grant.bad[0], type);
  }
}

TEST(RadiusGrant, ReadsRoutesInTheirForms) {
  EXPECT_EQ(parse_framed_route("192.168.7.0/24 10.0.0.1 1")->to_string(), "192.168.7.0/24");
  EXPECT_EQ(parse_framed_route("192.168.7.0 10.0.0.1")->to_string(), "192.168.7.0/24");
  EXPECT_EQ(parse_framed_route("10.0.0.0")->to_string(), "10.0.0.0/8");
  EXPECT_EQ(parse_framed_route("172.16.0.0")->to_string(), "172.16.0.0/16");
  EXPECT_EQ(parse_framed_route("2001:db8::/32 ::")->to_string(), "2001:db8::/32");
  for (const char* bad : {"", " 10.0.0.0/8", "10.0.0.1", "10.0.0.1/8", "x"})
    EXPECT_FALSE(parse_framed_route(bad)) << bad;
}

TEST(RadiusGrant, FindsTheErrorNumber) {
  EXPECT_EQ(ms_error_code("E=649 R=0 C=00 V=3 M=no"), 649U);
  EXPECT_EQ(ms_error_code("M=no number"), 691U);
  EXPECT_EQ(ms_error_code("E="), 691U);
}

}  // namespace
}  // namespace sluice::radius
