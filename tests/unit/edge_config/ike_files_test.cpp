#include "edge/config/ike_files.hpp"

#include <botan/auto_rng.h>
#include <botan/ec_group.h>
#include <botan/ecdsa.h>
#include <botan/pkcs8.h>
#include <botan/x509_ca.h>
#include <botan/x509self.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

namespace sluice::edge {
namespace {

using ::testing::HasSubstr;

class IkeFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sluice-ike-files-XXXXXX";
    folder_ = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  FilePath write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::ofstream(folder_ / name) << text;
    chmod((folder_ / name).c_str(), mode);
    return folder_ / name;
  }
  Botan::ECDSA_PrivateKey make_key() { return {rng_, Botan::EC_Group("secp256r1")}; }
  Botan::X509_Certificate certify(const Botan::Private_Key& key, bool ca, std::uint32_t seconds = 3600) {
    Botan::X509_Cert_Options options("ike test", seconds);
    if (ca) options.CA_key();
    return Botan::X509::create_self_signed_cert(options, key, "SHA-256", rng_);
  }

  Botan::AutoSeeded_RNG rng_;
  FilePath folder_;
};

TEST_F(IkeFiles, ReadCertificateAndKeyInPemAndDer) {
  const auto key = make_key();
  const auto certificate = certify(key, false);
  const auto der = certificate.BER_encode();
  const auto pem = write("a.pem", certificate.PEM_encode());
  const auto raw = write("a.der", std::string(der.begin(), der.end()));
  for (const auto& file : {pem, raw}) {
    const auto read = read_certificates(file);
    ASSERT_TRUE(read) << read.error();
    ASSERT_EQ(read->size(), 1U);
    EXPECT_EQ(read->front(), ByteVector(der.begin(), der.end()));
  }
  const auto read = read_private_key(write("a.key", Botan::PKCS8::PEM_encode(key)), der);
  ASSERT_TRUE(read) << read.error();
  EXPECT_FALSE(read->empty());
  EXPECT_EQ(validity_fault(pem, der), "");
  EXPECT_THAT(expiry_warning(pem, der), HasSubstr("within 30 days")) << "it is good for an hour";
}

TEST_F(IkeFiles, KeepTheChainInOrder) {
  const auto first = certify(make_key(), false), second = certify(make_key(), true);
  const auto read = read_certificates(write("chain.pem", first.PEM_encode() + second.PEM_encode() + "\n"));
  ASSERT_TRUE(read) << read.error();
  ASSERT_EQ(read->size(), 2U);
  const auto der = first.BER_encode();
  EXPECT_EQ(read->front(), ByteVector(der.begin(), der.end()));
}

TEST_F(IkeFiles, NameWhatIsWrong) {
  const auto key = make_key();
  const auto certificate = certify(key, false);
  const auto der = certificate.BER_encode();
  EXPECT_THAT(read_certificates(write("x.pem", "nonsense")).error(), HasSubstr("is not a certificate"));
  EXPECT_THAT(read_certificates(folder_ / "none.pem").error(), HasSubstr("cannot be read"));
  EXPECT_THAT(read_cas(write("leaf.pem", certificate.PEM_encode())).error(), HasSubstr("no CA's"));
  EXPECT_THAT(read_private_key(write("other.key", Botan::PKCS8::PEM_encode(make_key())), der).error(),
              HasSubstr("does not belong"));
  EXPECT_THAT(read_private_key(write("open.key", Botan::PKCS8::PEM_encode(key), 0640), der).error(),
              HasSubstr("chmod 0600"));
  EXPECT_THAT(read_private_key(write("locked.key", Botan::PKCS8::PEM_encode(key, rng_, "pass")), der).error(),
              HasSubstr("openssl pkcs8"));
  EXPECT_THAT(read_crl(write("x.crl", "nonsense")).error(), HasSubstr("is not a CRL"));
}

TEST_F(IkeFiles, ReadCrlsAndSayWhenTheyAreOld) {
  const auto key = make_key();
  const auto certificate = certify(key, true);
  const Botan::X509_CA ca(certificate, key, "SHA-256", rng_);
  const auto fresh = read_crl(write("fresh.crl", ca.new_crl(rng_, 3600).PEM_encode()));
  ASSERT_TRUE(fresh) << fresh.error();
  EXPECT_EQ(crl_age_warning("fresh.crl", *fresh), "");
  const auto past = std::chrono::system_clock::now() - std::chrono::hours(48);
  const auto old = read_crl(write("old.crl", ca.new_crl(rng_, past, std::chrono::hours(1)).PEM_encode()));
  ASSERT_TRUE(old) << old.error();
  EXPECT_THAT(crl_age_warning("old.crl", *old), HasSubstr("old.crl: the CRL is past its next update"));
}

TEST_F(IkeFiles, RefuseACrlThatWouldNotTakeEffect) {
  const auto bare = read_crl(FilePath(SLUICE_VECTORS) / "ike" / "crl-bare.pem");
  ASSERT_FALSE(bare);
  EXPECT_THAT(bare.error(), HasSubstr("authority key identifier"));
}

TEST_F(IkeFiles, AnyDamageToACertificateIsAnErrorOrAnotherCertificate) {
  const auto der = certify(make_key(), true).BER_encode();
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(read_certificates(
        write("cut.der", std::string(der.begin(), der.begin() + static_cast<std::ptrdiff_t>(size)))))
        << size;
  }
}

}  // namespace
}  // namespace sluice::edge
