#include "proto/transport/identity.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/proto/test_pki.hpp"

namespace sluice::transport {
namespace {

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

TEST(Pki, RefusesNothingItLaterCannotRead) {
  const test::TestPki pki;
  for (const auto role : {Role::kEdge, Role::kAgent}) {
    EXPECT_EQ(pki.identity("a-name_1.example", role).self().role, role);
  }
  const auto odd = pki.issue("a name", Role::kAgent);
  EXPECT_FALSE(make_identity(pki.ca.certificate, odd.certificate, odd.key, Role::kAgent).ok());
}

}  // namespace
}  // namespace sluice::transport
