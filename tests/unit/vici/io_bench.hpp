#pragma once
// An event loop, a folder of its own, and raw connections, for tests of the shells.

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "vici/packet.hpp"

namespace sluice::vici {

namespace asio = boost::asio;
template <class T>
using Awaitable = asio::awaitable<T>;

class IoBench : public testing::Test {
 protected:
  static constexpr auto kPatience = std::chrono::seconds(20);

  IoBench() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-vici-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    folder = name;
    socket_path = (folder / "test.sock").string();
  }
  ~IoBench() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  /// Runs the loop until the coroutine is done; its value. Fails the test after kPatience.
  template <class T>
  T run(Awaitable<T> task) {
    std::optional<T> out;
    start<T>(std::move(task), [&](T value) { out.emplace(std::move(value)); });
    run_until([&] { return out.has_value(); });
    return std::move(*out);
  }
  /// Starts the coroutine; `done` is called with its value, unless it throws. It may be cancelled through the
  /// slot.
  template <class T>
  void start(Awaitable<T> task, std::function<void(T)> done, asio::cancellation_slot slot = {}) {
    const auto body = [](Awaitable<T> inner, std::function<void(T)> then) -> Awaitable<void> {
      then(co_await std::move(inner));
    };
    asio::co_spawn(io, body(std::move(task), std::move(done)),
                   asio::bind_cancellation_slot(slot, asio::detached));
  }
  void run_until(const std::function<bool()>& condition) {
    io.restart();
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end)
        throw std::runtime_error("what the test waits for did not happen");
      io.run_one_for(std::chrono::seconds(1));
      if (io.stopped()) io.restart();
    }
  }

  /// A connection without a client's manners.
  asio::local::stream_protocol::socket raw() {
    asio::local::stream_protocol::socket socket(io);
    socket.connect(asio::local::stream_protocol::endpoint(socket_path));
    return socket;
  }
  static void send(asio::local::stream_protocol::socket& socket, Bytes bytes) {
    asio::write(socket, asio::buffer(bytes.data(), bytes.size()));
  }
  static ByteVector packet(PacketType type, std::string_view name = {}, const Message& message = {}) {
    return encode_packet(type, name, message).value();
  }

  std::filesystem::path folder;
  std::string socket_path;
  asio::io_context io;
};

}  // namespace sluice::vici
