#include <gtest/gtest.h>

#include "edge/ike/charon_settings.hpp"
#include "edge/ike/vici_driver.hpp"

namespace sluice::edge {
namespace {

struct Recorder final : ViciEvents {
  void vici_ike_up(const IkePeer& peer) override {
    log.push_back("up " + std::to_string(peer.ike_sa.value()));
  }
  void vici_ike_down(std::uint32_t uid) override { log.push_back("down " + std::to_string(uid)); }
  void vici_ike_rekeyed(std::uint32_t old_uid, const IkePeer& peer) override {
    log.push_back("rekeyed " + std::to_string(old_uid) + " " + std::to_string(peer.ike_sa.value()));
  }
  void vici_child_up(std::uint32_t uid, Spi in, Spi out) override { child("child up ", uid, in, out); }
  void vici_child_down(std::uint32_t uid, Spi in, Spi out) override { child("child down ", uid, in, out); }
  void vici_ready() override {}
  void vici_lost() override {}
  void child(const char* what, std::uint32_t uid, Spi in, Spi out) {
    log.push_back(what + std::to_string(uid) + " " + std::to_string(in.value()) + " " +
                  std::to_string(out.value()));
  }
  std::vector<std::string> log;
};

using Log = std::vector<std::string>;

vici::Message ike_sa(unsigned uid) {
  vici::Message out;
  out.add("uniqueid", uid)
      .add("version", 1)
      .add("state", "ESTABLISHED")
      .add("local-host", "203.0.113.1")
      .add("local-port", 4500)
      .add("remote-host", "198.51.100.9")
      .add("remote-port", 40001)
      .add("remote-id", "192.168.7.2")
      .add("nat-any", "yes")
      .add("encr-alg", "AES_CBC")
      .add("encr-keysize", 256)
      .add("integ-alg", "HMAC_SHA1_96")
      .add("prf-alg", "PRF_HMAC_SHA1")
      .add("dh-group", "ECP_384");
  return out;
}
vici::Message child_sa() {
  return vici::Message().add("state", "INSTALLED").add("spi-in", "c0000001").add("spi-out", "0a");
}
vici::Message ours(vici::Message content) {
  vici::Message out;
  out.add_section("sluice-psk-main", std::move(content));
  return out;
}

TEST(ViciEvents, IkeSaIsReadWhole) {
  const auto peer = parse_ike_sa(ike_sa(7));
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->ike_sa, IkeSaId(7));
  EXPECT_EQ(peer->version, 1);
  EXPECT_EQ(peer->local.to_string(), "203.0.113.1:4500");
  EXPECT_EQ(peer->remote.to_string(), "198.51.100.9:40001");
  EXPECT_EQ(peer->identity, "192.168.7.2");
  EXPECT_EQ(peer->proposal, "AES_CBC-256/HMAC_SHA1_96/PRF_HMAC_SHA1/ECP_384");
  EXPECT_TRUE(peer->nat);
}

TEST(ViciEvents, UpAndDown) {
  Recorder recorder;
  auto up = ours(ike_sa(7));
  up.add("up", "yes");
  dispatch_vici_event("ike-updown", up, recorder);
  dispatch_vici_event("ike-updown", ours(ike_sa(7)), recorder);
  EXPECT_EQ(recorder.log, (Log{"up 7", "down 7"}));
}

TEST(ViciEvents, ChildrenComeGoAndAreReplaced) {
  Recorder recorder;
  auto ike = ike_sa(7);
  ike.open("child-sas").add_section("l2tp-1", child_sa());
  auto up = ours(ike);
  up.add("up", "yes");
  dispatch_vici_event("child-updown", up, recorder);
  dispatch_vici_event("child-updown", ours(ike), recorder);
  auto rekey = ike_sa(7);
  vici::Message both;
  both.add_section("old", child_sa());
  both.add_section("new", vici::Message().add("spi-in", "2").add("spi-out", "3"));
  rekey.open("child-sas").add_section("l2tp", std::move(both));
  dispatch_vici_event("child-rekey", ours(rekey), recorder);
  EXPECT_EQ(recorder.log, (Log{"child up 7 3221225473 10", "child down 7 3221225473 10", "child up 7 2 3"}));
}

TEST(ViciEvents, IkeRekeyNamesBoth) {
  Recorder recorder;
  vici::Message both;
  both.add_section("old", ike_sa(7));
  both.add_section("new", ike_sa(8));
  dispatch_vici_event("ike-rekey", ours(both), recorder);
  EXPECT_EQ(recorder.log, (Log{"rekeyed 7 8"}));
}

TEST(ViciEvents, ListGivesWhatIsUp) {
  Recorder recorder;
  auto ike = ike_sa(7);
  ike.open("child-sas").add_section("l2tp-1", child_sa());
  dispatch_list_sa(ours(ike), recorder);
  EXPECT_EQ(recorder.log, (Log{"up 7", "child up 7 3221225473 10"}));
}

TEST(ViciEvents, OtherPeoplesConnectionsAreNotOurs) {
  Recorder recorder;
  vici::Message other;
  other.add("up", "yes").add_section("office", ike_sa(7));
  dispatch_vici_event("ike-updown", other, recorder);
  dispatch_list_sa(other, recorder);
  EXPECT_TRUE(recorder.log.empty());
}

TEST(ViciEvents, IncompleteSectionsAreLeftOut) {
  Recorder recorder;
  auto broken = ours(vici::Message().add("uniqueid", "7").add("remote-host", "nonsense"));
  broken.add("up", "yes");
  dispatch_vici_event("ike-updown", broken, recorder);
  auto child = ike_sa(7);
  child.open("child-sas")
      .add_section("l2tp-1", vici::Message().add("spi-in", "zz").add("spi-out", "1ffffffff"));
  auto up = ours(child);
  up.add("up", "yes");
  dispatch_vici_event("child-updown", up, recorder);
  dispatch_vici_event("ike-rekey", ours(ike_sa(7)), recorder);
  dispatch_vici_event("child-rekey", ours(ike_sa(7)), recorder);
  EXPECT_TRUE(recorder.log.empty());
}

}  // namespace
}  // namespace sluice::edge
