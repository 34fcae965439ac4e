#include "edge/ike/feed_server.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "base/app/log.hpp"
#include "base/app/system_random.hpp"

namespace sluice::edge::feed {
namespace {

namespace asio = boost::asio;
constexpr int kBurst = 64;
constexpr int kSocketBuffer = 1 << 20;

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::runtime_error(what + ": " + std::generic_category().message(error));
}

}  // namespace

FeedServer::FeedServer(asio::io_context& io, Options options, FeedHandler& handler)
    : options_(std::move(options)),
      handler_(handler),
      listener_(io),
      connection_(io),
      buffer_(SF_MAX_FRAME + 1) {
  app::SystemRandom random;
  random.fill(MutableBytes(reinterpret_cast<std::uint8_t*>(&boot_), sizeof(boot_)));
}

FeedServer::~FeedServer() {
  stop();
}

void FeedServer::start() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = options_.socket.native();
  if (path.size() >= sizeof(address.sun_path)) {
    throw std::runtime_error("sa-feed socket path '" + path + "' is longer than " +
                             std::to_string(sizeof(address.sun_path) - 1) +
                             " bytes: choose a shorter run_dir");
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  app::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) fail("sa-feed socket", errno);
  ::unlink(path.c_str());
  // Closed to everybody else from the first moment on; the folder around it is closed too.
  const mode_t mask = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  ::umask(mask);
  if (bound != 0) fail("binding the sa-feed socket " + path, error);
  if (options_.owner_uid >= 0 &&
      ::chown(path.c_str(), static_cast<uid_t>(options_.owner_uid), gid_t(-1)) != 0) {
    fail("giving the sa-feed socket " + path + " to uid " + std::to_string(options_.owner_uid), errno);
  }
  if (::listen(fd.get(), 8) != 0) fail("listening on the sa-feed socket " + path, errno);
  listener_.assign(fd.release());
  accept_later();
}

void FeedServer::stop() {
  ++generation_;
  welcomed_ = false;
  boost::system::error_code ignored;
  connection_.close(ignored);
  if (listener_.is_open()) {
    listener_.close(ignored);
    ::unlink(options_.socket.c_str());
  }
}

void FeedServer::accept_later() {
  listener_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
                         if (error || alive.expired() || !listener_.is_open()) return;
                         accept_now();
                         accept_later();
                       });
}

bool FeedServer::peer_allowed(int fd, std::uint32_t& uid) const {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return false;
  uid = credentials.uid;
  return uid == 0 || uid == ::geteuid() ||
         std::find(options_.uids.begin(), options_.uids.end(), uid) != options_.uids.end();
}

void FeedServer::accept_now() {
  app::UniqueFd fd(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  std::uint32_t uid = 0;
  if (!peer_allowed(fd.get(), uid)) {
    counters_.add(FeedCounter::kRefusedPeer);
    app::log_warning("ike.feed-refused", "sa-feed connection refused: this account may not feed SAs",
                     {{"uid", uid}});
    return;
  }
  // The newest counts: a plugin that connects again may be faster than the news that its old connection is
  // dead.
  if (connection_.is_open()) drop_connection();
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof(kSocketBuffer));
  connection_.assign(fd.release());
  ++generation_;
  read_later();
}

void FeedServer::drop_connection() {
  ++generation_;
  boost::system::error_code ignored;
  connection_.close(ignored);
  if (std::exchange(welcomed_, false)) handler_.feed_lost();
}

void FeedServer::read_later() {
  connection_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this, alive = std::weak_ptr<bool>(alive_),
                          generation = generation_](const boost::system::error_code& error) {
                           if (error || alive.expired() || generation != generation_) return;
                           read_now();
                           if (!alive.expired() && generation == generation_) read_later();
                         });
}

void FeedServer::read_now() {
  const auto generation = generation_;
  for (int i = 0; i < kBurst && generation == generation_; ++i) {
    const ssize_t size = ::recv(connection_.native_handle(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (size <= 0) return drop_connection();
    on_packet(MutableBytes(buffer_).first(static_cast<std::size_t>(size)));
  }
}

void FeedServer::on_packet(MutableBytes packet) {
  auto frame = packet.size() > SF_MAX_FRAME ? Result<Frame, Fault>(Failure{Fault::kLength}) : parse(packet);
  if (!frame) {
    wipe(packet);
    counters_.add(FeedCounter::kBadFrame);
    const bool other_version = !welcomed_ && frame.error() == Fault::kVersion;
    app::log_warning(
        "ike.feed-fault",
        "sa-feed: a frame from charon's plugin is not understood, closing; are edge and plugin of one build?",
        {{"fault", describe(frame.error())}});
    drop_connection();
    if (other_version) handler_.feed_other_version();
    return;
  }
  Body& body = frame->body;
  if (const auto* hello = std::get_if<Hello>(&body)) {
    welcomed_ = true;
    Welcome welcome;
    welcome.boot = boot_;
    welcome.pid = static_cast<std::uint32_t>(::getpid());
    send(Frame{0, welcome});
    return handler_.feed_connected(*hello);
  }
  if (welcomed_ && is_request(body)) {
    counters_.add(FeedCounter::kRequests);
    if (std::holds_alternative<AddSa>(body)) wipe(packet);  // the keys moved on
    Reply reply;
    handler_.feed_request(body, reply);
    send(Frame{frame->id, reply});
    return;
  }
  if (welcomed_ && std::holds_alternative<IkeOut>(body)) {
    counters_.add(FeedCounter::kIkeOut);
    return handler_.feed_message(body);
  }
  const bool told = std::holds_alternative<Alert>(body) || std::holds_alternative<Adopted>(body) ||
                    std::holds_alternative<Reserved>(body) || std::holds_alternative<Restored>(body);
  if (welcomed_ && told) {
    return handler_.feed_message(body);
  }
  counters_.add(FeedCounter::kUnexpectedFrame);
}

bool FeedServer::send(const Frame& frame) {
  if (!welcomed_) {
    counters_.add(FeedCounter::kDroppedNoPlugin);
    return false;
  }
  if (std::holds_alternative<IkeIn>(frame.body)) counters_.add(FeedCounter::kIkeIn);
  const Secret packet = serialize(frame);
  for (;;) {
    if (::send(connection_.native_handle(), packet.bytes().data(), packet.size(),
               MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
      return true;
    }
    if (errno == EINTR) continue;
    counters_.add(FeedCounter::kDroppedFull);
    return false;
  }
}

void FeedServer::serve_for(std::chrono::milliseconds wait) {
  if (!connection_.is_open()) return;
  pollfd poll{connection_.native_handle(), POLLIN, 0};
  if (::poll(&poll, 1, static_cast<int>(wait.count())) > 0) read_now();
}

}  // namespace sluice::edge::feed
