#pragma once
// A vici client on Asio. Thread: everything on the one thread that runs the executor; so are the callbacks.
//
// Use one client for commands and another for events: a daemon that is slow with an answer must not hold back
// events.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "vici/error.hpp"
#include "vici/message.hpp"

namespace sluice::vici {

class Client {
 public:
  template <class T>
  using Awaitable = boost::asio::awaitable<T>;
  using EventHandler = std::function<void(const std::string& name, const Message& message)>;
  using ClosedHandler = std::function<void(const Error& error)>;

  static constexpr Duration kDefaultTimeout = std::chrono::seconds(5);

  /// `uri` is "unix:///run/charon.vici", a path that starts with '/', or "tcp://192.0.2.1:4502" (numbers
  /// only).
  Client(boost::asio::any_io_executor executor, std::string uri);
  /// Closes; open operations end with kClosed and the closed handler is not called.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Connects; nothing means done. May be called again after the connection was lost or closed: subscriptions
  /// and requests of the old connection are gone.
  Awaitable<std::optional<Error>> connect(Duration timeout = kDefaultTimeout);
  bool connected() const;
  /// Ends the connection now. Open operations end with kClosed; the closed handler is not called.
  void close();

  /// One command and its answer as it is. Requests on one client are sent one after the other; `timeout`
  /// counts from the call. Cancelling the awaiting coroutine drops the answer.
  Awaitable<Result<Message, Error>> request(std::string name, Message arguments = {},
                                            Duration timeout = kDefaultTimeout);
  /// The same for commands that answer success = yes or no: a "no" becomes kRefused with the daemon's errmsg.
  Awaitable<Result<Message, Error>> command(std::string name, Message arguments = {},
                                            Duration timeout = kDefaultTimeout);
  /// A command that streams: `each` sees every message of `event`, then the answer is returned. `timeout` is
  /// the longest silence.
  Awaitable<Result<Message, Error>> stream(std::string name, std::string event, Message arguments,
                                           std::function<void(const Message&)> each,
                                           Duration timeout = kDefaultTimeout);
  /// Registers for events; they come through the event handler. The first that is refused ends it.
  Awaitable<std::optional<Error>> subscribe(std::vector<std::string> events,
                                            Duration timeout = kDefaultTimeout);
  Awaitable<std::optional<Error>> unsubscribe(std::vector<std::string> events,
                                              Duration timeout = kDefaultTimeout);

  /// Set before subscribe(). Called from the event loop, never from within a call into the client.
  void on_event(EventHandler handler);
  /// Called once when a connection that stood is lost, at once, after open operations were ended. Not for
  /// close().
  void on_closed(ClosedHandler handler);

  const std::string& uri() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sluice::vici
