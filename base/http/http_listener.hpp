#pragma once
// Serves GET requests of machines on this or a near host. Bounded: kMaxConnections, kMaxHeader bytes of
// request, kPatience for each connection from its first to its last byte; one request a connection. Thread:
// the one that runs the io_context.

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/counters.hpp"
#include "base/http/listen_at.hpp"
#include "base/result.hpp"

namespace sluice::http {

inline constexpr std::size_t kMaxConnections = 16;
inline constexpr std::size_t kMaxHeader = 4096;
inline constexpr std::chrono::seconds kPatience{5};

/// What becomes of connections.
enum class HttpCount : std::uint8_t {
  kAnswered,     ///< 200, and what else the handler answers
  kNotFound,     ///< 404: the handler does not know the path
  kNotAllowed,   ///< 405: another method than GET
  kBadRequest,   ///< 400: not HTTP, or its header is too large
  kTimeout,      ///< closed: too slow
  kTooMany,      ///< closed at once: kMaxConnections are open
  kAcceptError,  ///< no descriptor was left
  kCount,
};
std::string_view to_string(HttpCount what);

struct HttpAnswer {
  unsigned status = 200;
  std::string body;
  std::string_view content_type = "text/plain; charset=utf-8";
};

class HttpListener {
 public:
  /// The path without its query, for instance "/metrics". Nothing: there is no such path. Must not block.
  using Handler = std::function<std::optional<HttpAnswer>(std::string_view path)>;

  /// Listens at once; `at` must not be nowhere. Errors name the address, the cause and what to do.
  static Result<HttpListener, std::string> open(boost::asio::io_context& io, const ListenAt& at,
                                                Handler handler);
  HttpListener(HttpListener&&) noexcept;
  HttpListener& operator=(HttpListener&&) noexcept;
  /// As stop().
  ~HttpListener();

  /// Closes everything; the handler is not called any more.
  void stop();
  /// With port 0 asked for, the port it got.
  Endpoint local() const;
  std::size_t connections() const;
  const CounterArray<HttpCount>& counts() const;

 private:
  class Server;
  explicit HttpListener(std::shared_ptr<Server> server);
  std::shared_ptr<Server> server_;
};

}  // namespace sluice::http
