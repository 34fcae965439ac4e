#include "proto/transport/identity.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/unit/proto/test_pki.hpp"

namespace sluice::transport {
namespace {

using pki::Validity;

class IdentityFilesTest : public testing::Test {
 protected:
  IdentityFilesTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluice-identity-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~IdentityFilesTest() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string error_of(const IdentityFiles& files, Role role) {
    const auto loaded = load_identity(files, role);
    return loaded.ok() ? "" : loaded.error();
  }
  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  test::TestPki pki_;
  std::filesystem::path folder_;
};

TEST_F(IdentityFilesTest, NameRoleAndExpiryAreRead) {
  const auto pair = pki_.issue("agent-7.example", Role::kAgent);
  const IdentityFiles files{write("ca", pki_.ca.certificate), write("cert", pair.certificate),
                            write("key", pair.key)};
  const auto loaded = load_identity(files, Role::kAgent);
  ASSERT_TRUE(loaded.ok()) << loaded.error();
  EXPECT_EQ(loaded.value().self().name, "agent-7.example");
  EXPECT_EQ(loaded.value().self().role, Role::kAgent);
  EXPECT_GT(loaded.value().self().expires_at, std::time(nullptr));
  EXPECT_FALSE(loaded.value().self().serial.empty());
}

TEST_F(IdentityFilesTest, ErrorsNameTheFileAndTheCause) {
  const auto pair = pki_.issue("agent1", Role::kAgent);
  const auto stranger = test::TestPki{}.issue("agent1", Role::kAgent);
  const auto ca = write("ca", pki_.ca.certificate), cert = write("cert", pair.certificate),
             key = write("key", pair.key);

  auto error = error_of({folder_ / "none", cert, key}, Role::kAgent);
  EXPECT_TRUE(has(error, "none: No such file")) << error;
  error = error_of({ca, cert, write("open-key", pair.key, 0644)}, Role::kAgent);
  EXPECT_TRUE(has(error, "chmod 600")) << error;
  error = error_of({ca, write("junk", "not a certificate"), key}, Role::kAgent);
  EXPECT_TRUE(has(error, "junk: ")) << error;
  error = error_of({ca, cert, write("junk-key", "not a key")}, Role::kAgent);
  EXPECT_TRUE(has(error, "junk-key: ")) << error;
  error = error_of({ca, cert, write("other-key", stranger.key)}, Role::kAgent);
  EXPECT_TRUE(has(error, "other-key: this key does not belong")) << error;
  error = error_of({ca, cert, key}, Role::kEdge);
  EXPECT_TRUE(has(error, "role \"agent\", wanted is \"edge\"")) << error;
  error = error_of({ca, write("foreign", stranger.certificate), write("foreign-key", stranger.key)},
                   Role::kAgent);
  EXPECT_TRUE(has(error, "foreign: does not hold against the CA")) << error;
  error = error_of({cert, cert, key}, Role::kAgent);
  EXPECT_TRUE(has(error, "not a CA's")) << error;
}

TEST_F(IdentityFilesTest, AnExpiredCertificateIsRefusedAtStart) {
  Validity past;
  past.from = std::chrono::system_clock::now() - std::chrono::hours(48);
  past.to = past.from + std::chrono::hours(24);
  const auto pair = pki_.issue("edge1", Role::kEdge, past);
  const auto error =
      error_of({write("ca", pki_.ca.certificate), write("cert", pair.certificate), write("key", pair.key)},
               Role::kEdge);
  EXPECT_TRUE(has(error, "expired")) << error;
}

TEST_F(IdentityFilesTest, AListThatNamesUsOrIsNotOurCasIsRefused) {
  const auto pair = pki_.issue("edge1", Role::kEdge);
  IdentityFiles files{write("ca", pki_.ca.certificate), write("cert", pair.certificate),
                      write("key", pair.key), write("crl", pki_.crl({pki_.issue("agent1", Role::kAgent)}))};
  EXPECT_EQ(error_of(files, Role::kEdge), "");
  write("crl", pki_.crl({pair}));
  EXPECT_TRUE(has(error_of(files, Role::kEdge), "was revoked on")) << error_of(files, Role::kEdge);
  write("crl", test::TestPki{}.crl({}));
  EXPECT_TRUE(has(error_of(files, Role::kEdge), "crl: this CRL was not signed by the CA"));
  write("crl", "");
  EXPECT_TRUE(has(error_of(files, Role::kEdge), "crl: holds no CRL"));
  files.crl = folder_ / "none";
  EXPECT_TRUE(has(error_of(files, Role::kEdge), "none: No such file"));
}

TEST_F(IdentityFilesTest, ACertificateOfAnotherNameIsRefused) {
  const auto pair = pki_.issue("edge1", Role::kEdge);
  const IdentityFiles files{.ca = write("ca", pki_.ca.certificate),
                            .certificate = write("cert", pair.certificate),
                            .key = write("key", pair.key),
                            .name = "edge2"};
  EXPECT_TRUE(has(error_of(files, Role::kEdge), "is for \"edge1\", but the configured name is \"edge2\""));
}

TEST_F(IdentityFilesTest, TruncatedFilesAreErrors) {
  const auto pair = pki_.issue("edge1", Role::kEdge);
  const std::map<std::string, std::string> whole{
      {"ca", pki_.ca.certificate}, {"cert", pair.certificate}, {"key", pair.key}, {"crl", pki_.crl({})}};
  const IdentityFiles files{folder_ / "ca", folder_ / "cert", folder_ / "key", folder_ / "crl"};
  for (const auto& [name, text] : whole) write(name, text);
  ASSERT_EQ(error_of(files, Role::kEdge), "");
  for (const auto& [name, text] : whole) {
    for (std::size_t size = 0; size + 1 < text.size(); size += 13) {
      write(name, text.substr(0, size));
      const auto error = error_of(files, Role::kEdge);
      EXPECT_TRUE(has(error, (folder_ / name).string() + ": ")) << name << " " << size << ": " << error;
    }
    write(name, text);
  }
}

TEST(Warnings, BeginThirtyDaysBeforeTheEnd) {
  const test::TestPki pki;
  const auto identity = pki.identity(pki.issue("edge1", Role::kEdge), Role::kEdge, pki.crl({}));
  const auto end = identity.self().expires_at;
  constexpr std::int64_t kDay = 24 * 3600;
  EXPECT_TRUE(identity.warnings(end - 32 * kDay).empty());
  const auto soon = identity.warnings(end - 29 * kDay);
  ASSERT_EQ(soon.size(), 2U) << "certificate and CA";
  EXPECT_EQ(soon.front(), "this certificate of the channel ends on " + pki::date_text(end) + ", in 29 days");
  const auto late = identity.warnings(identity.crl_next_update() + kDay);
  ASSERT_EQ(late.size(), 3U);
  EXPECT_NE(late.front().find("ended on"), std::string::npos);
  EXPECT_NE(late.back().find("tls.crl should have been replaced on"), std::string::npos);
}

TEST(Warnings, AreSaidOnceADayAndOfEachIdentity) {
  const test::TestPki pki;
  const auto first = pki.identity("edge1", Role::kEdge), renewed = pki.identity("edge1", Role::kEdge);
  const auto now = first.self().expires_at - 10 * 24 * 3600;
  transport::ExpiryReminder reminder;
  EXPECT_EQ(reminder.due(first, now).size(), 2U);
  EXPECT_TRUE(reminder.due(first, now + 3600).empty());
  EXPECT_EQ(reminder.due(renewed, now + 3601).size(), 2U);
  EXPECT_EQ(reminder.due(renewed, now + 3601 + 24 * 3600).size(), 2U);
}

TEST(Pki, RefusesNothingItLaterCannotRead) {
  const test::TestPki pki;
  for (const auto role : {Role::kEdge, Role::kAgent}) {
    EXPECT_EQ(pki.identity("a-name_1.example", role).self().role, role);
  }
  const auto odd = pki.issue("a name", Role::kAgent);
  EXPECT_FALSE(make_identity({pki.ca.certificate, odd.certificate, odd.key}, Role::kAgent).ok());
}

}  // namespace
}  // namespace sluice::transport
