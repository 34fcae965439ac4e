#pragma once
// The edge's end of the sa-feed: a SOCK_SEQPACKET listener with one plugin at a time behind it.

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/app/unique_fd.hpp"
#include "base/counters.hpp"
#include "edge/ike/feed_codec.hpp"

namespace sluice::edge::feed {

/// Called on the event loop, from within FeedServer's own handlers only.
class FeedHandler {
 public:
  virtual ~FeedHandler() = default;
  /// A plugin said hello; one that was there before is gone.
  virtual void feed_connected(const Hello& hello) = 0;
  virtual void feed_lost() = 0;
  /// A plugin of another version than this edge's tried to connect.
  virtual void feed_other_version() {}
  /// Fills `reply` for a request. The handler may take what it wants out of the body.
  virtual void feed_request(Body& request, Reply& reply) = 0;
  /// IkeOut, Alert, Adopted, Reserved, Restored.
  virtual void feed_message(const Body& message) = 0;
};

enum class FeedCounter : std::uint8_t {
  kRequests,
  kIkeIn,
  kIkeOut,
  kDroppedNoPlugin,  ///< frames for the plugin while there is none
  kDroppedFull,      ///< frames the plugin was too slow for
  kRefusedPeer,      ///< connections from accounts that may not
  kUnexpectedFrame,  ///< a frame that the plugin must not send, or not yet
  kBadFrame,         ///< not a frame; the connection is closed
  kCount
};

/// Thread: the one that runs `io`.
class FeedServer {
 public:
  struct Options {
    std::filesystem::path socket;
    /// Accounts taken besides root and our own.
    std::vector<std::uint32_t> uids;
    /// Who may open the socket besides us: given its ownership. -1 leaves it.
    std::int64_t owner_uid = -1;
  };

  FeedServer(boost::asio::io_context& io, Options options, FeedHandler& handler);
  ~FeedServer();
  FeedServer(const FeedServer&) = delete;
  FeedServer& operator=(const FeedServer&) = delete;

  /// Binds, in place of a socket left over. Throws std::runtime_error.
  void start();
  /// Closes everything and removes the socket; the handler hears nothing of it.
  void stop();
  bool connected() const { return welcomed_; }
  /// False if it was dropped; counted.
  bool send(const Frame& frame);
  /// Serves what is there, for at most `wait`, without the event loop: for an orderly end.
  void serve_for(std::chrono::milliseconds wait);
  const CounterArray<FeedCounter>& counters() const { return counters_; }

 private:
  void accept_later();
  void accept_now();
  bool peer_allowed(int fd, std::uint32_t& uid) const;
  void read_later();
  /// Reads frames until there are none left or a burst is done.
  void read_now();
  void on_packet(MutableBytes packet);
  void drop_connection();

  Options options_;
  FeedHandler& handler_;
  boost::asio::posix::stream_descriptor listener_;
  boost::asio::posix::stream_descriptor connection_;
  std::uint64_t generation_ = 0;  // of connection_, so that a late handler of an old one does nothing
  bool welcomed_ = false;
  std::uint64_t boot_ = 0;
  std::vector<std::uint8_t> buffer_;
  CounterArray<FeedCounter> counters_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // handlers already queued when we go see that
};

}  // namespace sluice::edge::feed
