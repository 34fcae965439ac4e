#include "base/http/http_listener.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_static_buffer.hpp>
#include <boost/beast/http.hpp>
#include <set>

#include "base/app/unix_listener.hpp"

namespace sluice::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;
using boost::system::error_code;
using Any = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Any>;
using Tcp = asio::ip::tcp;
using Local = asio::local::stream_protocol;

/// Until the next try when no descriptor was left.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find('?'));
}

}  // namespace

std::string_view to_string(HttpCount what) {
  switch (what) {
    case HttpCount::kAnswered:
      return "answered";
    case HttpCount::kNotFound:
      return "not-found";
    case HttpCount::kNotAllowed:
      return "not-allowed";
    case HttpCount::kBadRequest:
      return "bad-request";
    case HttpCount::kTimeout:
      return "timeout";
    case HttpCount::kTooMany:
      return "too-many";
    case HttpCount::kAcceptError:
      return "accept-error";
    case HttpCount::kCount:
      break;
  }
  return "?";
}

/// Both kinds of acceptor, and what all connections share. Outlives the listener until its handlers have run.
class HttpListener::Server : public std::enable_shared_from_this<Server> {
 public:
  Server(asio::io_context& io, Handler handler)
      : handler_(std::move(handler)), tcp_(io), local_(io), pause_(io) {}

  std::optional<std::string> listen(const ListenAt& at) {
    if (const auto* endpoint = std::get_if<Endpoint>(&at)) return listen(*endpoint);
    path_ = std::get<std::string>(at);
    auto made = app::open_unix_listener({path_});
    if (!made) return made.error();
    local_.assign(Local(), made->fd.release());
    file_.device = made->device;
    file_.inode = made->inode;
    accept(local_);
    return std::nullopt;
  }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    error_code ignored;
    tcp_.close(ignored);
    if (local_.is_open()) {
      local_.close(ignored);
      app::remove_unix_listener(path_, file_);
    }
    pause_.cancel();
    for (auto* stream : streams_) stream->close();
    handler_ = nullptr;
  }

  Endpoint local() const {
    const auto bound = tcp_.local_endpoint();
    return {*IpAddress::parse(bound.address().to_string()), bound.port()};
  }

  class Connection;
  Handler handler_;
  CounterArray<HttpCount> counts_;
  std::set<Stream*> streams_;
  bool stopped_ = false;

 private:
  std::optional<std::string> listen(const Endpoint& endpoint) {
    const Tcp::endpoint at(asio::ip::make_address(endpoint.address.to_string()), endpoint.port);
    error_code error;
    tcp_.open(at.protocol(), error);
    if (!error) tcp_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) tcp_.bind(at, error);
    if (!error) tcp_.listen(static_cast<int>(kMaxConnections), error);
    if (error) {
      return "cannot listen on " + endpoint.to_string() + ": " + error.message() +
             "; choose another address or port, or end whoever has it";
    }
    accept(tcp_);
    return std::nullopt;
  }

  template <class Acceptor>
  void accept(Acceptor& acceptor);
  void welcome(Any::socket socket);

  Tcp::acceptor tcp_;
  Local::acceptor local_;
  asio::steady_timer pause_;
  std::string path_;
  app::UnixListener file_;
};

class HttpListener::Server::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Server> server, Any::socket socket)
      : server_(std::move(server)), stream_(std::move(socket)) {
    server_->streams_.insert(&stream_);
    parser_.header_limit(kMaxHeader);
    parser_.body_limit(0);
  }
  ~Connection() { server_->streams_.erase(&stream_); }

  void start() {
    stream_.expires_after(kPatience);
    wire::async_read_header(
        stream_, buffer_, parser_,
        [self = shared_from_this()](const error_code& error, std::size_t) { self->on_header(error); });
  }

 private:
  void on_header(const error_code& error) {
    if (server_->stopped_) return;
    if (error == beast::error::timeout) return server_->counts_.add(HttpCount::kTimeout);
    if (error.category() == wire::make_error_code(wire::error::bad_version).category() &&
        error != wire::error::end_of_stream && error != wire::error::partial_message) {
      return answer(HttpCount::kBadRequest, {400, "this is no HTTP request that is served here\n"});
    }
    if (error) return;
    if (parser_.get().method() != wire::verb::get)
      return answer(HttpCount::kNotAllowed, {405, "only GET is served here\n"});
    const auto target = parser_.get().target();
    auto made = server_->handler_(path_of({target.data(), target.size()}));
    if (!made) return answer(HttpCount::kNotFound, {404, "there is no such page\n"});
    answer(HttpCount::kAnswered, std::move(*made));
  }

  void answer(HttpCount what, HttpAnswer made) {
    server_->counts_.add(what);
    response_.result(made.status);
    response_.set(wire::field::content_type,
                  beast::string_view(made.content_type.data(), made.content_type.size()));
    response_.set(wire::field::cache_control, "no-store");
    if (made.status == 405) response_.set(wire::field::allow, "GET");
    response_.keep_alive(false);
    response_.body() = std::move(made.body);
    response_.prepare_payload();
    wire::async_write(stream_, response_, [self = shared_from_this()](const error_code& error, std::size_t) {
      if (error == beast::error::timeout) self->server_->counts_.add(HttpCount::kTimeout);
      error_code ignored;
      self->stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    });
  }

  std::shared_ptr<Server> server_;
  Stream stream_;
  beast::flat_static_buffer<kMaxHeader> buffer_;
  wire::request_parser<wire::empty_body> parser_;
  wire::response<wire::string_body> response_;
};

template <class Acceptor>
void HttpListener::Server::accept(Acceptor& acceptor) {
  acceptor.async_accept([self = shared_from_this(), &acceptor](const error_code& error, auto socket) {
    if (self->stopped_) return;
    if (!error) {
      self->welcome(Any::socket(std::move(socket)));
      return self->accept(acceptor);
    }
    // Who came waits in the backlog.
    self->counts_.add(HttpCount::kAcceptError);
    self->pause_.expires_after(kAcceptPause);
    self->pause_.async_wait([self, &acceptor](const error_code& cancelled) {
      if (!cancelled && !self->stopped_) self->accept(acceptor);
    });
  });
}

void HttpListener::Server::welcome(Any::socket socket) {
  if (streams_.size() >= kMaxConnections) return counts_.add(HttpCount::kTooMany);
  std::make_shared<Connection>(shared_from_this(), std::move(socket))->start();
}

Result<HttpListener, std::string> HttpListener::open(asio::io_context& io, const ListenAt& at,
                                                     Handler handler) {
  auto server = std::make_shared<Server>(io, std::move(handler));
  if (const auto error = server->listen(at)) return Failure{*error};
  return HttpListener(std::move(server));
}

HttpListener::HttpListener(std::shared_ptr<Server> server) : server_(std::move(server)) {}
HttpListener::HttpListener(HttpListener&&) noexcept = default;
HttpListener& HttpListener::operator=(HttpListener&& other) noexcept {
  if (server_ && server_ != other.server_) server_->stop();
  server_ = std::move(other.server_);
  return *this;
}
HttpListener::~HttpListener() {
  if (server_) server_->stop();
}

void HttpListener::stop() {
  server_->stop();
}
Endpoint HttpListener::local() const {
  return server_->local();
}
std::size_t HttpListener::connections() const {
  return server_->streams_.size();
}
const CounterArray<HttpCount>& HttpListener::counts() const {
  return server_->counts_;
}

}  // namespace sluice::http
