#include "vici/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <unordered_map>

#include "base/app/clock.hpp"
#include "base/ip.hpp"
#include "base/text.hpp"
#include "vici/client_core.hpp"

namespace sluice::vici {
namespace asio = boost::asio;
namespace {

using Socket = asio::generic::stream_protocol::socket;
using StreamEndpoint = asio::generic::stream_protocol::endpoint;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxUnixPath = 107;

std::chrono::steady_clock::time_point steady(Instant instant) {
  return std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(instant.time_since_epoch()));
}

std::optional<StreamEndpoint> parse_uri(std::string_view uri) {
  constexpr std::string_view kUnix = "unix://";
  constexpr std::string_view kTcp = "tcp://";
  if (uri.starts_with(kTcp)) {
    const auto endpoint = Endpoint::parse(uri.substr(kTcp.size()));
    if (!endpoint) return std::nullopt;
    return asio::ip::tcp::endpoint(asio::ip::make_address(endpoint->address.to_string()), endpoint->port);
  }
  if (uri.starts_with(kUnix)) uri.remove_prefix(kUnix.size());
  if (!uri.starts_with('/') || uri.size() > kMaxUnixPath) return std::nullopt;
  return asio::local::stream_protocol::endpoint(std::string(uri));
}

std::string advice(const boost::system::error_code& fault) {
  switch (fault.value()) {
    case ENOENT:
      return "the daemon is not running, or its socket is elsewhere; start it or correct the path";
    case ECONNREFUSED:
      return "the socket is there but no daemon listens; it probably died, start it again";
    case EACCES:
    case EPERM:
      return "the socket's permissions keep you out; use an account in its group, or root";
    case EAGAIN:
      return "the daemon does not accept connections; it is hanging or overloaded";
    case ENOTSOCK:
      return "that path is not a socket; correct it";
    default:
      return "see whether the daemon runs and listens there";
  }
}

}  // namespace

class Client::Impl : public std::enable_shared_from_this<Client::Impl> {
 public:
  Impl(asio::any_io_executor executor, std::string uri)
      : executor_(std::move(executor)), uri_(std::move(uri)), core_(escaped(uri_)), timer_(executor_) {}

  Awaitable<std::optional<Error>> connect(Duration timeout);
  Awaitable<Result<Message, Error>> finish(OperationId id, std::function<void(const Message&)> each);
  void end(const Error& error);
  void give_up_connecting() { ++attempt_; }
  void forget_handlers() { event_handler_ = nullptr, closed_handler_ = nullptr; }
  /// Why an operation cannot begin; nothing if it can.
  std::optional<Error> not_connected() const {
    if (link_) return std::nullopt;
    return Error{ErrorKind::kClosed, "not connected to " + escaped(uri_)};
  }

  asio::any_io_executor executor_;
  std::string uri_;
  ClientCore core_;
  EventHandler event_handler_;
  ClosedHandler closed_handler_;

  bool connected() const { return link_ != nullptr; }

 private:
  /// One connection's life; loops compare theirs with link_ to learn that they are over.
  struct Link {
    explicit Link(Socket s) : socket(std::move(s)) {}
    Socket socket;
    bool writing = false;
  };
  /// Where a coroutine waits for its operation's end.
  struct Waiter {
    Waiter(Impl& impl, OperationId operation, std::function<void(const Message&)> handler)
        : owner(impl), id(operation), each(std::move(handler)), done(impl.executor_) {
      owner.waiters_.emplace(id, this);
      done.expires_at(asio::steady_timer::time_point::max());
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
      owner.waiters_.erase(id);
      if (!result) owner.core_.abandon(id);
    }
    Impl& owner;
    OperationId id;
    std::function<void(const Message&)> each;
    asio::steady_timer done;
    std::optional<Result<Message, Error>> result;
  };

  Error connect_error(const boost::system::error_code& fault) const {
    return {ErrorKind::kUnreachable,
            "cannot connect to " + escaped(uri_) + " (" + fault.message() + "): " + advice(fault)};
  }
  static Awaitable<void> read_loop(std::shared_ptr<Impl> self, std::shared_ptr<Link> link);
  static Awaitable<void> write_loop(std::shared_ptr<Impl> self, std::shared_ptr<Link> link);
  void lost(const std::shared_ptr<Link>& link, const Error& error);
  void start_writing();
  void pump();
  void drain();
  void drain_later();
  void arm_timer();

  std::shared_ptr<Link> link_;
  std::uint64_t attempt_ = 0;  // of connect(); close() and a newer one make older ones void
  asio::steady_timer timer_;
  std::optional<Instant> armed_;
  std::unordered_map<OperationId, Waiter*> waiters_;
};

Client::Awaitable<std::optional<Error>> Client::Impl::connect(Duration timeout) {
  auto self = shared_from_this();
  const auto endpoint = parse_uri(uri_);
  if (!endpoint) {
    co_return Error{ErrorKind::kAddress,
                    "'" + escaped(uri_) +
                        "' is no vici address: give unix:///path, /path (up to 107 bytes) or "
                        "tcp://address:port"};
  }
  end({ErrorKind::kClosed, "the connection to " + escaped(uri_) + " was replaced by a new one"});
  const auto attempt = ++attempt_;
  auto link = std::make_shared<Link>(Socket(executor_));
  auto deadline = std::make_shared<asio::steady_timer>(executor_, timeout);
  auto late = std::make_shared<bool>(false);
  deadline->async_wait([link, late](const boost::system::error_code& stopped) {
    boost::system::error_code ignored;
    if (!stopped) *late = true, link->socket.close(ignored);
  });
  const auto [fault] = co_await link->socket.async_connect(*endpoint, kTuple);
  deadline->cancel();
  if (*late) {
    co_return Error{ErrorKind::kTimeout, "cannot connect to " + escaped(uri_) +
                                             ": no answer in time; is the daemon hanging or overloaded?"};
  }
  if (attempt != attempt_) {
    co_return Error{ErrorKind::kCancelled, "connecting to " + escaped(uri_) + " was given up"};
  }
  if (fault) co_return connect_error(fault);
  link_ = link;
  asio::co_spawn(executor_, read_loop(self, link), asio::detached);
  co_return std::nullopt;
}

Client::Awaitable<Result<Message, Error>> Client::Impl::finish(OperationId id,
                                                               std::function<void(const Message&)> each) {
  auto self = shared_from_this();
  Waiter waiter(*this, id, std::move(each));
  pump();
  drain_later();
  if (!waiter.result) co_await waiter.done.async_wait(kTuple);
  if (!waiter.result) {
    co_return Failure{Error{ErrorKind::kCancelled, "the request to " + escaped(uri_) + " was given up"}};
  }
  co_return std::move(*waiter.result);
}

Client::Awaitable<void> Client::Impl::read_loop(std::shared_ptr<Impl> self, std::shared_ptr<Link> link) {
  std::vector<std::uint8_t> buffer(64 * 1024);
  while (self->link_ == link) {
    const auto [fault, size] = co_await link->socket.async_read_some(asio::buffer(buffer), kTuple);
    if (self->link_ != link) break;
    if (fault) {
      const std::string what = fault == asio::error::eof ? "closed by the daemon" : fault.message();
      self->lost(link, {ErrorKind::kClosed, "the connection to " + escaped(self->uri_) + " was lost (" +
                                                what + "): the daemon stopped or restarted; connect again"});
      break;
    }
    self->core_.on_bytes(Bytes(buffer).first(size), app::now());
    self->pump();
    self->drain();
  }
}

Client::Awaitable<void> Client::Impl::write_loop(std::shared_ptr<Impl> self, std::shared_ptr<Link> link) {
  while (self->link_ == link) {
    const auto packet = self->core_.poll_transmit();
    if (!packet) break;
    const auto [fault, size] = co_await asio::async_write(
        link->socket, asio::buffer(packet->bytes().data(), packet->size()), kTuple);
    if (fault) {
      self->lost(link, {ErrorKind::kClosed, "the connection to " + escaped(self->uri_) + " was lost (" +
                                                fault.message() +
                                                "): the daemon stopped or restarted; connect again"});
      break;
    }
  }
  link->writing = false;
}

void Client::Impl::lost(const std::shared_ptr<Link>& link, const Error& error) {
  if (link_ != link) return;
  end(error);
  drain();
  if (const auto handler = closed_handler_) handler(error);
}

void Client::Impl::end(const Error& error) {
  if (const auto link = std::exchange(link_, nullptr)) {
    boost::system::error_code ignored;
    link->socket.close(ignored);
  }
  core_.on_closed(error);
  timer_.cancel();
  armed_.reset();
  drain_later();
}

void Client::Impl::start_writing() {
  if (!link_ || std::exchange(link_->writing, true)) return;
  asio::co_spawn(executor_, write_loop(shared_from_this(), link_), asio::detached);
}

void Client::Impl::pump() {
  start_writing();
  arm_timer();
}

void Client::Impl::drain_later() {
  asio::post(executor_, [self = shared_from_this()] { self->drain(); });
}

void Client::Impl::drain() {
  while (auto event = core_.poll_event()) {
    if (auto* done = std::get_if<OperationDone>(&*event)) {
      const auto at = waiters_.find(done->id);
      if (at == waiters_.end()) continue;
      at->second->result = std::move(done->result);
      at->second->done.cancel();
    } else if (auto* item = std::get_if<StreamItem>(&*event)) {
      const auto at = waiters_.find(item->id);
      if (at == waiters_.end()) continue;
      // A copy: the handler may end the coroutine that holds the original.
      if (const auto each = at->second->each) each(item->message);
    } else if (auto* raised = std::get_if<EventRaised>(&*event)) {
      if (const auto handler = event_handler_) handler(raised->name, raised->message);
    } else if (auto* broken = std::get_if<Broken>(&*event)) {
      if (const auto link = link_) lost(link, broken->error);
    }
  }
}

void Client::Impl::arm_timer() {
  const auto next = core_.next_timeout();
  if (next == armed_) return;
  armed_ = next;
  if (!next) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(steady(*next));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& stopped) {
    if (stopped) return;
    self->armed_.reset();
    self->core_.on_timeout(app::now());
    self->pump();
    self->drain();
  });
}

Client::Client(asio::any_io_executor executor, std::string uri)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(uri))) {}

Client::~Client() {
  impl_->forget_handlers();
  close();
}

Client::Awaitable<std::optional<Error>> Client::connect(Duration timeout) {
  return impl_->connect(timeout);
}
bool Client::connected() const {
  return impl_->connected();
}
void Client::close() {
  impl_->give_up_connecting();
  impl_->end({ErrorKind::kClosed, "the connection to " + escaped(impl_->uri_) + " was closed on this side"});
}

Client::Awaitable<Result<Message, Error>> Client::request(std::string name, Message arguments,
                                                          Duration timeout) {
  auto impl = impl_;
  if (auto error = impl->not_connected()) co_return Failure{*error};
  const auto id = impl->core_.request(std::move(name), arguments, timeout, app::now());
  co_return co_await impl->finish(id, nullptr);
}

Client::Awaitable<Result<Message, Error>> Client::command(std::string name, Message arguments,
                                                          Duration timeout) {
  auto impl = impl_;
  auto answer = co_await request(name, std::move(arguments), timeout);
  if (!answer || answer->flag("success").value_or(false)) co_return answer;
  co_return Failure{Error{ErrorKind::kRefused, escaped(impl->uri_) + " refused '" + escaped(name) + "': " +
                                                   escaped(answer->get("errmsg", "no reason given"), 512)}};
}

Client::Awaitable<Result<Message, Error>> Client::stream(std::string name, std::string event,
                                                         Message arguments,
                                                         std::function<void(const Message&)> each,
                                                         Duration timeout) {
  auto impl = impl_;
  if (auto error = impl->not_connected()) co_return Failure{*error};
  const auto id = impl->core_.request(std::move(name), arguments, timeout, app::now(), std::move(event));
  co_return co_await impl->finish(id, std::move(each));
}

Client::Awaitable<std::optional<Error>> Client::subscribe(std::vector<std::string> events, Duration timeout) {
  auto impl = impl_;
  for (const auto& event : events) {
    if (auto error = impl->not_connected()) co_return error;
    const auto done = co_await impl->finish(impl->core_.subscribe(event, timeout, app::now()), nullptr);
    if (!done) co_return done.error();
  }
  co_return std::nullopt;
}

Client::Awaitable<std::optional<Error>> Client::unsubscribe(std::vector<std::string> events,
                                                            Duration timeout) {
  auto impl = impl_;
  for (const auto& event : events) {
    if (auto error = impl->not_connected()) co_return error;
    const auto done = co_await impl->finish(impl->core_.unsubscribe(event, timeout, app::now()), nullptr);
    if (!done) co_return done.error();
  }
  co_return std::nullopt;
}

void Client::on_event(EventHandler handler) {
  impl_->event_handler_ = std::move(handler);
}
void Client::on_closed(ClosedHandler handler) {
  impl_->closed_handler_ = std::move(handler);
}
const std::string& Client::uri() const {
  return impl_->uri_;
}

}  // namespace sluice::vici
