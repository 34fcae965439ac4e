#include "edge/ike/connections.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::edge {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

IkePsk psk(std::vector<std::string> identities, std::string_view secret, std::string listener = {}) {
  return {std::move(identities), Secret(secret), std::move(listener)};
}

IkeListener listener(const std::string& name, const char* address) {
  IkeListener out;
  out.name = name;
  out.addresses = {*IpAddress::parse(address)};
  return out;
}

/// The section of one connection, which must be there.
const vici::Message& connection(const CharonObjects& objects, const std::string& name) {
  for (const auto& message : objects.connections) {
    if (const auto* section = message.section(name)) return *section;
  }
  ADD_FAILURE() << "no connection " << name;
  static const vici::Message none;
  return none;
}

const vici::Message& secret(const CharonObjects& objects, std::string_view data) {
  for (const auto& message : objects.secrets) {
    if (message.get("data") == data) return message;
  }
  ADD_FAILURE() << "a secret is missing";
  static const vici::Message none;
  return none;
}

TEST(Connections, AreForL2tpClients) {
  IkeConfig config;
  config.psks.push_back(psk({}, "open sesame"));
  const auto objects = charon_objects(config);
  ASSERT_EQ(objects.connections.size(), 1U);
  const auto& main = connection(objects, "sluice-psk-main");
  EXPECT_EQ(main.get("version"), "0");
  EXPECT_EQ(main.get("aggressive"), "no");
  EXPECT_EQ(main.get("fragmentation"), "yes");
  EXPECT_THAT(*main.list("local_addrs"), ElementsAre("%any"));
  EXPECT_THAT(*main.list("remote_addrs"), ElementsAre("%any"));
  EXPECT_EQ(main.section("local")->get("auth"), "psk");
  EXPECT_EQ(main.section("remote")->get("auth"), "psk");
  const auto& child = *main.section("children")->section(kChildName);
  EXPECT_EQ(child.get("mode"), "transport");
  EXPECT_THAT(*child.list("local_ts"), ElementsAre("dynamic[udp/1701]"));
  EXPECT_THAT(*child.list("remote_ts"), ElementsAre("dynamic[udp]")) << "macOS dials from any port";
}

TEST(Connections, LetClientsShareIdentitiesAndAddresses) {
  const auto objects = charon_objects(IkeConfig{});
  const auto& main = connection(objects, "sluice-psk-main");
  EXPECT_EQ(main.get("unique"), "never")
      << "INITIAL_CONTACT would end a stranger with the same private address";
  const auto& child = *main.section("children")->section(kChildName);
  EXPECT_EQ(child.get("mark_in"), "%unique");
  EXPECT_EQ(child.get("mark_out"), "%unique");
}

TEST(Connections, NeverRekeyOrProbeByThemselves) {
  const auto objects = charon_objects(IkeConfig{});
  const auto& main = connection(objects, "sluice-psk-main");
  for (const char* key : {"dpd_delay", "rekey_time", "reauth_time", "over_time"})
    EXPECT_EQ(main.get(key), "0s") << key;
  const auto& child = *main.section("children")->section(kChildName);
  for (const char* key : {"rekey_time", "life_time"}) EXPECT_EQ(child.get(key), "0s") << key;
  for (const char* key : {"rekey_bytes", "rekey_packets"}) EXPECT_EQ(child.get(key), "0") << key;
  for (const char* key : {"start_action", "close_action"}) EXPECT_EQ(child.get(key), "none") << key;
}

TEST(Connections, CertificateClientsComeFromTheNamedCas) {
  IkeConfig config;
  auto& main = config.listeners.at(0);
  main.auth = {IkeAuth::kPsk, IkeAuth::kCertificate};
  main.certificates = {{1, 2, 3}};
  main.private_key = Secret(std::string_view("key"));
  main.client_cas = {{4, 5}, {6}};
  config.crls = {{7, 8}};
  const auto objects = charon_objects(config);
  const auto& section = connection(objects, "sluice-certificate-main");
  EXPECT_EQ(section.section("local")->get("auth"), "pubkey");
  EXPECT_THAT(*section.section("local")->list("certs"), ElementsAre("\1\2\3"));
  EXPECT_EQ(section.section("remote")->get("auth"), "pubkey");
  EXPECT_THAT(*section.section("remote")->list("cacerts"), ElementsAre("\4\5", "\6"));
  EXPECT_EQ(section.section("remote")->get("revocation"), "relaxed");
  EXPECT_EQ(section.get("send_certreq"), "yes");
  EXPECT_EQ(connection(objects, "sluice-psk-main").get("send_certreq"), "yes")
      << "charon asks before it knows which of the two it will be";
  ASSERT_EQ(objects.private_keys.size(), 1U);
  EXPECT_EQ(objects.private_keys[0].get("data"), "key");
  EXPECT_THAT(objects.private_keys[0].to_text(), Not(HasSubstr("= key")));
  ASSERT_EQ(objects.certificates.size(), 1U);
  EXPECT_EQ(objects.certificates[0].get("type"), "X509_CRL");
  config.listeners.at(0).require_crl = true;
  EXPECT_EQ(
      connection(charon_objects(config), "sluice-certificate-main").section("remote")->get("revocation"),
      "strict");
}

TEST(Connections, XauthAsksAfterTheKeyAndOnlyInIkev1) {
  IkeConfig config;
  config.listeners.at(0).auth = {IkeAuth::kXauthPsk};
  config.users.push_back({"alice", Secret(std::string_view("wonder"))});
  const auto objects = charon_objects(config);
  const auto& section = connection(objects, "sluice-xauth-psk-main");
  EXPECT_EQ(section.get("version"), "1");
  EXPECT_EQ(section.section("remote")->get("auth"), "psk");
  EXPECT_EQ(section.section("remote-xauth")->get("auth"), "xauth");
  EXPECT_EQ(secret(objects, "wonder").get("type"), "EAP");
  EXPECT_THAT(*secret(objects, "wonder").list("owners"), ElementsAre("alice"));
}

TEST(Connections, EapIsIkev2WithOurCertificate) {
  IkeConfig config;
  config.listeners.at(0).auth = {IkeAuth::kEapMschapv2, IkeAuth::kEapRadius};
  const auto objects = charon_objects(config);
  for (const char* method : {"eap-mschapv2", "eap-radius"}) {
    const auto& section = connection(objects, std::string("sluice-") + method + "-main");
    EXPECT_EQ(section.get("version"), "2");
    EXPECT_EQ(section.section("local")->get("auth"), "pubkey");
    EXPECT_EQ(section.section("remote")->get("auth"), method);
    EXPECT_EQ(section.section("remote")->get("eap_id"), "%any");
  }
}

TEST(Connections, EachListenerHasItsAddressesProfilesAndMethods) {
  IkeConfig config;
  config.listeners.clear();
  config.listeners.push_back(listener("office", "192.0.2.1"));
  config.listeners.push_back(listener("old", "192.0.2.2"));
  config.listeners.at(1).profiles = {IkeProfile::kAndroidLegacy};
  const auto objects = charon_objects(config);
  EXPECT_THAT(*connection(objects, "sluice-psk-office").list("local_addrs"), ElementsAre("192.0.2.1"));
  EXPECT_THAT(*connection(objects, "sluice-psk-old").list("local_addrs"), ElementsAre("192.0.2.2"));
  EXPECT_THAT(*connection(objects, "sluice-psk-office").list("proposals"),
              Not(Contains(HasSubstr("modp1024"))));
  EXPECT_THAT(*connection(objects, "sluice-psk-old").list("proposals"), Contains("3des-sha1-modp1024"));
}

TEST(Keys, GoToTheirIdentitiesAndAreHiddenWhenPrinted) {
  IkeConfig config;
  config.psks.push_back(psk({}, "open sesame"));
  config.psks.push_back(psk({"192.0.2.7", "a@b.example"}, "other"));
  const auto objects = charon_objects(config);
  ASSERT_EQ(objects.secrets.size(), 2U);
  EXPECT_EQ(secret(objects, "open sesame").list("owners"), nullptr) << "any peer, any identity of ours";
  EXPECT_THAT(secret(objects, "open sesame").to_text(), Not(HasSubstr("sesame")));
  EXPECT_THAT(*secret(objects, "other").list("owners"), ElementsAre("192.0.2.7", "a@b.example"));
  EXPECT_NE(objects.secrets[0].get("id"), objects.secrets[1].get("id"));
}

TEST(Keys, OfOneListenerDoNotOpenAnother) {
  IkeConfig config;
  config.listeners.clear();
  config.listeners.push_back(listener("a", "192.0.2.1"));
  config.listeners.push_back(listener("b", "192.0.2.2"));
  config.listeners.at(1).identity = "vpn.example.org";
  config.psks.push_back(psk({}, "all"));
  config.psks.push_back(psk({}, "of a", "a"));
  auto objects = charon_objects(config);
  EXPECT_THAT(*secret(objects, "of a").list("owners"), ElementsAre("192.0.2.1"));
  EXPECT_THAT(*secret(objects, "all").list("owners"), ElementsAre("192.0.2.2", "vpn.example.org"));
  EXPECT_EQ(connection(objects, "sluice-psk-a").section("local")->get("id"), "192.0.2.1")
      << "in IKEv2 charon looks for the key by our identity";
  config.psks.push_back(psk({}, "of b", "b"));
  objects = charon_objects(config);
  EXPECT_EQ(objects.secrets.size(), 2U)
      << "the key for all is nobody's now, and without owners it would fit all";
}

TEST(Keys, OfOneListenerMakeEachAddressAnIdentity) {
  IkeConfig config;
  config.listeners.at(0).addresses = {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.2")};
  config.psks.push_back(psk({}, "all"));
  EXPECT_EQ(charon_objects(config).connections.size(), 1U);
  config.psks.at(0).listener = "main";
  const auto objects = charon_objects(config);
  ASSERT_EQ(objects.connections.size(), 2U);
  EXPECT_EQ(connection(objects, "sluice-psk-main").section("local")->get("id"), "192.0.2.1");
  const auto& second = connection(objects, "sluice-psk-main.2");
  EXPECT_EQ(second.section("local")->get("id"), "192.0.2.2");
  EXPECT_THAT(*second.list("local_addrs"), ElementsAre("192.0.2.2"));
  EXPECT_EQ(*second.list("proposals"), *connection(objects, "sluice-psk-main").list("proposals"));
}

TEST(IkeCheck, NamesWhatAListenerLacks) {
  const auto faults = [](auto adjust) {
    IkeConfig config;
    config.psks.push_back(psk({}, "k"));
    adjust(config);
    std::vector<std::string> texts;
    for (const auto& fault : check_ike(config)) texts.push_back(fault.text);
    return texts;
  };
  EXPECT_TRUE(faults([](IkeConfig&) {}).empty());
  EXPECT_THAT(faults([](IkeConfig& c) { c.psks.clear(); }), Contains(HasSubstr("pre-shared key")));
  EXPECT_THAT(faults([](IkeConfig& c) { c.listeners[0].auth = {IkeAuth::kCertificate}; }),
              testing::AllOf(Contains(HasSubstr("needs a certificate")), Contains(HasSubstr("the CA"))));
  EXPECT_THAT(faults([](IkeConfig& c) { c.listeners[0].auth = {IkeAuth::kXauthPsk}; }),
              Contains(HasSubstr("need users")));
  EXPECT_THAT(faults([](IkeConfig& c) { c.listeners[0].auth = {IkeAuth::kEapRadius}; }),
              Contains(HasSubstr("RADIUS server")));
  EXPECT_THAT(faults([](IkeConfig& c) {
                c.listeners[0].auth = {IkeAuth::kEapMschapv2, IkeAuth::kEapRadius};
              }),
              Contains(HasSubstr("one of eap-mschapv2 and eap-radius")));
  EXPECT_THAT(faults([](IkeConfig& c) { c.listeners.emplace_back(); }),
              Contains(HasSubstr("two listeners are named 'main'")));
  EXPECT_THAT(faults([](IkeConfig& c) { c.psks.push_back(psk({}, "k", "nowhere")); }),
              Contains(HasSubstr("listener 'nowhere'")));
  EXPECT_THAT(faults([](IkeConfig& c) { c.psks.push_back(psk({"x"}, "k", "main")); }),
              Contains(HasSubstr("not both")));
  EXPECT_THAT(faults([](IkeConfig& c) { c.listeners[0].name = "a.b"; }), Contains(HasSubstr("letters")));
}

}  // namespace
}  // namespace sluice::edge
