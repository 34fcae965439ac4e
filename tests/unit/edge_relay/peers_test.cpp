#include "edge/relay/peers.hpp"

#include "tests/unit/edge_relay/tables.hpp"

namespace sluice::edge::testing {
namespace {

using std::chrono::seconds;

TEST(Peers, GivesSpisWhoseLowBitsNameThePeersWorker) {
  for (const std::uint32_t workers : {1U, 2U, 3U, 4U, 7U}) {
    Tables tables(workers);
    for (std::uint32_t i = 1; i <= 40; ++i) {
      const auto remote = "203.0.113.5:" + std::to_string(40000 + i);
      const auto spi = tables.dial_in(i, remote.c_str());
      const auto* peer = tables.peers.find(IkeSaId(i));
      EXPECT_EQ(channel::worker_of(spi, workers), peer->worker);
      EXPECT_GE(spi.value(), 256U);
    }
    std::map<std::uint32_t, int> load;
    for (const auto& [id, peer] : tables.peers.all()) ++load[peer.worker];
    EXPECT_EQ(load.size(), workers) << "every worker gets its share";
  }
}

TEST(Peers, GivesNewPeersToTheWorkerWithCpuToSpare) {
  Tables tables(3);
  const std::uint32_t used[] = {950, 400, 420};  // the first also carries all IKE, say
  tables.peers.workers_used(used);
  std::map<std::uint32_t, int> load;
  for (std::uint32_t i = 1; i <= 10; ++i) {
    tables.dial_in(i, ("203.0.113.5:" + std::to_string(40000 + i)).c_str());
    ++load[tables.peers.find(IkeSaId(i))->worker];
  }
  EXPECT_EQ(load[0], 0);
  EXPECT_EQ(load[1], 5) << "a few percent are no difference";
  EXPECT_EQ(load[2], 5);
  const std::uint32_t later[] = {100, 900, 900};
  tables.peers.workers_used(later);
  tables.dial_in(11, "203.0.113.5:40011");
  EXPECT_EQ(tables.peers.find(IkeSaId(11))->worker, 0U);
}

TEST(Peers, KeepsClientsApartThatShareIdentityAndAddress) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  tables.dial_in(2, "203.0.113.5:40002");
  EXPECT_NE(tables.peer_of(1), tables.peer_of(2));
  EXPECT_NE(tables.peers.find(IkeSaId(1))->correlation_id, tables.peers.find(IkeSaId(2))->correlation_id);
}

TEST(Peers, KeepsThePeerOverRekeyAndReauthentication) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  const auto id = tables.peer_of(1);
  tables.dial_in(2, "203.0.113.5:40001");
  EXPECT_EQ(tables.peer_of(2), id) << "same place, same identity: a new Main Mode of the same client";
  IkePeer rekeyed;
  rekeyed.ike_sa = IkeSaId(3);
  tables.peers.ike_rekeyed(IkeSaId(2), rekeyed);
  EXPECT_EQ(tables.peer_of(3), id);
  tables.peers.ike_down(IkeSaId(1));
  tables.peers.ike_down(IkeSaId(2));
  EXPECT_EQ(tables.peers.find(id)->ike.ike_sa, IkeSaId(3));
}

TEST(Peers, KnowsAClientAgainThatMovedAndReauthenticatedBeforeItsEspCame) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  const auto id = tables.peer_of(1);
  IkePeer anew;
  anew.ike_sa = IkeSaId(2);
  anew.identity = "192.168.1.10";
  anew.local = *Endpoint::parse("192.0.2.1:4500");
  anew.remote = *Endpoint::parse("203.0.113.5:40777");
  tables.peers.ike_up(anew);
  ASSERT_NE(tables.peer_of(2), id) << "it could be a neighbour";
  tables.peers.moved(id, anew.remote);
  EXPECT_EQ(tables.peer_of(2), id);
  EXPECT_EQ(tables.peers.all().size(), 1U);
  tables.peers.ike_down(IkeSaId(1));
  EXPECT_EQ(tables.peers.find(id)->ike.ike_sa, IkeSaId(2));
}

TEST(Peers, ANeighbourWithSasIsNotTakenForADouble) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  tables.dial_in(2, "203.0.113.5:40002");
  const auto first = tables.peer_of(1), second = tables.peer_of(2);
  tables.peers.moved(first, *Endpoint::parse("203.0.113.5:40002"));
  EXPECT_EQ(tables.peer_of(1), first);
  EXPECT_EQ(tables.peer_of(2), second);
}

TEST(Peers, RefusesTunnelModeUnknownSuitesAndSpisNeverGivenOut) {
  Tables tables;
  const auto in = tables.dial_in(1, "203.0.113.5:40001");
  auto tunnel_mode = tables.spec(in, 1, "203.0.113.5:40001", true, "x");
  tunnel_mode.transport_mode = false;
  EXPECT_EQ(tables.peers.add_sa(std::move(tunnel_mode)), SaError::kNotSupported);
  auto null = tables.spec(in, 1, "203.0.113.5:40001", true, "x");
  null.encryption = 11;
  EXPECT_EQ(tables.peers.add_sa(std::move(null)), SaError::kNotSupported);
  EXPECT_EQ(tables.peers.add_sa(tables.spec(Spi(0x1234), 1, "203.0.113.5:40001", true, "x")),
            SaError::kNotFound);
}

TEST(Peers, RemovesAPeerOnlyAfterItsGraceTimeWithoutSas) {
  Tables tables;
  const auto in = tables.dial_in(1, "203.0.113.5:40001");
  const auto id = tables.peer_of(1);
  const auto remote = *Endpoint::parse("203.0.113.5:40001");
  tables.peers.ike_down(IkeSaId(1));
  tables.now += seconds(100);
  tables.peers.tick();
  EXPECT_NE(tables.peers.find(id), nullptr) << "its child SA lives";
  EXPECT_FALSE(tables.peers.remove_sa(in, true, *Endpoint::parse("192.0.2.1:4500")));
  EXPECT_FALSE(tables.peers.remove_sa(Spi(0xc0000001U), false, remote));
  tables.now += seconds(14);
  tables.peers.tick();
  EXPECT_NE(tables.peers.find(id), nullptr);
  tables.now += seconds(2);
  tables.peers.tick();
  EXPECT_EQ(tables.peers.find(id), nullptr);
  EXPECT_EQ(tables.posted<RemovePeer>().size(), 1U);
  EXPECT_EQ(tables.peers.sa_count(), 0U);
}

TEST(Peers, AClientThatRedialsAtTheEndOfItsGraceTimeGetsItsSas) {
  Tables tables;
  const auto in = tables.dial_in(1, "203.0.113.5:40001");
  const auto id = tables.peer_of(1);
  const auto local = *Endpoint::parse("192.0.2.1:4500"), remote = *Endpoint::parse("203.0.113.5:40001");
  tables.peers.ike_down(IkeSaId(1));
  EXPECT_FALSE(tables.peers.remove_sa(in, true, local));
  EXPECT_FALSE(tables.peers.remove_sa(Spi(0xc0000001U), false, remote));
  tables.now += seconds(14);
  const auto again = tables.peers.allocate_spi(IkeSaId(2), tables.peers.find(id)->identity, local, remote);
  ASSERT_TRUE(again);
  tables.now += seconds(2);
  tables.peers.tick();
  ASSERT_NE(tables.peers.find(id), nullptr) << "its SAs are on their way";
  EXPECT_FALSE(tables.peers.add_sa(tables.spec(*again, 2, "203.0.113.5:40001", true, "x")));
}

TEST(Peers, EndsOrphanedSasOnlyAfterTheyWereIdleForLong) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  const auto id = tables.peer_of(1);
  tables.peers.ike_down(IkeSaId(1));  // the IKE daemon died; nobody will ever delete these SAs
  tables.now += std::chrono::minutes(9);
  tables.peers.find(id)->children.at(0).stats_in->last_use.add(
      static_cast<std::uint64_t>(std::chrono::duration_cast<seconds>(tables.now.time_since_epoch()).count()));
  tables.now += std::chrono::minutes(9);
  tables.peers.tick();
  EXPECT_NE(tables.peers.find(id), nullptr) << "it carried traffic nine minutes ago";
  tables.now += std::chrono::minutes(2);
  tables.peers.tick();
  EXPECT_EQ(tables.posted<RemoveSa>().size(), 2U) << "both halves of the pair";
  tables.now += seconds(16);
  tables.peers.tick();
  EXPECT_EQ(tables.peers.find(id), nullptr);
  EXPECT_EQ(tables.peers.sa_count(), 0U);
}

TEST(Peers, EndsAnOrphanOfAPeerThatCameBackAndKeepsItsNewSas) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  const auto id = tables.peer_of(1);
  tables.peers.ike_down(IkeSaId(1));
  const auto fresh = tables.dial_in(2, "203.0.113.5:40001");
  EXPECT_EQ(tables.peer_of(2), id);
  ASSERT_EQ(tables.peers.find(id)->children.size(), 2U);
  tables.now += std::chrono::minutes(11);
  tables.peers.tick();
  ASSERT_EQ(tables.peers.find(id)->children.size(), 1U);
  EXPECT_EQ(tables.peers.find(id)->children.front().in, fresh);
}

TEST(Peers, EndsSasOfAnIkeSaThatWasNeverToldOf) {
  Tables tables;
  const auto remote = *Endpoint::parse("203.0.113.5:40001");
  const auto in =
      tables.peers.allocate_spi(IkeSaId(1), "192.168.1.10", *Endpoint::parse("192.0.2.1:4500"), remote);
  ASSERT_TRUE(in);
  EXPECT_FALSE(tables.peers.add_sa(tables.spec(*in, 1, "203.0.113.5:40001", true, "192.168.1.10")));
  tables.now += seconds(2);
  tables.peers.tick();
  EXPECT_EQ(tables.peers.sa_count(), 1U);
  tables.now += std::chrono::minutes(11);
  tables.peers.tick();
  EXPECT_EQ(tables.peers.sa_count(), 0U);
}

TEST(Peers, GivesTwoClientsTwoIdsEvenAtOnePlace) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001", "a");
  const auto first = tables.peers.find(IkeSaId(1))->correlation_id;
  tables.contact = first;
  tables.dial_in(2, "203.0.113.5:40001", "b");
  EXPECT_NE(tables.peers.find(IkeSaId(2))->correlation_id, first);
}

TEST(Peers, SasThatANewIkeSaTookOverAreNoOrphans) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  const auto id = tables.peer_of(1);
  IkePeer again;
  again.ike_sa = IkeSaId(7);
  tables.peers.ike_rekeyed(IkeSaId(1), again);
  tables.peers.ike_down(IkeSaId(1));
  tables.now += std::chrono::hours(1);
  tables.peers.tick();
  EXPECT_EQ(tables.peers.find(id)->children.size(), 1U);
}

TEST(Peers, TellsTheIkeGuardWhereClientsWithSasAre) {
  Tables tables;
  const auto in = tables.dial_in(1, "203.0.113.5:40001");
  const auto id = tables.peer_of(1);
  const auto told = [&] {
    std::vector<std::pair<std::string, bool>> out;
    for (const auto* command : tables.posted<LiveSource>())
      out.emplace_back(command->source.to_string(), command->live);
    return out;
  };
  using Told = std::vector<std::pair<std::string, bool>>;
  EXPECT_EQ(told(), (Told{{"203.0.113.5", true}}));
  tables.peers.moved(id, *Endpoint::parse("203.0.113.5:40002"));
  EXPECT_EQ(told().size(), 1U) << "another port is the same address";
  tables.peers.moved(id, *Endpoint::parse("203.0.113.6:40002"));
  EXPECT_EQ(told(), (Told{{"203.0.113.5", true}, {"203.0.113.5", false}, {"203.0.113.6", true}}));
  EXPECT_FALSE(tables.peers.remove_sa(in, true, *Endpoint::parse("192.0.2.1:4500")));
  EXPECT_EQ(told().size(), 3U);
  tables.peers.remove(id);
  EXPECT_EQ(told().back(), (std::pair<std::string, bool>{"203.0.113.6", false}));
}

TEST(Peers, BearsTheIdOfItsFirstIkePacket) {
  Tables tables;
  tables.contact = "c0ffee";
  tables.dial_in(1, "203.0.113.5:40001");
  EXPECT_EQ(tables.peers.find(tables.peer_of(1))->correlation_id, "c0ffee");
}

TEST(Peers, TellsTwoOutboundSasWithTheSameSpiApart) {
  Tables tables;
  tables.dial_in(1, "203.0.113.5:40001");
  tables.dial_in(2, "203.0.113.6:40001");
  // Both peers happen to choose the same number.
  const auto more = [&](std::uint32_t ike, const char* remote) {
    const auto in = tables.peers.allocate_spi(IkeSaId(ike), "x", *Endpoint::parse("192.0.2.1:4500"),
                                              *Endpoint::parse(remote));
    EXPECT_FALSE(tables.peers.add_sa(tables.spec(*in, ike, remote, true, "x")));
    EXPECT_FALSE(tables.peers.add_sa(tables.spec(Spi(0xabcdef01), ike, remote, false, "x")));
  };
  more(1, "203.0.113.5:40001");
  more(2, "203.0.113.6:40001");
  EXPECT_FALSE(tables.peers.remove_sa(Spi(0xabcdef01), false, *Endpoint::parse("203.0.113.6:40001")));
  const auto removed = tables.posted<RemoveSa>();
  ASSERT_EQ(removed.size(), 1U);
  EXPECT_EQ(removed[0]->peer, tables.peer_of(2));
}

TEST(Peers, TakesBackAnSpiThatWasNeverInstalled) {
  Tables tables;
  const auto local = *Endpoint::parse("192.0.2.1:4500");
  const auto spi = tables.peers.allocate_spi(IkeSaId(1), "x", local, *Endpoint::parse("203.0.113.5:1"));
  ASSERT_TRUE(spi);
  EXPECT_FALSE(tables.peers.remove_sa(*spi, true, local));
  EXPECT_EQ(tables.peers.remove_sa(*spi, true, local), SaError::kNotFound);
  tables.now += seconds(2);
  tables.peers.tick();
  EXPECT_EQ(tables.posted<RemoveSa>().size(), 1U);
  EXPECT_EQ(tables.peers.add_sa(tables.spec(*spi, 1, "203.0.113.5:1", true, "x")), SaError::kNotFound);
}

TEST(Peers, InstallsAnSpiThatWasReturnedAMomentBefore) {
  Tables tables;
  const auto local = *Endpoint::parse("192.0.2.1:4500");
  const auto spi = tables.peers.allocate_spi(IkeSaId(1), "x", local, *Endpoint::parse("203.0.113.5:1"));
  ASSERT_TRUE(spi);
  EXPECT_FALSE(tables.peers.remove_sa(*spi, true, local));
  EXPECT_FALSE(tables.peers.add_sa(tables.spec(*spi, 1, "203.0.113.5:1", true, "x")));
  tables.now += seconds(2);
  tables.peers.tick();
  EXPECT_TRUE(tables.posted<RemoveSa>().empty());
  EXPECT_FALSE(tables.peers.remove_sa(*spi, true, local)) << "it is there, and can go";
}

TEST(Peers, ReturnedSpisGoWithTheirPeer) {
  Tables tables;
  const auto local = *Endpoint::parse("192.0.2.1:4500");
  const auto spi = tables.peers.allocate_spi(IkeSaId(1), "x", local, *Endpoint::parse("203.0.113.5:1"));
  EXPECT_FALSE(tables.peers.remove_sa(*spi, true, local));
  tables.peers.remove(tables.peer_of(1));
  tables.now += seconds(2);
  tables.peers.tick();
  EXPECT_TRUE(tables.peers.all().empty());
}

}  // namespace
}  // namespace sluice::edge::testing
