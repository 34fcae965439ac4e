#include "edge/ike/charon_provider.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "base/app/clock.hpp"
#include "base/app/log.hpp"
#include "base/app/unique_fd.hpp"
#include "edge/ike/charon_provider_impl.hpp"

namespace sluice::edge {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kPluginFile = "libstrongswan-sluice.so";
constexpr const char* kPluginFolder = "/usr/lib/ipsec/plugins";
constexpr const char* kCharon = "/usr/sbin/charon-systemd";
constexpr Duration kFirstBackoff = 200ms, kLastBackoff = 10s;
/// charon that lived this long starts again at once.
constexpr Duration kHealthy = 30s;
constexpr auto kOrderlyEnd = 2s;
constexpr std::size_t kKeptLines = 8;

fs::path find_charon(const IkeConfig& config) {
  const fs::path path = config.charon_path.empty() ? fs::path(kCharon) : config.charon_path;
  if (::access(path.c_str(), X_OK) != 0) {
    throw std::runtime_error("charon at " + path.native() + ": " + std::generic_category().message(errno) +
                             "; install Debian's package charon-systemd or correct the path");
  }
  return path;
}

fs::path find_plugin(const IkeConfig& config) {
  std::vector<fs::path> places;
  if (!config.plugin_path.empty()) {
    places = {config.plugin_path};
  } else {
    std::error_code error;
    const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
    places = {here / kPluginFile, here.parent_path() / "lib" / kPluginFile,
              fs::path(kPluginFolder) / kPluginFile};
  }
  std::string tried;
  for (const auto& place : places) {
    if (::access(place.c_str(), R_OK) == 0) return fs::canonical(place);
    tried += (tried.empty() ? "" : ", ") + place.native();
  }
  throw std::runtime_error("the plugin for charon is not there (tried " + tried +
                           "); build target sluice_charon_plugin or correct the path");
}

}  // namespace

void CharonProvider::Impl::prepare_run_dir() {
  std::error_code error;
  fs::create_directories(config->run_dir, error);
  if (error) throw std::runtime_error("making " + config->run_dir.native() + ": " + error.message());
  const char* dir = config->run_dir.c_str();
  // charon makes its vici socket in it, and nobody else has business there.
  if (::chmod(dir, 0700) != 0 || (account && ::chown(dir, account->uid, account->gid) != 0)) {
    throw std::runtime_error("the run directory " + config->run_dir.native() + ": " +
                             std::generic_category().message(errno) + "; it must be ours, or we root");
  }
  write_settings("strongswan.conf", charon_settings(*config, paths));
  // One of an earlier configuration holds secrets that nobody needs any more.
  fs::remove(config->run_dir / kRadiusFile, error);
  if (!config->radius.empty()) write_settings(kRadiusFile, radius_settings(*config).text());
}

/// Readable by charon and us only: one of them holds secrets.
void CharonProvider::Impl::write_settings(const char* name, std::string_view text) const {
  const fs::path file = config->run_dir / name;
  std::error_code ignored;
  fs::remove(file, ignored);
  const app::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool written = fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || (account && ::fchown(fd.get(), account->uid, account->gid) != 0)) {
    throw std::runtime_error("writing " + file.native() +
                             " failed: " + std::generic_category().message(errno) + "; is the disk full?");
  }
}

std::optional<std::string> CharonProvider::Impl::reload(IkeConfig settings) {
  if (const auto faults = check_config(settings); !faults.empty()) return faults.front();
  auto next = std::make_shared<const IkeConfig>(std::move(settings));
  if (next->attach != config->attach || charon_settings(*next, paths) != charon_settings(*config, paths) ||
      !equal_constant_time(radius_settings(*next).bytes(), radius_settings(*config).bytes())) {
    return "ports, RADIUS servers, the first use of EAP-RADIUS and ike.attach take effect at a restart only";
  }
  config = std::move(next);
  if (vici) vici->reload(config);
  return std::nullopt;
}

CharonProcess::Options CharonProvider::Impl::process_options() const {
  const fs::path plugin = find_plugin(*config);
  CharonProcess::Options options;
  options.program = find_charon(*config);
  options.settings = config->run_dir / "strongswan.conf";
  if (plugin.parent_path() != kPluginFolder) options.preload = plugin;
  options.folder = config->run_dir;
  options.account = account;
  if (config->keep_over_restart) {
    // Beside the folder and not in it: that one is charon's to write.
    options.record = config->run_dir.native() + ".charon";
    options.mark = "sa-feed " + std::to_string(SF_VERSION) + ", settings " +
                   std::to_string(std::hash<std::string>{}(charon_settings(*config, paths)));
  }
  return options;
}

void CharonProvider::Impl::start() {
  if (const auto faults = check_config(*config); !faults.empty()) {
    std::string text = "the IKE configuration cannot work:";
    for (const auto& fault : faults) text += " " + fault + ";";
    throw std::runtime_error(text);
  }
  if (!config->user.empty()) {
    account = find_account(config->user);
    if (!account) throw std::runtime_error("there is no account '" + config->user + "' to run charon as");
  }
  paths = {config->run_dir / "feed.sock", attached() ? config->attach : config->run_dir / "vici.sock"};
  prepare_run_dir();
  feed::FeedServer::Options options;
  options.socket = paths.feed_socket;
  options.uids = config->feed_uids;
  if (account) {
    options.uids.push_back(account->uid);
    options.owner_uid = account->uid;
  }
  feed = std::make_unique<feed::FeedServer>(io, std::move(options), *this);
  feed->start();
  stopped = false;
  if (attached()) {
    app::log_info("ike.charon-external", "charon is the operator's",
                  {{"vici", paths.vici_socket.native()}, {"feed", paths.feed_socket.native()}});
  } else if (!adopt()) {
    launch();
  }
  vici = std::make_unique<ViciDriver>(io, "unix://" + paths.vici_socket.native(), config, *this);
}

bool CharonProvider::Impl::adopt() {
  watch_process();
  if (!process->adopt()) return false;
  launched = app::now();
  app::log_info("ike.charon-adopted", "charon runs already and is taken over",
                {{"pid", process->pid()}, {"run_dir", config->run_dir.native()}});
  return true;
}

void CharonProvider::Impl::watch_process() {
  process = std::make_unique<CharonProcess>(io, process_options());
  process->on_line = [this](const std::string& line) { on_line(line); };
  process->on_exit = [this](const std::string& how) { on_exit(how); };
}

void CharonProvider::Impl::feed_other_version() {
  // Its plugin is of another build: it cannot serve us, and what it has cannot be had.
  if (process && process->adopted()) {
    app::log_warning("ike.charon-other-version",
                     "charon has a plugin of another version and is started anew");
    process->terminate();
  }
}

void CharonProvider::Impl::launch() {
  watch_process();
  last_lines.clear();
  launched = app::now();
  if (const auto error = process->start()) {
    if (backoff == Duration{}) throw std::runtime_error(*error);
    app::log_error("ike.charon-no-start", "charon does not start", {{"cause", *error}});
    return relaunch_later();
  }
  app::log_info("ike.charon-started", "charon started",
                {{"pid", process->pid()}, {"run_dir", config->run_dir.native()}});
}

void CharonProvider::Impl::on_line(const std::string& line) {
  app::log_debug("ike.charon-says", "charon says", {{"line", line}});
  last_lines.push_back(line);
  if (last_lines.size() > kKeptLines) last_lines.pop_front();
}

void CharonProvider::Impl::on_exit(const std::string& how) {
  std::string said;
  for (const auto& line : last_lines) said += (said.empty() ? "" : " | ") + line;
  app::log_error("ike.charon-ended",
                 "charon ended; established tunnels go on, new ones wait until it is back",
                 {{"how", how}, {"last_lines", said}});
  if (app::now() - launched > kHealthy) backoff = Duration{};
  release_reservations();
  update_ready();
  relaunch_later();
}

void CharonProvider::Impl::relaunch_later() {
  backoff = std::clamp(backoff * 2, kFirstBackoff, kLastBackoff);
  restart_timer.expires_after(backoff);
  restart_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || self->stopped) return;
    try {
      self->launch();
    } catch (const std::runtime_error& fault) {
      app::log_error("ike.charon-no-restart", "charon does not start", {{"cause", fault.what()}});
      self->relaunch_later();
    }
  });
}

void CharonProvider::Impl::stop() {
  if (std::exchange(stopped, true)) return;
  restart_timer.cancel();
  if (vici) vici->stop();
  if (process) end_process();  // none: start() failed
  vici.reset();
  feed->stop();
  std::error_code ignored;
  if (!attached()) fs::remove(paths.vici_socket, ignored);
  told_ready = false;
}

void CharonProvider::Impl::end_process() {
  process->terminate();
  const Instant deadline = app::now() + kOrderlyEnd;
  // charon takes leave of its peers through the feed, so serve it until it is gone.
  while (!process->reap() && app::now() < deadline) {
    if (feed->connected()) {
      feed->serve_for(10ms);
    } else {
      std::this_thread::sleep_for(5ms);
    }
  }
  feed->serve_for(0ms);
  if (!process->reap()) {
    app::log_warning("ike.charon-killed", "charon did not end in time and is killed");
    process->kill();
  }
  process.reset();  // waits for it
}

void CharonProvider::Impl::leave() {
  if (!config->keep_over_restart) return stop();
  if (std::exchange(stopped, true)) return;
  restart_timer.cancel();
  if (vici) vici->stop();
  vici.reset();
  if (process) process->release();
  process.reset();
  feed->stop();
  told_ready = false;
}

void CharonProvider::Impl::reserve(Spi outbound, const Endpoint& destination, std::uint64_t last) {
  asked[{outbound, destination}] = last;
  if (feed) feed->send({0, feed::Reserve{destination, outbound, last}});
}

void CharonProvider::Impl::update_ready() {
  const bool ready = !stopped && feed && feed->connected() && vici && vici->ready();
  if (ready == told_ready) return;
  told_ready = ready;
  events.ike_ready(ready);
}

CharonProvider::CharonProvider(asio::io_context& io, IkeConfig config, DataPlane& data_plane,
                               IkeEvents& events)
    : impl_(std::make_shared<Impl>(io, std::move(config), data_plane, events)) {}

CharonProvider::~CharonProvider() {
  impl_->stop();
}
void CharonProvider::start() {
  impl_->start();
}
std::optional<std::string> CharonProvider::reload(IkeConfig config) {
  return impl_->reload(std::move(config));
}
void CharonProvider::stop() {
  impl_->stop();
}
void CharonProvider::leave() {
  impl_->leave();
}
void CharonProvider::reserve(Spi outbound, const Endpoint& destination, std::uint64_t last) {
  impl_->reserve(outbound, destination, last);
}
void CharonProvider::seen(std::span<const SaSeen> sas) {
  if (!impl_->feed || !impl_->feed->connected()) return;
  for (const auto& [name, last] : impl_->asked) {
    impl_->feed->send(
        {0, feed::Reserve{name.second, name.first, last}});  // the question or its answer was lost
  }
  while (!sas.empty()) {
    const auto part = sas.first(std::min<std::size_t>(sas.size(), SF_MAX_SEEN));
    impl_->feed->send({0, feed::Seen{{part.begin(), part.end()}}});
    sas = sas.subspan(part.size());
  }
}
bool CharonProvider::ready() const {
  return impl_->told_ready;
}

void CharonProvider::ike_receive(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) {
  if (!impl_->feed || datagram.empty() || datagram.size() > 65535) return;
  feed::IkeIn frame;
  frame.source = remote;
  frame.destination = local;
  frame.marker = marker;
  frame.datagram = datagram;
  impl_->feed->send({0, frame});
}

void CharonProvider::terminate(IkeSaId ike_sa) {
  if (const auto uid = impl_->numbers.to_charon(ike_sa)) {
    if (impl_->vici) impl_->vici->terminate(*uid);
    return;
  }
  // Its charon is gone, and with it all that could be ended.
  asio::post(impl_->io, [weak = std::weak_ptr<Impl>(impl_), ike_sa] {
    const auto self = weak.lock();
    if (self && !self->stopped) self->events.ike_down(ike_sa);
  });
}

void CharonProvider::expired(Spi inbound, const Endpoint& local, bool hard) {
  if (impl_->feed) impl_->feed->send({0, feed::Expire{.destination = local, .spi = inbound, .hard = hard}});
}

void CharonProvider::moved(Spi inbound, const Endpoint& local, const Endpoint& old_remote,
                           const Endpoint& new_remote) {
  if (!impl_->feed) return;
  impl_->feed->send({0, feed::Mapping{inbound, local, old_remote, new_remote}});
}

}  // namespace sluice::edge
