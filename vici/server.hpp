#pragma once
// A vici server on a unix socket, on Asio. Thread: everything, handlers included, on the one thread that runs
// the executor.

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/counters.hpp"
#include "base/time.hpp"
#include "vici/error.hpp"
#include "vici/message.hpp"

namespace sluice::vici {

/// Who is at the other end of a connection (SO_PEERCRED), as it was when they connected.
struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Request {
  std::string name;
  Message arguments;
  PeerCredentials peer;
};

/// What the server counts; kCount is the number of counters.
enum class ServerCounter : std::uint8_t {
  kConnections,      ///< accepted
  kTooMany,          ///< turned away: max_connections were open
  kRequests,         ///< commands handed to a handler
  kUnknownCommands,  ///< answered with CMD_UNKNOWN
  kEvents,           ///< events queued, one for each subscriber
  kMalformed,        ///< connections closed for bytes that are not vici
  kOversize,         ///< connections closed for a packet above 512 KiB
  kSlowReaders,      ///< connections closed because they did not read
  kUnencodable,      ///< answers or events that do not fit a packet
  kCount
};

struct ServerOptions {
  std::string path;  ///< of the socket; its folder must exist
  mode_t mode = 0660;
  std::optional<uid_t> owner;  ///< unset: as the process
  std::optional<gid_t> group;  ///< unset: as the process
  std::size_t max_connections = 64;
  std::size_t max_queued_bytes =
      4 * 1024 * 1024;  ///< of unread answers and events; more closes the connection
  Duration write_timeout =
      std::chrono::seconds(30);  ///< without a byte read by the client: closes the connection
};

class Server {
 public:
  /// Answers at once.
  using Command = std::function<Message(const Message& arguments)>;
  /// Answers when it can, from the same thread, by calling `reply` once. Calls after the client left do
  /// nothing.
  using Reply = std::function<void(Message)>;
  using DeferredCommand = std::function<void(const Request& request, Reply reply)>;
  /// The messages of a streamed answer, asked for one by one as the client reads, then the answer itself.
  struct Stream {
    std::function<std::optional<Message>()> next;
    Message answer;
  };
  using StreamCommand = std::function<Stream(const Message& arguments)>;
  /// The way to the client of a command whose messages come as things happen.
  class Live {
   public:
    virtual ~Live() = default;
    /// The client is there and waits. Once false it stays false.
    virtual bool open() const = 0;
    /// Sends one message of the event. False: it was not, because the client is gone or does not keep up.
    virtual bool send(const Message& message) = 0;
    /// Ends the command; the first answer counts.
    virtual void finish(const Message& answer) = 0;
  };
  using LiveCommand = std::function<void(const Request& request, std::shared_ptr<Live> live)>;

  Server(boost::asio::any_io_executor executor, ServerOptions options);
  /// Stops.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Registration, before start() or later. A handler that throws answers success = no with the exception's
  // text.
  void command(std::string name, Command handler);
  void deferred_command(std::string name, DeferredCommand handler);
  /// Also declares `event`, under which the messages go to the asking client if it registered for it.
  void stream_command(std::string name, std::string event, StreamCommand handler);
  /// Likewise, but for clients that did not register: they are refused, because there is nothing else to
  /// give. A client that left is noticed by Live::open() alone.
  void live_command(std::string name, std::string event, LiveCommand handler);
  /// Declares an event that clients may register for.
  void declare_event(std::string name);

  /// Opens the socket; nothing means done. A dead socket file in the way is replaced, a living one is an
  /// error.
  std::optional<Error> start();
  /// Closes all connections and removes the socket file, if it is still ours.
  void stop();

  /// Sends an event to every client registered for it.
  void raise(const std::string& name, const Message& message);
  /// Whether raise() of this event would reach anybody.
  bool has_subscribers(const std::string& name) const;

  std::size_t connections() const;
  std::uint64_t read(ServerCounter counter) const;
  const std::string& path() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sluice::vici
