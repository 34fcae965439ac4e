#pragma once
// sluicectl against the operations server, over a real socket, the server on a thread of its own.

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "edge/admin/operations_server.hpp"
#include "edge/ctl/commands.hpp"
#include "tests/unit/edge_admin/fake_state.hpp"
#include "tests/unit/vici/io_bench.hpp"

namespace sluice::ctl {

using edge::FakeState;
using edge::OperationsServer;
using nlohmann::json;

class Sluicectl : public vici::IoBench {
 protected:
  void SetUp() override {
    ASSERT_FALSE(server.start().has_value());
    thread = std::thread([this] { io.run(); });
  }
  void TearDown() override {
    boost::asio::post(io, [this] { server.stop(); });
    guard.reset();
    thread.join();
  }
  void on_server_thread(const std::function<void()>& task) {
    std::promise<void> done;
    boost::asio::post(io, [&] { task(), done.set_value(); });
    done.get_future().wait();
  }
  int ctl(std::vector<std::string> words, Terminal terminal = {}) {
    out.str("");
    error.str("");
    return run_ctl(std::move(words), terminal, socket_path);
  }
  int run_ctl(std::vector<std::string> words, Terminal terminal, const std::string& socket) {
    return ctl::run(std::move(words), {out, error, terminal, socket});
  }
  json parsed() { return json::parse(out.str()); }

  FakeState state;
  OperationsServer server{io.get_executor(), {.path = socket_path, .owner = {}, .group = {}}, state};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{io.get_executor()};
  std::thread thread;
  std::ostringstream out;
  std::ostringstream error;
};

}  // namespace sluice::ctl
