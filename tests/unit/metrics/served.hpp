#pragma once
// An event loop on a thread of its own, and a client that says and hears raw bytes.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "base/http/http_listener.hpp"

namespace sluice::metrics {

class Loop {
 public:
  ~Loop() {
    work_.reset();
    io.stop();
    thread_.join();
  }
  /// On the loop's thread; waits for it.
  template <class Work>
  auto run(Work work) {
    auto task = std::make_shared<std::packaged_task<decltype(work())()>>(std::move(work));
    auto done = task->get_future();
    boost::asio::post(io, [task] { (*task)(); });
    return done.get();
  }
  boost::asio::io_context io;

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io.get_executor()};
  std::thread thread_{[this] { io.run(); }};
};

inline const http::ListenAt kAnyPort = Endpoint{*IpAddress::parse("127.0.0.1"), 0};

inline boost::asio::ip::tcp::socket connect_to(boost::asio::io_context& io, std::uint16_t port) {
  boost::asio::ip::tcp::socket socket(io);
  socket.connect({boost::asio::ip::make_address("127.0.0.1"), port});
  return socket;
}

/// All that comes until the end of the connection.
template <class Socket>
std::string hear(Socket& socket) {
  std::string heard;
  boost::system::error_code end;
  boost::asio::read(socket, boost::asio::dynamic_buffer(heard), end);
  return heard;
}

template <class Socket>
std::string ask(Socket& socket, const std::string& text) {
  boost::system::error_code ignored;
  boost::asio::write(socket, boost::asio::buffer(text), ignored);
  return hear(socket);
}

inline std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

}  // namespace sluice::metrics
