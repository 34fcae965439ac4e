// Our client against the real charon, and the real swanctl against our server. Skipped where strongSwan is
// missing or the namespaces that keep charon to itself cannot be made.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/unit/vici/io_bench.hpp"
#include "vici/client.hpp"
#include "vici/server.hpp"

extern char** environ;

namespace sluice::vici {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
constexpr const char* kCharon = "/usr/lib/ipsec/charon";
constexpr const char* kSwanctl = "/usr/sbin/swanctl";

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

/// Starts a program with its output in a file.
pid_t spawn(std::vector<std::string> words, const std::filesystem::path& output,
            const std::vector<std::string>& more_environment = {}) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  auto extra = more_environment;
  std::vector<char*> environment;
  for (char** at = environ; *at; ++at) environment.push_back(*at);
  for (auto& entry : extra) environment.push_back(entry.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  const int fault = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  return fault == 0 ? pid : -1;
}
int wait_for(pid_t pid) {
  int status = -1;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// A charon in a network and mount namespace of its own: no port of the host is opened, its pid file is
/// nobody else's.
class ViciCharon : public IoBench {
 protected:
  void SetUp() override {
    if (::access(kCharon, X_OK) != 0) GTEST_SKIP() << kCharon << " is not installed";
    if (::geteuid() != 0) GTEST_SKIP() << "namespaces for charon need root";
    std::ofstream(folder / "strongswan.conf") << R"(charon {
  load = random nonce aes sha1 sha2 hmac kdf gmp pem pkcs1 x509 pubkey kernel-netlink socket-default vici
  plugins {
    vici {
      socket = unix://)" << socket_path << R"(
    }
  }
  filelog {
    stderr {
      default = 1
    }
  }
}
)";
    start_charon();
  }
  void TearDown() override { stop_charon(); }

  void start_charon() {
    const std::string inside = "mount -t tmpfs tmpfs /run && exec " + std::string(kCharon);
    charon = spawn({"unshare", "--net", "--mount", "sh", "-c", inside}, folder / "charon.log",
                   {"STRONGSWAN_CONF=" + (folder / "strongswan.conf").string()});
    ASSERT_GT(charon, 0);
    run(connect_when_ready());
    ASSERT_TRUE(client.connected()) << text_of(folder / "charon.log");
  }
  void stop_charon() {
    if (charon <= 0) return;
    ::kill(charon, SIGTERM);
    wait_for(charon);
    charon = -1;
  }
  Awaitable<bool> connect_when_ready() {
    asio::steady_timer pause(io);
    for (int tries = 0; tries < 500; ++tries) {
      if (!co_await client.connect()) co_return true;
      // charon tells nobody when its socket listens.
      pause.expires_after(20ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
    co_return false;
  }
  Message succeed(std::string name, Message arguments = {}) {
    const auto answer = run(client.command(std::move(name), std::move(arguments)));
    EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().text);
    return answer.ok() ? answer.value() : Message();
  }
  static Message l2tp_connection() {
    Message out;
    auto& connection = out.open("l2tp-psk");
    connection.add("version", "1").add("unique", "never").add("dpd_delay", "0s");
    connection.add_list("local_addrs", {"192.0.2.1"}).add_list("proposals", {"aes256-sha1-modp2048"});
    connection.open("local").add("auth", "psk").add("id", "192.0.2.1");
    connection.open("remote").add("auth", "psk");
    connection.open("children")
        .open("l2tp")
        .add("mode", "transport")
        .add_list("local_ts", {"dynamic[udp/1701]"})
        .add_list("remote_ts", {"dynamic[udp]"})
        .add_list("esp_proposals", {"aes256-sha1"});
    return out;
  }
  static Message shared_key() {
    Message out;
    out.add("id", "test").add("type", "IKE");
    out.add_secret("data", as_bytes("a pre-shared key of some length"));
    out.add_list("owners", {});
    return out;
  }

  pid_t charon = -1;
  Client client{io.get_executor(), "unix://" + socket_path};
};

TEST_F(ViciCharon, TellsItsVersion) {
  const auto answer = run(client.request("version"));
  ASSERT_TRUE(answer.ok()) << answer.error().text;
  EXPECT_EQ(answer.value().get("daemon"), "charon");
  EXPECT_NE(answer.value().get("version"), "");
}

TEST_F(ViciCharon, LoadsListsAndUnloadsAConnectionAndItsSecret) {
  succeed("load-shared", shared_key());
  succeed("load-conn", l2tp_connection());
  const auto names = run(client.request("get-conns"));
  ASSERT_TRUE(names.ok());
  EXPECT_THAT(*names.value().list("conns"), ElementsAre("l2tp-psk"));
  const auto keys = run(client.request("get-shared"));
  ASSERT_TRUE(keys.ok());
  EXPECT_THAT(*keys.value().list("keys"), ElementsAre("test"));

  std::vector<Message> listed;
  const auto end =
      run(client.stream("list-conns", "list-conn", {}, [&](const Message& m) { listed.push_back(m); }));
  ASSERT_TRUE(end.ok()) << end.error().text;
  ASSERT_EQ(listed.size(), 1u);
  const auto* connection = listed[0].section("l2tp-psk");
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection->get("version"), "IKEv1");
  EXPECT_THAT(*connection->list("local_addrs"), ElementsAre("192.0.2.1"));
  const auto* child = connection->section("children")->section("l2tp");
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(child->get("mode"), "TRANSPORT");
  EXPECT_THAT(*child->list("local-ts"), ElementsAre("dynamic[udp/l2f]"));

  succeed("unload-conn", Message().add("name", "l2tp-psk"));
  EXPECT_THAT(*run(client.request("get-conns")).value().list("conns"), ElementsAre());
}

TEST_F(ViciCharon, RefusesABadConnectionWithItsReason) {
  auto bad = Message();
  bad.open("bad").add("no-such-key", "1");
  const auto answer = run(client.command("load-conn", bad));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kRefused);
  EXPECT_THAT(answer.error().text, HasSubstr("no-such-key"));
}

TEST_F(ViciCharon, ListsNoSasAndKnowsTheEventsWeFollow) {
  std::size_t seen = 0;
  EXPECT_TRUE(run(client.stream("list-sas", "list-sa", {}, [&](const Message&) { ++seen; })).ok());
  EXPECT_EQ(seen, 0u);
  const auto error = run(client.subscribe({"ike-updown", "child-updown", "ike-rekey", "child-rekey"}));
  EXPECT_FALSE(error.has_value()) << error->text;
  EXPECT_EQ(run(client.subscribe({"no-such-event"}))->kind, ErrorKind::kUnknownEvent);
  EXPECT_EQ(run(client.request("no-such-command")).error().kind, ErrorKind::kUnknownCommand);
}

TEST_F(ViciCharon, CarriesEventsBesideCommands) {
  std::vector<std::string> seen;
  Client events(io.get_executor(), socket_path);
  ASSERT_FALSE(run(events.connect()).has_value());
  events.on_event([&](const std::string& name, const Message& m) {
    seen.push_back(name + " " + std::string(m.get("msg")));
  });
  ASSERT_FALSE(run(events.subscribe({"log"})).has_value());
  succeed("load-conn", l2tp_connection());
  run_until([&] { return !seen.empty() && seen.back().find("added vici connection") != std::string::npos; });
}

TEST_F(ViciCharon, ItsDeathIsNoticedAndItsReturnUsable) {
  std::optional<ErrorKind> lost;
  client.on_closed([&](const Error& error) { lost = error.kind; });
  ::kill(charon, SIGKILL);
  run_until([&] { return lost.has_value(); });
  EXPECT_EQ(lost, ErrorKind::kClosed);
  wait_for(charon);
  EXPECT_THAT(run(client.connect())->text, HasSubstr("no daemon listens"));
  start_charon();
  EXPECT_TRUE(run(client.request("version")).ok());
}

/// Runs swanctl against our server while the loop turns.
class ViciSwanctl : public IoBench {
 protected:
  void SetUp() override {
    if (::access(kSwanctl, X_OK) != 0) GTEST_SKIP() << kSwanctl << " is not installed";
    server.command("version", [](const Message&) {
      return Message()
          .add("daemon", "sluice-edge")
          .add("version", "0.1.0")
          .add("sysname", "Linux")
          .add("release", "6.1")
          .add("machine", "x86_64");
    });
    server.stream_command("list-conns", "list-conn", [](const Message&) {
      Server::Stream stream;
      stream.next = [left = 2]() mutable -> std::optional<Message> {
        if (left-- == 0) return std::nullopt;
        Message out;
        out.open("conn-" + std::to_string(left))
            .add("version", "IKEv1")
            .add_list("local_addrs", {"192.0.2.1"});
        return out;
      };
      return stream;
    });
    ASSERT_FALSE(server.start().has_value());
  }
  std::string swanctl(std::vector<std::string> words) {
    words.insert(words.begin(), kSwanctl);
    words.insert(words.end(), {"--uri", "unix://" + socket_path});
    const auto pid = spawn(words, folder / "out");
    bool done = false;
    std::thread waiter([&] {
      code = wait_for(pid);
      asio::post(io, [&] { done = true; });
    });
    run_until([&] { return done; });
    waiter.join();
    return text_of(folder / "out");
  }

  int code = -1;
  Server server{io.get_executor(), ServerOptions{.path = socket_path, .owner = {}, .group = {}}};
};

TEST_F(ViciSwanctl, ReadsOurVersion) {
  EXPECT_THAT(swanctl({"--version", "--daemon"}),
              HasSubstr("strongSwan 0.1.0 sluice-edge (Linux, 6.1, x86_64)"));
  EXPECT_EQ(code, 0);
  EXPECT_THAT(swanctl({"--version", "--daemon", "--raw"}), HasSubstr("daemon=sluice-edge"));
}

TEST_F(ViciSwanctl, ReadsAStream) {
  const auto out = swanctl({"--list-conns"});
  EXPECT_THAT(out, HasSubstr("conn-0"));
  EXPECT_THAT(out, HasSubstr("conn-1"));
  EXPECT_THAT(out, HasSubstr("192.0.2.1"));
  EXPECT_EQ(code, 0);
}

TEST_F(ViciSwanctl, IsToldClearlyWhatWeDoNotKnow) {
  EXPECT_THAT(swanctl({"--list-sas"}), HasSubstr("registering for SAs failed"));
  EXPECT_NE(code, 0);
  EXPECT_THAT(swanctl({"--stats"}), HasSubstr("stats"));
  EXPECT_NE(code, 0);
}

}  // namespace
}  // namespace sluice::vici
