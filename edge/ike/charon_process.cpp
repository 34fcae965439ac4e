#include "edge/ike/charon_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <vector>

#include "base/app/unique_fd.hpp"

namespace sluice::edge {
namespace {

namespace asio = boost::asio;
constexpr std::size_t kLongestLine = 2000;

/// What the child needs, prepared before fork(): after it only calls that are safe in a forked thread are
/// made.
struct Launch {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* folder;
  int output;
  int report;
  pid_t parent;
  const Account* account;
  bool kept;
};

/// Gives up every capability for good, also those that exec would give back to root.
void drop_capabilities() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    ::prctl(PR_CAPBSET_DROP, capability);
  }
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
  ::syscall(SYS_capset, &header, none);
}

[[noreturn]] void give_up(const Launch& launch, int error) {
  [[maybe_unused]] const auto written = ::write(launch.report, &error, sizeof(error));
  ::_exit(127);
}

[[noreturn]] void run_child(const Launch& launch) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::signal(signal, SIG_DFL);
  ::setsid();  // a Ctrl-C is for the edge, which ends charon in order
  if (const Account* account = launch.account) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(account->gid, account->gid, account->gid) != 0 ||
        ::setresuid(account->uid, account->uid, account->uid) != 0) {
      give_up(launch, errno);
    }
  }
  drop_capabilities();
  // After the change of account, which would clear it.
  if (!launch.kept) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != launch.parent) ::_exit(127);
  }
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(launch.output, 1) < 0 || ::dup2(launch.output, 2) < 0) {
    give_up(launch, errno);
  }
  ::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
  if (::chdir(launch.folder) != 0) give_up(launch, errno);
  ::execve(launch.program, launch.arguments, launch.environment);
  give_up(launch, errno);
}

/// When a process started, in ticks since the boot (proc(5)): with its number, its name. 0: there is none.
std::uint64_t start_time(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(in, text);
  // The second field is in brackets and may hold anything; the start time is the 20th after it.
  std::istringstream rest(text.substr(std::min(text.rfind(')'), text.size() - 1) + (text.empty() ? 0 : 1)));
  std::string word;
  for (int i = 0; i < 20 && rest >> word;) ++i;
  return rest ? std::strtoull(word.c_str(), nullptr, 10) : 0;
}

std::string output_path(const CharonProcess::Options& options) {
  return options.record.native() + ".out";
}

std::string identity(const CharonProcess::Options& options) {
  return options.program.native() + '\n' + options.preload.native() + '\n' + options.mark + '\n';
}

}  // namespace

std::optional<Account> find_account(const std::string& name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return Account{entry.pw_uid, entry.pw_gid};
}

CharonProcess::CharonProcess(asio::io_context& io, Options options)
    : options_(std::move(options)), exit_watch_(io), output_(io) {}

CharonProcess::~CharonProcess() {
  if (adopted_) {
    end_now();
  } else if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
  }
}

std::optional<std::string> CharonProcess::start() {
  const std::string program = options_.program.native(), folder = options_.folder.native();
  std::vector<std::string> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                                       "STRONGSWAN_CONF=" + options_.settings.native()};
  if (!options_.preload.empty()) environment.push_back("LD_PRELOAD=" + options_.preload.native());
  std::vector<char*> variables;
  for (auto& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  std::string name = program;
  std::array<char*, 2> arguments{name.data(), nullptr};

  int output = -1, report[2];
  if (auto error = open_output(output)) return error;
  app::UniqueFd output_write(output);
  if (::pipe2(report, O_CLOEXEC) != 0) return "pipe: " + std::generic_category().message(errno);
  app::UniqueFd report_read(report[0]), report_write(report[1]);
  const Launch launch{program.c_str(),
                      arguments.data(),
                      variables.data(),
                      folder.c_str(),
                      output_write.get(),
                      report_write.get(),
                      ::getpid(),
                      options_.account ? &*options_.account : nullptr,
                      !options_.record.empty()};
  pid_ = ::fork();
  if (pid_ < 0) return "fork: " + std::generic_category().message(errno);
  if (pid_ == 0) run_child(launch);

  report_write.reset();
  output_write.reset();
  int error = 0;
  ssize_t got = 0;
  while ((got = ::read(report_read.get(), &error, sizeof(error))) < 0 && errno == EINTR) {
  }
  if (got == static_cast<ssize_t>(sizeof(error))) {
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return "starting " + program + ": " + std::generic_category().message(error);
  }
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd < 0) return "pidfd_open: " + std::generic_category().message(errno);
  exit_watch_.assign(pidfd);
  write_record();
  watch();
  read_output();
  return std::nullopt;
}

// One that is kept writes to a named pipe that it has open for reading, too: without a reader its lines are
// lost, and nothing waits or fails.
std::optional<std::string> CharonProcess::open_output(int& child_end) {
  const auto failed = [](const char* what) {
    return std::string(what) + ": " + std::generic_category().message(errno);
  };
  if (options_.record.empty()) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return failed("pipe");
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    output_.assign(ends[0]);
    child_end = ends[1];
    return std::nullopt;
  }
  const std::string path = output_path(options_);
  ::unlink(path.c_str());
  if (::mkfifo(path.c_str(), 0600) != 0) return failed("charon's output");
  child_end = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  const int ours = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (child_end < 0 || ours < 0) return failed("charon's output");
  output_.assign(ours);
  return std::nullopt;
}

void CharonProcess::write_record() const {
  if (options_.record.empty()) return;
  // Whole or not at all: a process that dies in between leaves no half of it.
  const std::string temporary = options_.record.native() + ".new";
  std::ofstream out(temporary, std::ios::trunc);
  out << pid_ << ' ' << start_time(pid_) << '\n' << identity(options_);
  out.close();
  if (!out || ::rename(temporary.c_str(), options_.record.c_str()) != 0) ::unlink(temporary.c_str());
}

bool CharonProcess::adopt() {
  std::ifstream in(options_.record);
  pid_t pid = 0;
  std::uint64_t started = 0;
  if (options_.record.empty() || !(in >> pid >> started) || pid <= 1) return false;
  in.ignore();
  const std::string known{std::istreambuf_iterator<char>(in), {}};
  app::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  // The number may be another process's by now; once the descriptor is open it is no more.
  if (!pidfd || started == 0 || start_time(pid) != started) return false;
  exit_watch_.assign(pidfd.release());
  pid_ = pid;
  adopted_ = true;
  const int output = ::open(output_path(options_).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (known != identity(options_) || output < 0) {
    if (output >= 0) ::close(output);
    end_now();
    return false;
  }
  output_.assign(output);
  watch();
  read_output();
  return true;
}

/// Orderly, then by force; waits for it.
void CharonProcess::end_now() {
  constexpr int kPatienceMs = 2000;
  for (const int number : {SIGTERM, SIGKILL}) {
    signal(number);
    pollfd gone{exit_watch_.native_handle(), POLLIN, 0};
    if (::poll(&gone, 1, kPatienceMs) > 0) break;
  }
  release();
}

void CharonProcess::release() {
  boost::system::error_code ignored;
  exit_watch_.close(ignored);
  output_.close(ignored);
  pid_ = -1;
  adopted_ = false;
}

void CharonProcess::signal(int number) {
  if (pid_ > 0) ::syscall(SYS_pidfd_send_signal, exit_watch_.native_handle(), number, nullptr, 0);
}

void CharonProcess::terminate() {
  signal(SIGTERM);
}
void CharonProcess::kill() {
  signal(SIGKILL);
}

bool CharonProcess::reap() {
  if (pid_ <= 0) return true;
  if (adopted_) {
    pollfd gone{exit_watch_.native_handle(), POLLIN, 0};
    if (::poll(&gone, 1, 0) <= 0) return false;
    pid_ = -1;
    return true;
  }
  if (::waitpid(pid_, &status_, WNOHANG) != pid_) return false;
  pid_ = -1;
  return true;
}

void CharonProcess::watch() {
  exit_watch_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
                           if (error || alive.expired() || pid_ <= 0) return;
                           if (!reap()) return watch();
                           const std::string how = adopted_ ? std::string("not a child of ours")
                                                   : WIFSIGNALED(status_)
                                                       ? "signal " + std::to_string(WTERMSIG(status_))
                                                       : "exit code " + std::to_string(WEXITSTATUS(status_));
                           // The handler may destroy us, and with us the function.
                           if (const auto handler = on_exit) handler(how);
                         });
}

void CharonProcess::read_output() {
  output_.async_read_some(
      asio::buffer(chunk_),
      [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error, std::size_t size) {
        if (error || alive.expired()) return;
        take_output(size);
        read_output();
      });
}

void CharonProcess::take_output(std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    if (chunk_[i] != '\n') {
      if (line_.size() < kLongestLine) line_.push_back(chunk_[i]);
      continue;
    }
    if (on_line) on_line(line_);
    line_.clear();
  }
}

}  // namespace sluice::edge
