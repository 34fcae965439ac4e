#include "base/app/service_manager.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <vector>

namespace sluice::app {
namespace {

using std::chrono::milliseconds;

/// The manager's end: a datagram socket at a path, or an abstract one.
class Manager {
 public:
  explicit Manager(bool abstract = false) {
    std::string folder = (std::filesystem::temp_directory_path() / "sluice-notify-XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
    const std::string path = folder_ + "/notify";
    name_ = abstract ? "@" + path : path;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + (abstract ? 1 : 0), path.data(), path.size());
    const auto size = offsetof(sockaddr_un, sun_path) + path.size() + 1;
    fd_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size)),
              0);
  }
  ~Manager() { std::filesystem::remove_all(folder_); }

  const std::string& name() const { return name_; }
  /// What was told so far.
  std::vector<std::string> heard() const {
    std::vector<std::string> out;
    char text[512];
    while (true) {
      const auto got = ::recv(fd_.get(), text, sizeof text, MSG_DONTWAIT);
      if (got < 0) return out;
      out.emplace_back(text, static_cast<std::size_t>(got));
    }
  }

 private:
  std::string folder_, name_;
  UniqueFd fd_;
};

std::size_t count(const std::vector<std::string>& heard, const std::string& words) {
  return static_cast<std::size_t>(std::count(heard.begin(), heard.end(), words));
}

using Heard = std::vector<std::string>;

TEST(ServiceManager, SaysReadyWithStatusAndThenOnlyWhatChanged) {
  const Manager manager;
  boost::asio::io_context io;
  ServiceManager service(io, {.socket = manager.name(), .watchdog = milliseconds(3)});
  std::string status = "0 sessions";
  service.ready([&] { return status; });
  EXPECT_EQ(manager.heard(), (Heard{"READY=1\nSTATUS=0 sessions", "WATCHDOG=1"}));
  io.run_one();
  EXPECT_EQ(manager.heard(), Heard{"WATCHDOG=1"});
  status = "1 session";
  io.run_one();
  EXPECT_EQ(manager.heard(), (Heard{"WATCHDOG=1", "STATUS=1 session"}));
}

TEST(ServiceManager, GivesThreeSignsOfLifeInEachInterval) {
  const Manager manager;
  boost::asio::io_context io;
  ServiceManager service(io, {.socket = manager.name(), .watchdog = milliseconds(90)});
  const auto started = std::chrono::steady_clock::now();
  service.ready([] { return "well"; });
  for (int i = 0; i < 3; ++i) io.run_one();
  const auto passed = std::chrono::steady_clock::now() - started;
  EXPECT_EQ(count(manager.heard(), "WATCHDOG=1"), 4U);
  EXPECT_GE(passed, milliseconds(90));
}

TEST(ServiceManager, WithoutWatchdogGivesNoSignsOfLife) {
  const Manager manager;
  boost::asio::io_context io;
  ServiceManager service(io, {.socket = manager.name(), .watchdog = {}});
  service.ready([] { return "well"; });
  EXPECT_EQ(manager.heard(), Heard{"READY=1\nSTATUS=well"});
}

TEST(ServiceManager, AReloadIsBetweenTwoNotices) {
  const Manager manager;
  boost::asio::io_context io;
  ServiceManager service(io, {.socket = manager.name(), .watchdog = {}});
  service.ready([] { return "well"; });
  manager.heard();
  service.reloading();
  service.ready_again();
  EXPECT_EQ(manager.heard(),
            (Heard{"RELOADING=1\nSTATUS=reading the configuration again", "READY=1\nSTATUS=well"}));
}

TEST(ServiceManager, StoppingLetsTheLoopRunDryAndSilencesTheWatchdog) {
  const Manager manager;
  boost::asio::io_context io;
  ServiceManager service(io, {.socket = manager.name(), .watchdog = milliseconds(30)});
  service.ready([] { return "well"; });
  manager.heard();
  service.stopping();
  io.run();
  EXPECT_EQ(manager.heard(), Heard{"STOPPING=1\nSTATUS=stopping\nWATCHDOG_USEC=3600000000"});
}

TEST(ServiceManager, StoppingAfterAPulseWasDueEndsThePulse) {
  const Manager manager;
  boost::asio::io_context io;
  ServiceManager service(io, {.socket = manager.name(), .watchdog = milliseconds(3)});
  service.ready([] { return "well"; });
  manager.heard();
  ::poll(nullptr, 0, 5);  // the pulse is due, and not cancelled any more
  io.poll_one();
  service.stopping();
  io.run();
  EXPECT_EQ(manager.heard().back(), "STOPPING=1\nSTATUS=stopping\nWATCHDOG_USEC=3600000000");
}

TEST(ServiceManager, SpeaksToAnAbstractSocket) {
  const Manager manager(true);
  boost::asio::io_context io;
  ServiceManager service(io, {.socket = manager.name(), .watchdog = {}});
  ASSERT_TRUE(service.present());
  service.ready([] { return "well"; });
  EXPECT_EQ(manager.heard(), Heard{"READY=1\nSTATUS=well"});
}

TEST(ServiceManager, AStatusHasNoLineOfItsOwn) {
  const Manager manager;
  boost::asio::io_context io;
  ServiceManager service(io, {.socket = manager.name(), .watchdog = {}});
  service.ready([] { return "a\nMAINPID=1"; });
  const auto heard = manager.heard();
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard.front().find("\nMAINPID"), std::string::npos);
}

TEST(ServiceManager, NobodyThereOrNobodyAskedIsNoFault) {
  for (const std::string socket :
       {"", "x", "/", "relative/path", "/nowhere/at/all", "@nobody-listens-here"}) {
    boost::asio::io_context io;
    ServiceManager service(io, {.socket = socket, .watchdog = milliseconds(5)});
    EXPECT_FALSE(service.present()) << socket;
    service.ready([]() -> std::string { throw std::logic_error("asked for nobody"); });
    service.reloading();
    service.ready_again();
    service.stopping();
    io.run();
  }
}

TEST(ServiceManager, AManagerThatDoesNotReadDoesNotBlock) {
  const Manager manager;
  boost::asio::io_context io;
  ServiceManager service(io, {.socket = manager.name(), .watchdog = {}});
  service.ready([] { return "well"; });
  for (int i = 0; i < 10000; ++i) service.ready_again();
}

class ServiceEnvironment : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("NOTIFY_SOCKET", "/run/notify", 1);
    ::setenv("WATCHDOG_USEC", "20000000", 1);
    ::unsetenv("WATCHDOG_PID");
  }
  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
};

TEST_F(ServiceEnvironment, IsTakenAndNotInherited) {
  const auto context = take_service_context();
  EXPECT_EQ(context.socket, "/run/notify");
  EXPECT_EQ(context.watchdog, std::chrono::seconds(20));
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(std::getenv("WATCHDOG_USEC"), nullptr);
  EXPECT_TRUE(take_service_context().socket.empty());
}

TEST_F(ServiceEnvironment, AnotherProcessesWatchdogIsNotOurs) {
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(take_service_context().watchdog, std::chrono::seconds(20));
  ::setenv("WATCHDOG_USEC", "20000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(take_service_context().watchdog, Duration(0));
}

TEST_F(ServiceEnvironment, NonsenseIsNoWatchdog) {
  for (const char* text : {"", "soon", "-5"}) {
    ::setenv("WATCHDOG_USEC", text, 1);
    EXPECT_EQ(take_service_context().watchdog, Duration(0)) << text;
  }
}

}  // namespace
}  // namespace sluice::app
