#pragma once
// The agent's end of the data carrier "tls": dials the edge's channel a second time, says by its token which
// channel it belongs to, and dials again while it is wanted. Thread: the io_context's.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "proto/transport/data_link.hpp"

namespace sluice::transport {

class DataDialer : public std::enable_shared_from_this<DataDialer> {
 public:
  struct Config {
    net::ip::tcp::endpoint remote;  ///< that of the control stream
    TlsIdentity identity;
    std::string edge_name;
    channel::StreamToken token{};
    std::chrono::milliseconds connect_timeout{3000};  ///< TCP, then the same again for TLS
    std::chrono::milliseconds pause_min{100}, pause_max{1600};
  };
  struct Events {
    std::function<void(Bytes records)> frames;
    /// `cause`: why it is down, or why an attempt failed; printable.
    std::function<void(bool up, const std::string& cause)> changed;
  };

  /// Dials at once. It lives until stop(), whoever holds it.
  static std::shared_ptr<DataDialer> start(net::any_io_executor executor, Config config, Events events);
  /// Made by start().
  DataDialer(net::any_io_executor executor, Config config, Events events);

  /// As DataLink::send; false while there is none.
  bool send(Bytes records, std::size_t frames) { return link_ && link_->send(records, frames); }
  /// No event follows.
  void stop();

 private:
  net::awaitable<void> run();
  net::awaitable<std::string> attempt();
  net::awaitable<std::optional<std::string>> connect();

  Config config_;
  Events events_;
  net::steady_timer timer_;
  net::ip::tcp::socket socket_;
  DataLink::Ptr link_;
  bool stopped_ = false;
  bool was_up_ = false;  ///< in this attempt
};

}  // namespace sluice::transport
