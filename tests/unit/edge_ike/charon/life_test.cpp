#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>

#include "edge/ike/charon_settings.hpp"
#include "world.hpp"

namespace sluice::edge::test {
namespace {

using namespace std::chrono_literals;

const auto kNat = Endpoint::parse("198.51.100.9:40000");

/// charon's pid, as it says itself: the only child of ours in that run directory.
pid_t charon_of(const World& world) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::error_code error;
    const auto cwd = std::filesystem::read_symlink(entry.path() / "cwd", error);
    if (!error && cwd == world.dir.path() / "ike")
      return static_cast<pid_t>(std::stol(entry.path().filename()));
  }
  return -1;
}

/// The client's one IKE SA and its child are gone. What charon says of them and what it does to SAs comes on
/// two ways, in any order.
bool over(const World& world) {
  return !world.events.down.empty() && world.events.children_down.size() == 1 && world.plane.sas.empty();
}

struct Connected : testing::Test {
  void connect(World& world, Client& client) {
    world.start();
    ASSERT_TRUE(world.connect(client)) << client.outcome.value_or("no answer");
    ASSERT_EQ(world.plane.sas.size(), 2u);
  }
};

using Rekey = Connected;

TEST_F(Rekey, OfTheChildByTheClientKeepsThePeer) {
  World world;
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  const Pair before = world.events.children_up.at(0);
  const std::uint32_t reqid = world.plane.sas.at(0).reqid;
  client.command("rekey", vici::Message().add("child", "c"));
  ASSERT_TRUE(world.wait([&] { return world.events.children_up.size() == 2; }));
  const Pair after = world.events.children_up.at(1);
  EXPECT_EQ(after.ike_sa, before.ike_sa);
  EXPECT_NE(after.inbound, before.inbound);
  ASSERT_GE(world.plane.sas.size(), 2u);
  EXPECT_TRUE(world.plane.sas.back().rekeyed);
  EXPECT_EQ(world.plane.sas.back().reqid, reqid);
  EXPECT_TRUE(world.events.down.empty());
  EXPECT_EQ(world.events.up.size(), 1u);

  // The client deletes the old one, and exactly that goes.
  client.command("terminate", vici::Message().add("child-id", 1).add("timeout", "2000").add("loglevel", -1));
  ASSERT_TRUE(
      world.wait([&] { return !world.events.children_down.empty() && world.plane.count(true) == 1; }));
  EXPECT_EQ(world.events.children_down.at(0).inbound, before.inbound);
  EXPECT_EQ(world.plane.find(true)->spi, after.inbound);
  EXPECT_TRUE(world.events.down.empty());
}

TEST_F(Rekey, OfTheChildInIkev2) {
  World world;
  Client& client = world.add_client({.version = 2, .ike_proposal = "aes256-sha256-ecp256"}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  const Pair before = world.events.children_up.at(0);
  client.command("rekey", vici::Message().add("child", "c"));
  ASSERT_TRUE(world.wait([&] { return world.events.children_down.size() == 1; }));
  ASSERT_EQ(world.events.children_up.size(), 2u);
  EXPECT_EQ(world.events.children_down.at(0).inbound, before.inbound);
  EXPECT_EQ(world.events.children_up.at(1).ike_sa, before.ike_sa);
  EXPECT_TRUE(world.wait([&] { return world.plane.sas.size() == 2; }));
}

TEST_F(Rekey, OfTheIkeSaInIkev2) {
  World world;
  Client& client = world.add_client({.version = 2, .ike_proposal = "aes256-sha256-ecp256"}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  const IkeSaId before = world.events.up.at(0).ike_sa;
  client.command("rekey", vici::Message().add("ike", "home"));
  ASSERT_TRUE(world.wait([&] { return !world.events.rekeyed.empty(); }));
  EXPECT_EQ(world.events.rekeyed.at(0).first, before);
  const IkeSaId after = world.events.rekeyed.at(0).second.ike_sa;
  EXPECT_NE(after, before);
  EXPECT_TRUE(world.events.down.empty());
  EXPECT_EQ(world.plane.sas.size(), 2u);
  // The child is the new one's now.
  world.provider->terminate(after);
  ASSERT_TRUE(world.wait([&] { return over(world); }));
  EXPECT_EQ(world.events.down.at(0), after);
  EXPECT_EQ(world.events.children_down.at(0).ike_sa, after);
}

// macOS and Windows re-authenticate by a new Main Mode, and the children must live on.
TEST_F(Rekey, ReauthenticationInIkev1TakesTheChildrenAlong) {
  World world;
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  const Pair child = world.events.children_up.at(0);
  client.command("rekey", vici::Message().add("ike", "home").add("reauth", "yes"));
  ASSERT_TRUE(world.wait([&] { return !world.events.rekeyed.empty(); }));
  EXPECT_EQ(world.events.rekeyed.at(0).first, child.ike_sa);
  EXPECT_EQ(world.events.rekeyed.at(0).second.ike_sa, world.events.up.at(1).ike_sa);
  EXPECT_TRUE(world.events.children_down.empty());
  EXPECT_TRUE(world.events.down.empty());
  EXPECT_EQ(world.plane.count(true), 1u);
}

using End = Connected;

TEST_F(End, ByTheEdgeTellsTheClient) {
  World world;
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  world.provider->terminate(world.events.up.at(0).ike_sa);
  ASSERT_TRUE(world.wait([&] { return over(world) && client.plane.sas.empty(); }));
  EXPECT_EQ(world.events.down.at(0), world.events.up.at(0).ike_sa);
}

TEST_F(End, ByTheClient) {
  World world;
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  client.command("terminate", vici::Message().add("ike", "home").add("timeout", "2000").add("loglevel", -1));
  ASSERT_TRUE(world.wait([&] { return over(world); }));
  EXPECT_TRUE(world.events.failures.empty());
}

TEST_F(End, OfTheProviderTellsTheClient) {
  World world;
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  const pid_t charon = charon_of(world);
  ASSERT_GT(charon, 0);
  world.provider->stop();
  EXPECT_TRUE(world.plane.sas.empty());
  EXPECT_EQ(::kill(charon, 0), -1);
  EXPECT_TRUE(world.wait([&] { return client.plane.sas.empty(); }));
}

TEST_F(End, OfAnSasLifeEndsTheChildOnly) {
  World world;
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  const SaSpec& in = *world.plane.find(true);
  world.provider->expired(in.spi, in.destination, true);
  ASSERT_TRUE(world.wait([&] { return world.plane.sas.empty() && !world.events.children_down.empty(); }));
  EXPECT_TRUE(world.events.down.empty());
  EXPECT_TRUE(world.wait([&] { return client.plane.sas.empty(); }));
}

using Roaming = Connected;

TEST_F(Roaming, NewNatMappingMovesTheSas) {
  World world;
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  const SaSpec& in = *world.plane.find(true);
  const Endpoint moved = *Endpoint::parse("198.51.100.10:61000");
  world.provider->moved(in.spi, in.destination, in.source, moved);
  ASSERT_TRUE(world.wait([&] {
    return world.plane.find(false)->destination == moved && world.plane.find(true)->source == moved;
  }));
  EXPECT_TRUE(world.plane.find(true)->udp_encapsulated);
  // And can still be ended at the new place.
  world.provider->terminate(world.events.up.at(0).ike_sa);
  EXPECT_TRUE(world.wait([&] { return world.plane.sas.empty(); }));
}

using Trouble = Connected;

TEST_F(Trouble, CharonKilledComesBackAndOldSasFlowOn) {
  World world;
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  const IkeSaId before = world.events.up.at(0).ike_sa;
  const pid_t charon = charon_of(world);
  ASSERT_GT(charon, 0);
  ASSERT_EQ(::kill(charon, SIGKILL), 0);
  ASSERT_TRUE(world.wait([&] { return world.events.readiness.size() >= 3; }));
  EXPECT_EQ(world.events.readiness, (std::vector<bool>{true, false, true}));
  EXPECT_EQ(world.plane.sas.size(), 2u);
  EXPECT_EQ(world.events.down, std::vector<IkeSaId>{before}) << "nobody can rekey it any more";

  Client& other = world.add_client({}, Endpoint::parse("198.51.100.9:50000"));
  ASSERT_TRUE(world.wait([&] { return other.loaded && other.connected; }));
  ASSERT_TRUE(world.connect(other)) << other.outcome.value_or("no answer");
  EXPECT_GT(world.events.up.at(1).ike_sa, before);
  EXPECT_EQ(world.plane.sas.size(), 4u);
  // What the old charon had can still be asked to end.
  world.provider->terminate(before);
  ASSERT_TRUE(world.wait([&] { return world.events.down.size() == 2; }));
  EXPECT_EQ(world.events.down.at(1), before);
}

TEST_F(Trouble, EdgeThatComesBackEmptyIsGivenTheSasAgain) {
  World world;
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  ASSERT_TRUE(world.wait([&] { return client.plane.sas.size() == 2; }));
  const ByteVector key(client.plane.sas[0].encryption_key.bytes().begin(),
                       client.plane.sas[0].encryption_key.bytes().end());
  client.connected = false;
  client.stop_feed();
  client.start_feed();  // another boot number
  ASSERT_TRUE(world.wait([&] { return client.plane.sas.size() == 4; }));
  const auto& first = client.plane.sas[0];
  const auto& again = client.plane.sas[2];
  EXPECT_TRUE(again.restored && !first.restored);
  EXPECT_EQ(again.spi, first.spi) << "in the order of installation";
  EXPECT_EQ(ByteVector(again.encryption_key.bytes().begin(), again.encryption_key.bytes().end()), key);
  for (const auto* sa : {&client.plane.sas[2], &client.plane.sas[3]}) {
    EXPECT_EQ(sa->last_sequence, sa->inbound ? 0U : kSequenceChunk) << "whatever was reserved may be used";
    EXPECT_EQ(sa->reserved, sa->inbound ? 0U : 2 * kSequenceChunk);
  }
  EXPECT_TRUE(world.events.down.empty()) << "nobody was told of an end";
}

struct Kept : Connected {
  static void keep(IkeConfig& config) {
    config.keep_over_restart = true;
    config.linger = 5s;
  }
};

TEST_F(Kept, CharonAndItsSasAreTakenOverByTheNextProvider) {
  World world(keep);
  Client& client = world.add_client({}, kNat);
  ASSERT_NO_FATAL_FAILURE(connect(world, client));
  const pid_t charon = charon_of(world);
  const Spi in = world.plane.find(true)->spi, out = world.plane.find(false)->spi;
  world.provider->reserve(out, kNat.value(), 3 * kSequenceChunk);
  ASSERT_TRUE(world.wait([&] { return !world.plane.reservations.empty(); }));
  EXPECT_EQ(world.plane.reservations[0], 3 * kSequenceChunk);
  const SaSeen seen{in, 1234};
  world.provider->seen({&seen, 1});
  world.provider->leave();
  world.plane.sas.clear();
  world.events.up.clear();
  world.make_provider(keep);
  world.start();
  ASSERT_TRUE(world.provider->ready());
  EXPECT_EQ(charon_of(world), charon);
  ASSERT_EQ(world.plane.sas.size(), 2u);
  EXPECT_EQ(world.plane.find(true)->spi, in);
  EXPECT_EQ(world.plane.find(true)->last_sequence, 1234u);
  EXPECT_EQ(world.plane.find(true)->note, "c0ffee");
  EXPECT_EQ(world.plane.find(false)->last_sequence, 3 * kSequenceChunk);
  EXPECT_TRUE(world.plane.find(false)->restored);
  ASSERT_TRUE(world.wait([&] { return world.events.up.size() == 1; }));
  EXPECT_EQ(world.events.up[0].ike_sa, world.plane.find(true)->ike_sa) << "vici and sa-feed mean the same";
  // It serves the client on: a rekey of the child.
  client.command("rekey", vici::Message().add("child", "c"));
  EXPECT_TRUE(world.wait([&] { return world.plane.count(true) >= 2; }));
  world.provider->stop();
  EXPECT_EQ(charon_of(world), -1) << "an ordinary end ends charon, too";
}

TEST_F(Kept, CharonOfOtherSettingsIsReplaced) {
  World world(keep);
  world.start();
  const pid_t charon = charon_of(world);
  world.provider->leave();
  world.make_provider([](IkeConfig& config) {
    keep(config);
    config.half_open_timeout = 31s;
  });
  world.start();
  EXPECT_TRUE(world.provider->ready());
  EXPECT_NE(charon_of(world), charon);
}

TEST_F(Kept, CharonEndsByItselfWhenNobodyComes) {
  World world([](IkeConfig& config) {
    keep(config);
    config.linger = 1s;
  });
  world.start();
  ASSERT_GT(charon_of(world), 0);
  world.provider->leave();
  EXPECT_TRUE(world.wait([&] { return charon_of(world) == -1; }, 5s));
}

TEST_F(Trouble, RequestsFailSoonWithoutAnEdge) {
  World world;
  Client& client = world.add_client({}, kNat);
  world.start();
  client.stop_feed();
  const auto begin = std::chrono::steady_clock::now();
  // Installing a trap needs no peer, but asking for an SPI does need the edge.
  client.command("initiate", vici::Message().add("child", "c").add("timeout", "3000").add("loglevel", -1));
  ASSERT_TRUE(world.wait([&] { return client.outcome.has_value(); }));
  EXPECT_NE(client.outcome, "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 6s);
  // vici still answers: no thread hangs.
  client.command("version", {});
  ASSERT_TRUE(world.wait([&] { return client.outcome.has_value(); }, 2s));
}

TEST_F(Trouble, UnloadedConnectionIsSeenAndLoadedAgain) {
  World world([](IkeConfig& config) { config.check_interval = 1s; });
  world.start();
  vici::Client admin(world.io.get_executor(), (world.dir.path() / "ike/vici.sock").native());
  bool unloaded = false, back = false;
  boost::asio::co_spawn(
      world.io,
      [&]() -> boost::asio::awaitable<void> {
        co_await admin.connect();
        const auto done =
            co_await admin.command("unload-conn", vici::Message().add("name", "sluice-psk-main"));
        unloaded = done.ok();
        boost::asio::steady_timer timer(world.io);
        while (!back) {
          const auto conns = co_await admin.request("get-conns");
          const auto* list = conns ? conns->list("conns") : nullptr;
          back = list != nullptr && !list->empty();
          timer.expires_after(200ms);
          co_await timer.async_wait(boost::asio::use_awaitable);
        }
      },
      boost::asio::detached);
  EXPECT_TRUE(world.wait([&] { return back; }));
  EXPECT_TRUE(unloaded);
}

TEST(CharonProcess, DiesWithTheEdgeEvenIfThatIsKilled) {
  TempDir dir;
  std::ofstream(dir.path() / "strongswan.conf")
      << charon_settings(IkeConfig{}, {dir.path() / "feed.sock", dir.path() / "vici.sock"});
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what charon leaves is ours to bury
  const pid_t edge = ::fork();
  ASSERT_GE(edge, 0);
  if (edge == 0) {
    boost::asio::io_context io;
    CharonProcess::Options options;
    options.program = "/usr/sbin/charon-systemd";
    options.settings = dir.path() / "strongswan.conf";
    options.preload = SLUICE_PLUGIN_FILE;
    options.folder = dir.path();
    CharonProcess charon(io, options);
    const pid_t pid = charon.start() ? -1 : charon.pid();
    [[maybe_unused]] const auto written = ::write(pipe[1], &pid, sizeof(pid));
    for (;;) ::pause();
  }
  pid_t charon = -1;
  ASSERT_EQ(::read(pipe[0], &charon, sizeof(charon)), static_cast<ssize_t>(sizeof(charon)));
  ASSERT_GT(charon, 0);
  const int watch = static_cast<int>(::syscall(SYS_pidfd_open, charon, 0));
  ASSERT_GE(watch, 0);
  ::kill(edge, SIGKILL);
  int status = 0;
  ::waitpid(edge, &status, 0);
  pollfd poll{watch, POLLIN, 0};
  EXPECT_EQ(::poll(&poll, 1, 5000), 1) << "charon outlived the edge";
  ::close(watch);
  EXPECT_EQ(::waitpid(charon, &status, WNOHANG), charon);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(CharonProvider, UsesACharonThatTheOperatorRunsAndLeavesItRunning) {
  TempDir own;
  const auto vici = own.path() / "operator.vici";
  World world([&](IkeConfig& config) { config.attach = vici; });
  std::ofstream(own.path() / "strongswan.conf")
      << charon_settings(IkeConfig{}, {world.dir.path() / "ike/feed.sock", vici});
  CharonProcess::Options options;
  options.program = "/usr/sbin/charon-systemd";
  options.settings = own.path() / "strongswan.conf";
  options.preload = SLUICE_PLUGIN_FILE;
  options.folder = own.path();
  CharonProcess charon(world.io, options);
  Client& client = world.add_client({}, kNat);
  ASSERT_FALSE(charon.start());
  world.start();
  ASSERT_TRUE(world.connect(client)) << client.outcome.value_or("no answer");
  EXPECT_EQ(world.plane.sas.size(), 2U);
  world.provider->stop();
  EXPECT_FALSE(charon.reap()) << "it is not ours to end";
  EXPECT_TRUE(std::filesystem::exists(vici));
  charon.terminate();
  EXPECT_TRUE(world.wait([&] { return charon.reap(); }));
}

TEST(CharonProcess, HasNoCapabilities) {
  World world;
  world.start();
  const pid_t charon = charon_of(world);
  ASSERT_GT(charon, 0);
  std::ifstream status("/proc/" + std::to_string(charon) + "/status");
  unsigned seen = 0;
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("Cap") || line.starts_with("CapInh")) continue;
    ++seen;
    EXPECT_NE(line.find("0000000000000000"), std::string::npos) << line;
  }
  EXPECT_GE(seen, 3u);
}

TEST(CharonProcess, RunsAsAnotherAccount) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a process to another account";
  World world([](IkeConfig& config) { config.user = "nobody"; });
  std::filesystem::permissions(world.dir.path(), std::filesystem::perms(0711));
  Client& client = world.add_client({}, kNat);
  world.start();
  ASSERT_TRUE(world.connect(client)) << client.outcome.value_or("no answer");
  struct stat info {};
  ASSERT_EQ(::stat(("/proc/" + std::to_string(charon_of(world))).c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, find_account("nobody")->uid);
}

TEST(CharonProvider, SaysWhatIsWrongAtStart) {
  const auto start = [](auto adjust) -> std::string {
    TempDir dir;
    boost::asio::io_context io;
    FakePlane plane(1);
    FakeEvents events;
    IkeConfig config;
    config.run_dir = dir.path() / "ike";
    config.plugin_path = SLUICE_PLUGIN_FILE;
    config.psks.push_back({{}, Secret(std::string_view("x"))});
    adjust(config);
    try {
      CharonProvider(io, std::move(config), plane, events).start();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_NE(start([](IkeConfig& c) { c.plugin_path = "/nowhere/x.so"; }).find("/nowhere/x.so"),
            std::string::npos);
  EXPECT_NE(start([](IkeConfig& c) { c.charon_path = "/nowhere/charon"; }).find("charon-systemd"),
            std::string::npos);
  EXPECT_NE(start([](IkeConfig& c) { c.user = "no-such-account"; }).find("no-such-account"),
            std::string::npos);
  EXPECT_NE(start([](IkeConfig& c) { c.psks.clear(); }).find("pre-shared key"), std::string::npos);
  EXPECT_NE(start([](IkeConfig& c) { c.charon_path = "/etc/hostname"; }), "");
}

}  // namespace
}  // namespace sluice::edge::test
