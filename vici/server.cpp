#include "vici/server.hpp"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <set>
#include <variant>
#include <vector>

#include "base/app/unix_listener.hpp"
#include "base/text.hpp"
#include "vici/server_core.hpp"

namespace sluice::vici {
namespace asio = boost::asio;
namespace {

using Socket = asio::local::stream_protocol::socket;
using Acceptor = asio::local::stream_protocol::acceptor;
using asio::awaitable;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
// A streamed answer is made only this far ahead of the client's reading; beyond it, new requests wait too.
constexpr std::size_t kWindow = 64 * 1024;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

struct Connection {
  Connection(Socket s, std::function<bool(std::string_view)> known_event)
      : socket(std::move(s)),
        core(std::move(known_event)),
        resume(socket.get_executor()),
        stall(socket.get_executor()) {
    resume.expires_at(asio::steady_timer::time_point::max());
  }
  Socket socket;
  ServerCore core;
  PeerCredentials peer;
  asio::steady_timer resume;  // wakes the read loop
  asio::steady_timer stall;   // ends a client that does not read
  std::optional<Server::Stream> stream;
  std::string stream_event;
  std::uint64_t command_serial = 0;
  std::size_t in_flight = 0;
  bool open = true;
  bool writing = false;
  bool draining = false;
};
using ConnectionPtr = std::shared_ptr<Connection>;

struct StreamHandler {
  std::string event;
  Server::StreamCommand make;
};
struct LiveHandler {
  std::string event;
  Server::LiveCommand begin;
};
using Handler = std::variant<Server::Command, Server::DeferredCommand, StreamHandler, LiveHandler>;

Message failed(const std::string& text) {
  Message answer;
  answer.add("success", false).add("errmsg", std::string_view(text));
  return answer;
}

PeerCredentials credentials_of(Socket& socket) {
  ucred raw{};
  socklen_t size = sizeof raw;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &raw, &size) != 0) return {};
  return {raw.pid, raw.uid, raw.gid};
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(asio::any_io_executor executor, ServerOptions options)
      : executor_(std::move(executor)), options_(std::move(options)), acceptor_(executor_) {}

  std::optional<Error> start();
  void stop();
  void raise(const std::string& name, const Message& message);
  bool has_subscribers(const std::string& name) const;

  asio::any_io_executor executor_;
  ServerOptions options_;
  std::map<std::string, Handler, std::less<>> handlers_;
  std::set<std::string, std::less<>> events_;
  std::set<ConnectionPtr> connections_;
  CounterArray<ServerCounter> counters_;

 private:
  static awaitable<void> accept_loop(std::shared_ptr<Impl> self);
  static awaitable<void> read_loop(std::shared_ptr<Impl> self, ConnectionPtr connection);
  static awaitable<void> write_loop(std::shared_ptr<Impl> self, ConnectionPtr connection);
  void welcome(Socket socket);
  void drain(const ConnectionPtr& connection);
  void dispatch(const ConnectionPtr& connection, CommandAsked asked);
  void answer(const ConnectionPtr& connection, const Message& message);
  void begin_stream(const ConnectionPtr& connection, const StreamHandler& handler, const Message& arguments);
  void pump_stream(const ConnectionPtr& connection);
  class LiveConnection;
  void begin_live(const ConnectionPtr& connection, const LiveHandler& handler, const Request& request);
  void start_writing(const ConnectionPtr& connection);
  void close(const ConnectionPtr& connection);
  void close_if_slow(const ConnectionPtr& connection);

  Acceptor acceptor_;
  app::UnixListener listener_;
};

std::optional<Error> Server::Impl::start() {
  if (acceptor_.is_open()) return std::nullopt;
  auto listener = app::open_unix_listener({options_.path, options_.mode, options_.owner, options_.group});
  if (!listener) return Error{ErrorKind::kAddress, listener.error()};
  listener_.device = listener->device;
  listener_.inode = listener->inode;
  acceptor_.assign(asio::local::stream_protocol(), listener->fd.release());
  asio::co_spawn(executor_, accept_loop(shared_from_this()), asio::detached);
  return std::nullopt;
}

void Server::Impl::stop() {
  if (acceptor_.is_open()) {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    app::remove_unix_listener(options_.path, listener_);
  }
  const auto open = connections_;
  for (const auto& connection : open) close(connection);
}

awaitable<void> Server::Impl::accept_loop(std::shared_ptr<Impl> self) {
  asio::steady_timer pause(self->executor_);
  while (self->acceptor_.is_open()) {
    auto [fault, socket] = co_await self->acceptor_.async_accept(kTuple);
    if (!self->acceptor_.is_open()) break;
    if (!fault) {
      self->welcome(std::move(socket));
    } else {
      // Out of descriptors or memory: the client waits in the backlog until some are free.
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kTuple);
    }
  }
}

void Server::Impl::welcome(Socket socket) {
  if (connections_.size() >= options_.max_connections) {
    counters_.add(ServerCounter::kTooMany);
    return;
  }
  counters_.add(ServerCounter::kConnections);
  auto connection = std::make_shared<Connection>(
      std::move(socket), [this](std::string_view event) { return events_.contains(event); });
  connection->peer = credentials_of(connection->socket);
  connections_.insert(connection);
  asio::co_spawn(executor_, read_loop(shared_from_this(), connection), asio::detached);
}

awaitable<void> Server::Impl::read_loop(std::shared_ptr<Impl> self, ConnectionPtr connection) {
  auto& core = connection->core;
  std::vector<std::uint8_t> buffer(16 * 1024);
  while (connection->open) {
    if (!core.wants_input() || core.queued_bytes() > kWindow) {
      co_await connection->resume.async_wait(kTuple);
      continue;
    }
    const auto [fault, size] = co_await connection->socket.async_read_some(asio::buffer(buffer), kTuple);
    if (!connection->open) break;
    if (fault) {
      self->close(connection);
      break;
    }
    core.on_bytes(Bytes(buffer).first(size));
    self->drain(connection);
  }
}

void Server::Impl::drain(const ConnectionPtr& connection) {
  if (connection->draining) return;  // a handler answered at once: the loop below goes on
  connection->draining = true;
  while (connection->open) {
    auto event = connection->core.poll_event();
    if (!event) break;
    if (auto* asked = std::get_if<CommandAsked>(&*event)) {
      dispatch(connection, std::move(*asked));
    } else if (const auto* broken = std::get_if<ProtocolBroken>(&*event)) {
      counters_.add(broken->oversize ? ServerCounter::kOversize : ServerCounter::kMalformed);
      close(connection);
    }
  }
  connection->draining = false;
  if (connection->open) start_writing(connection);
}

void Server::Impl::dispatch(const ConnectionPtr& connection, CommandAsked asked) {
  const auto serial = ++connection->command_serial;
  const auto at = handlers_.find(asked.name);
  if (at == handlers_.end()) {
    counters_.add(ServerCounter::kUnknownCommands);
    connection->core.respond_unknown();
    return;
  }
  counters_.add(ServerCounter::kRequests);
  // A copy: a handler may register or replace commands.
  const auto handler = at->second;
  try {
    if (const auto* simple = std::get_if<Command>(&handler)) {
      answer(connection, (*simple)(asked.arguments));
    } else if (const auto* streaming = std::get_if<StreamHandler>(&handler)) {
      begin_stream(connection, *streaming, asked.arguments);
    } else if (const auto* live = std::get_if<LiveHandler>(&handler)) {
      begin_live(connection, *live, {std::move(asked.name), std::move(asked.arguments), connection->peer});
    } else if (const auto* deferred = std::get_if<DeferredCommand>(&handler)) {
      const Request request{std::move(asked.name), std::move(asked.arguments), connection->peer};
      (*deferred)(
          request, [impl = weak_from_this(), weak = std::weak_ptr(connection), serial](const Message& reply) {
            const auto self = impl.lock();
            const auto client = weak.lock();
            if (!self || !client || !client->open || client->command_serial != serial || !client->core.busy())
              return;
            self->answer(client, reply);
          });
    }
  } catch (const std::exception& fault) {
    connection->stream.reset();
    if (connection->open && connection->core.busy()) answer(connection, failed(fault.what()));
  }
}

void Server::Impl::answer(const ConnectionPtr& connection, const Message& message) {
  if (!connection->open) return;
  if (!connection->core.respond(message)) counters_.add(ServerCounter::kUnencodable);
  connection->resume.cancel();
  drain(connection);
}

void Server::Impl::begin_stream(const ConnectionPtr& connection, const StreamHandler& handler,
                                const Message& arguments) {
  auto stream = handler.make(arguments);
  if (!connection->core.registered(handler.event)) return answer(connection, stream.answer);
  connection->stream = std::move(stream);
  connection->stream_event = handler.event;
  pump_stream(connection);
}

void Server::Impl::pump_stream(const ConnectionPtr& connection) {
  auto& core = connection->core;
  while (connection->open && connection->stream && core.queued_bytes() < kWindow) {
    const auto message = connection->stream->next ? connection->stream->next() : std::nullopt;
    if (!message) {
      const auto last = std::move(connection->stream->answer);
      connection->stream.reset();
      return answer(connection, last);
    }
    counters_.add(core.send_event(connection->stream_event, *message) ? ServerCounter::kEvents
                                                                      : ServerCounter::kUnencodable);
  }
}

class Server::Impl::LiveConnection final : public Server::Live {
 public:
  LiveConnection(const std::shared_ptr<Impl>& impl, const ConnectionPtr& connection, std::string event)
      : impl_(impl), connection_(connection), serial_(connection->command_serial), event_(std::move(event)) {}

  bool open() const override { return client() != nullptr; }
  bool send(const Message& message) override {
    const auto impl = impl_.lock();
    const auto client = this->client();
    if (!impl || !client) return false;
    // The answer still has to fit behind it.
    if (client->core.queued_bytes() + client->in_flight > impl->options_.max_queued_bytes / 2) return false;
    if (!client->core.send_event(event_, message)) {
      impl->counters_.add(ServerCounter::kUnencodable);
      return false;
    }
    impl->counters_.add(ServerCounter::kEvents);
    impl->start_writing(client);
    return true;
  }
  void finish(const Message& answer) override {
    const auto impl = impl_.lock();
    if (const auto client = this->client(); impl && client) impl->answer(client, answer);
  }

 private:
  ConnectionPtr client() const {
    auto client = connection_.lock();
    const bool waits = client && client->open && client->command_serial == serial_ && client->core.busy();
    return waits ? client : nullptr;
  }

  std::weak_ptr<Impl> impl_;
  std::weak_ptr<Connection> connection_;
  std::uint64_t serial_;
  std::string event_;
};

void Server::Impl::begin_live(const ConnectionPtr& connection, const LiveHandler& handler,
                              const Request& request) {
  if (!connection->core.registered(handler.event)) {
    return answer(connection, failed("register for the event '" + handler.event + "' first"));
  }
  handler.begin(request, std::make_shared<LiveConnection>(shared_from_this(), connection, handler.event));
}

void Server::Impl::start_writing(const ConnectionPtr& connection) {
  if (connection->core.queued_bytes() == 0 || std::exchange(connection->writing, true)) return;
  asio::co_spawn(executor_, write_loop(shared_from_this(), connection), asio::detached);
}

awaitable<void> Server::Impl::write_loop(std::shared_ptr<Impl> self, ConnectionPtr connection) {
  ByteVector batch;
  while (connection->open) {
    batch.clear();
    while (batch.size() < kWindow) {
      const auto packet = connection->core.poll_transmit();
      if (!packet) break;
      batch.insert(batch.end(), packet->begin(), packet->end());
    }
    if (batch.empty()) break;
    connection->in_flight = batch.size();
    while (connection->open && connection->in_flight > 0) {
      connection->stall.expires_after(self->options_.write_timeout);
      connection->stall.async_wait([self, connection](const boost::system::error_code& stopped) {
        if (stopped || !connection->open || connection->in_flight == 0) return;
        self->counters_.add(ServerCounter::kSlowReaders);
        self->close(connection);
      });
      const auto rest = Bytes(batch).last(connection->in_flight);
      const auto [fault, size] =
          co_await connection->socket.async_write_some(asio::buffer(rest.data(), rest.size()), kTuple);
      if (!connection->open) co_return;
      if (fault) {
        self->close(connection);
        co_return;
      }
      connection->in_flight -= size;
    }
    connection->resume.cancel();
    try {
      self->pump_stream(connection);
    } catch (const std::exception& fault) {
      connection->stream.reset();
      self->answer(connection, failed(fault.what()));
    }
  }
  connection->writing = false;
  connection->stall.cancel();
}

void Server::Impl::close(const ConnectionPtr& connection) {
  if (!std::exchange(connection->open, false)) return;
  boost::system::error_code ignored;
  connection->socket.close(ignored);
  connection->resume.cancel();
  connection->stall.cancel();
  connection->stream.reset();
  connections_.erase(connection);
}

void Server::Impl::close_if_slow(const ConnectionPtr& connection) {
  if (connection->core.queued_bytes() + connection->in_flight <= options_.max_queued_bytes) return;
  counters_.add(ServerCounter::kSlowReaders);
  close(connection);
}

bool Server::Impl::has_subscribers(const std::string& name) const {
  for (const auto& connection : connections_) {
    if (connection->core.registered(name)) return true;
  }
  return false;
}

void Server::Impl::raise(const std::string& name, const Message& message) {
  if (!has_subscribers(name)) return;
  const auto packet = encode_packet(PacketType::kEvent, name, message);
  if (!packet) {
    counters_.add(ServerCounter::kUnencodable);
    return;
  }
  const auto open = connections_;
  for (const auto& connection : open) {
    if (!connection->core.send_encoded_event(name, *packet)) continue;
    counters_.add(ServerCounter::kEvents);
    start_writing(connection);
    close_if_slow(connection);
  }
}

Server::Server(asio::any_io_executor executor, ServerOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}
Server::~Server() {
  stop();
}

void Server::command(std::string name, Command handler) {
  impl_->handlers_.insert_or_assign(std::move(name), std::move(handler));
}
void Server::deferred_command(std::string name, DeferredCommand handler) {
  impl_->handlers_.insert_or_assign(std::move(name), std::move(handler));
}
void Server::stream_command(std::string name, std::string event, StreamCommand handler) {
  declare_event(event);
  impl_->handlers_.insert_or_assign(std::move(name), StreamHandler{std::move(event), std::move(handler)});
}
void Server::live_command(std::string name, std::string event, LiveCommand handler) {
  declare_event(event);
  impl_->handlers_.insert_or_assign(std::move(name), LiveHandler{std::move(event), std::move(handler)});
}
void Server::declare_event(std::string name) {
  impl_->events_.insert(std::move(name));
}

std::optional<Error> Server::start() {
  return impl_->start();
}
void Server::stop() {
  impl_->stop();
}
void Server::raise(const std::string& name, const Message& message) {
  impl_->raise(name, message);
}
bool Server::has_subscribers(const std::string& name) const {
  return impl_->has_subscribers(name);
}
std::size_t Server::connections() const {
  return impl_->connections_.size();
}
std::uint64_t Server::read(ServerCounter counter) const {
  return impl_->counters_.read(counter);
}
const std::string& Server::path() const {
  return impl_->options_.path;
}

}  // namespace sluice::vici
