#include "proto/pki/authority.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "proto/pki/chain.hpp"
#include "proto/pki/files.hpp"

namespace sluice::pki {
namespace {

namespace fs = std::filesystem;
using std::chrono::days;
using testing::HasSubstr;

class AuthorityTest : public testing::Test {
 protected:
  AuthorityTest() {
    std::string pattern = (fs::temp_directory_path() / "sluice-pki-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    folder_ = root_ / "etc" / "pki";
  }
  ~AuthorityTest() override { fs::remove_all(root_); }

  Authority init() {
    auto made = Authority::init(folder_, "Sluice CA");
    EXPECT_TRUE(made.ok()) << made.error();
    return std::move(made).value();
  }
  std::string open_error(Authority::Access access = Authority::Access::kSign) const {
    const auto opened = Authority::open(folder_, access);
    return opened ? "" : opened.error();
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  std::optional<ChainFault> verdict(const std::string& name, Role role) const {
    const auto anchors = parse_anchors(read(folder_ / "ca.pem"), read(folder_ / "crl.pem"));
    EXPECT_TRUE(anchors.ok());
    const auto error = verify_chain(parse_certificates(read(folder_ / (name + ".pem"))), *anchors, role);
    return error ? std::optional(error->fault) : std::nullopt;
  }
  /// Every file below the folder and what is in it.
  std::map<std::string, std::string> content() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      if (entry.is_regular_file()) out[entry.path().lexically_relative(folder_)] = read(entry.path());
    }
    return out;
  }

  fs::path root_, folder_;
};

TEST_F(AuthorityTest, ALifeFromTheFirstCertificateToItsRevocation) {
  auto pki = init();
  ASSERT_TRUE(pki.issue({"edge1", Role::kEdge, {*IpAddress::parse("192.0.2.1")}}).ok());
  const auto agent = pki.issue({"agent1", Role::kAgent});
  ASSERT_TRUE(agent.ok()) << agent.error();
  EXPECT_EQ(verdict("edge1", Role::kEdge), std::nullopt);
  EXPECT_EQ(verdict("agent1", Role::kAgent), std::nullopt);
  EXPECT_TRUE(key_belongs({read(pki.certificate_file("agent1")), read(pki.key_file("agent1"))}));

  const auto key = read(pki.key_file("agent1"));
  const auto renewed = pki.renew("agent1");
  ASSERT_TRUE(renewed.ok()) << renewed.error();
  EXPECT_NE(renewed->who.serial, agent->who.serial);
  EXPECT_EQ(read(pki.key_file("agent1")), key) << "a renewal keeps the key";
  EXPECT_EQ(verdict("agent1", Role::kAgent), std::nullopt);

  const auto revoked = pki.revoke("agent1");
  ASSERT_TRUE(revoked.ok()) << revoked.error();
  EXPECT_EQ(revoked->size(), 2U) << "the one before the renewal is still in its dates";
  EXPECT_EQ(verdict("agent1", Role::kAgent), ChainFault::kRevoked);
  EXPECT_EQ(verdict("edge1", Role::kEdge), std::nullopt);

  const auto rows = pki.list();
  ASSERT_TRUE(rows.ok()) << rows.error();
  ASSERT_EQ(rows->size(), 3U);
  EXPECT_EQ(rows->at(2).who.name, "edge1");
  EXPECT_EQ(rows->at(2).who.addresses.size(), 1U);
  EXPECT_TRUE(rows->at(0).revoked_at && rows->at(1).revoked_at && !rows->at(2).revoked_at);
  EXPECT_EQ(pki.facts()->revoked, 2U);
}

TEST_F(AuthorityTest, EveryFileIsItsOwnersAlone) {
  auto pki = init();
  ASSERT_TRUE(pki.issue({"agent1", Role::kAgent}).ok());
  ASSERT_TRUE(pki.renew("agent1", {.new_key = true}).ok());
  struct stat info {};
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, entry.is_directory() ? 0700U : 0600U) << entry.path();
    EXPECT_NE(entry.path().extension(), ".new");
  }
  ASSERT_EQ(::stat(folder_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(AuthorityTest, NoKeyIsEverOverwritten) {
  std::string ca_key, agent_key;
  {
    auto pki = init();
    ASSERT_TRUE(pki.issue({"agent1", Role::kAgent}).ok());
    const auto before = content();
    const auto again = pki.issue({"agent1", Role::kAgent});
    ASSERT_FALSE(again.ok());
    EXPECT_THAT(again.error(), HasSubstr("agent1.key is there already: nothing was changed"));
    EXPECT_EQ(content(), before);
  }
  const auto before = content();
  const auto second = Authority::init(folder_, "Another CA");
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error(), HasSubstr("ca.key is there already"));
  EXPECT_EQ(content(), before);
  EXPECT_THAT(*write_new_file(folder_ / "ca.key", "x"), HasSubstr("File exists"));
  EXPECT_EQ(content(), before);
}

TEST_F(AuthorityTest, ANewKeyLeavesTheOldOneAside) {
  auto pki = init();
  ASSERT_TRUE(pki.issue({"agent1", Role::kAgent}).ok());
  const auto key = read(pki.key_file("agent1")), certificate = read(pki.certificate_file("agent1"));
  const auto next = pki.renew("agent1", {.new_key = true});
  ASSERT_TRUE(next.ok()) << next.error();
  EXPECT_NE(read(pki.key_file("agent1")), key);
  EXPECT_TRUE(key_belongs({read(pki.certificate_file("agent1")), read(pki.key_file("agent1"))}));
  EXPECT_EQ(read(folder_ / "retired" / ("agent1-" + next->who.serial + ".key")), key);
  EXPECT_EQ(read(folder_ / "retired" / ("agent1-" + next->who.serial + ".pem")), certificate);
}

TEST_F(AuthorityTest, AReplacementThatWasCutShortIsMendedByTheNext) {
  auto pki = init();
  ASSERT_TRUE(pki.issue({"agent1", Role::kAgent}).ok());
  const auto old = read(pki.certificate_file("agent1"));
  ASSERT_TRUE(pki.renew("agent1", {.new_key = true}).ok());
  write("agent1.pem", old);  // as if the power had gone between key and certificate
  ASSERT_TRUE(pki.renew("agent1", {.new_key = true}).ok());
  EXPECT_TRUE(key_belongs({read(pki.certificate_file("agent1")), read(pki.key_file("agent1"))}));
  std::size_t kept = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "retired"))
    kept += entry.path().extension() == ".key" ? 1 : 0;
  EXPECT_EQ(kept, 2U) << "no key is lost";
}

TEST_F(AuthorityTest, ARevokedKeyIsNotCertifiedAgain) {
  auto pki = init();
  ASSERT_TRUE(pki.issue({"agent1", Role::kAgent}).ok());
  ASSERT_TRUE(pki.revoke("agent1").ok());
  const auto same = pki.renew("agent1");
  ASSERT_FALSE(same.ok());
  EXPECT_THAT(same.error(), HasSubstr("--new-key"));
  ASSERT_TRUE(pki.renew("agent1", {.new_key = true}).ok());
  EXPECT_EQ(verdict("agent1", Role::kAgent), std::nullopt);
  EXPECT_EQ(pki.revoke("agent1")->size(), 1U);
}

TEST_F(AuthorityTest, OneOfSeveralCertificatesCanBeRevoked) {
  auto pki = init();
  const auto first = pki.issue({"agent1", Role::kAgent});
  ASSERT_TRUE(pki.renew("agent1", {.new_key = true}).ok());
  ASSERT_TRUE(pki.revoke("agent1", first->who.serial).ok());
  EXPECT_EQ(verdict("agent1", Role::kAgent), std::nullopt);
  EXPECT_FALSE(pki.revoke("agent1", first->who.serial).ok()) << "once is enough";
  EXPECT_FALSE(pki.revoke("agent2").ok());
}

TEST_F(AuthorityTest, ARenewalKeepsTheAddressesUnlessToldOtherwise) {
  auto pki = init();
  const auto home = *IpAddress::parse("192.0.2.1");
  ASSERT_TRUE(pki.issue({"agent1", Role::kAgent, {home}}).ok());
  EXPECT_EQ(pki.renew("agent1")->who.addresses, std::vector{home});
  EXPECT_TRUE(pki.renew("agent1", {.addresses = std::vector<IpAddress>{}})->who.addresses.empty());
}

TEST_F(AuthorityTest, LivesAreSaneAndWithinTheCas) {
  const auto now = std::chrono::system_clock::now();
  auto pki = init();
  const auto row = pki.issue({"agent1", Role::kAgent});
  EXPECT_NEAR(static_cast<double>(row->who.expires_at),
              static_cast<double>(std::chrono::system_clock::to_time_t(now + kCertificateDays)), 60);
  EXPECT_GE(pki.facts()->crl_next_update, row->who.expires_at) << "who renews in time meets no old list";
  const auto late = pki.issue({"agent2", Role::kAgent}, kCertificateDays, now + kCaDays - days(10));
  ASSERT_FALSE(late.ok());
  EXPECT_THAT(late.error(), HasSubstr("the CA itself ends on"));
  EXPECT_FALSE(pki.issue({"agent2", Role::kAgent}, days(0)).ok());
}

TEST_F(AuthorityTest, NamesThatWouldBeOtherFilesAreRefused) {
  auto pki = init();
  const auto before = content();
  for (const auto* name : {"ca", "crl", "..", "../agent1", "a/b", "", "a b"}) {
    EXPECT_FALSE(pki.issue({name, Role::kAgent}).ok()) << name;
    EXPECT_FALSE(pki.renew(name).ok()) << name;
    EXPECT_FALSE(pki.revoke(name).ok()) << name;
  }
  EXPECT_EQ(content(), before);
}

TEST_F(AuthorityTest, OneProcessAtATime) {
  const auto pki = init();
  EXPECT_THAT(open_error(), HasSubstr("another program is at work"));
}

TEST_F(AuthorityTest, ReadingNeedsNoKeyAndSigningDoes) {
  { ASSERT_TRUE(init().issue({"agent1", Role::kAgent}).ok()); }
  fs::remove(folder_ / "ca.key");
  EXPECT_EQ(open_error(Authority::Access::kRead), "");
  EXPECT_THAT(open_error(), HasSubstr("ca.key: No such file"));
}

TEST_F(AuthorityTest, ErrorsSayWhichFileAndWhatToDo) {
  EXPECT_THAT(open_error(), HasSubstr("'sluicectl pki init' makes a CA"));
  std::string key;
  {
    auto pki = init();
    key = read(pki.key_file("ca"));
  }
  const auto crl = read(folder_ / "crl.pem"), ca = read(folder_ / "ca.pem");
  fs::remove(folder_ / "crl.pem");
  EXPECT_THAT(open_error(), HasSubstr("crl.pem: No such file"));
  write("crl.pem", "");
  EXPECT_THAT(open_error(), HasSubstr("crl.pem: must hold one CRL"));
  write("crl.pem", crl);
  EXPECT_EQ(open_error(), "");
  ::chmod((folder_ / "ca.key").c_str(), 0644);
  EXPECT_THAT(open_error(), HasSubstr("chmod 600"));
  ::chmod((folder_ / "ca.key").c_str(), 0600);
  write("ca.key", make_ca("x", {})->key);
  EXPECT_THAT(open_error(), HasSubstr("ca.key: this is not the key of"));
  write("ca.key", key);
  EXPECT_EQ(open_error(), "");
}

TEST_F(AuthorityTest, TruncatedFilesAreRefusedNotRead) {
  {
    auto pki = init();
    ASSERT_TRUE(pki.issue({"agent1", Role::kAgent}).ok());
    ASSERT_TRUE(pki.revoke("agent1").ok());
  }
  for (const auto* name : {"ca.pem", "ca.key", "crl.pem"}) {
    const auto whole = read(folder_ / name);
    for (std::size_t size = 0; size + 1 < whole.size(); size += 11) {
      write(name, whole.substr(0, size));
      EXPECT_THAT(open_error(), HasSubstr(name)) << size;
    }
    write(name, whole);
    EXPECT_EQ(open_error(), "") << name;
  }
}

TEST_F(AuthorityTest, ARunThatWasCutShortDoesNotBlockTheNext) {
  auto pki = init();
  write(".agent1.key.new", "half a key");
  ASSERT_TRUE(pki.issue({"agent1", Role::kAgent}).ok());
  EXPECT_TRUE(key_belongs({read(pki.certificate_file("agent1")), read(pki.key_file("agent1"))}));
}

}  // namespace
}  // namespace sluice::pki
