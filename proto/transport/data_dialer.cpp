#include "proto/transport/data_dialer.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/text.hpp"

namespace sluice::transport {
namespace {

using ErrorCode = boost::system::error_code;
constexpr auto kAwait = net::as_tuple(net::use_awaitable);

}  // namespace

DataDialer::DataDialer(net::any_io_executor executor, Config config, Events events)
    : config_(std::move(config)), events_(std::move(events)), timer_(executor), socket_(executor) {}

std::shared_ptr<DataDialer> DataDialer::start(net::any_io_executor executor, Config config, Events events) {
  auto dialer = std::make_shared<DataDialer>(executor, std::move(config), std::move(events));
  net::co_spawn(
      executor, [dialer] { return dialer->run(); }, net::detached);
  return dialer;
}

void DataDialer::stop() {
  stopped_ = true;
  timer_.cancel();
  ErrorCode ignored;
  socket_.close(ignored);
  if (const auto link = std::exchange(link_, nullptr)) link->close();
}

net::awaitable<void> DataDialer::run() {
  const auto keep = shared_from_this();
  auto pause = config_.pause_min;
  while (!stopped_) {
    was_up_ = false;
    const auto cause = co_await attempt();
    link_.reset();
    if (stopped_) break;
    events_.changed(false, cause);
    if (was_up_) pause = config_.pause_min;
    timer_.expires_after(pause);
    co_await timer_.async_wait(kAwait);
    pause = std::min(pause * 2, config_.pause_max);
  }
}

/// One connection from dialling to its end; why it ended.
net::awaitable<std::string> DataDialer::attempt() {
  if (const auto cause = co_await connect()) co_return *cause;
  TlsOptions options;
  options.protocol = kDataProtocol;
  options.handshake_timeout = config_.connect_timeout;
  options.authorise = [name = config_.edge_name](const PeerName& peer) { return peer.name == name; };
  auto stream = co_await TlsStream::connect(std::move(socket_), config_.identity, std::move(options));
  if (!stream) {
    co_return std::string(to_string(stream.error().failure)) + ": " + escaped(stream.error().text, 512);
  }
  if (stopped_ || (*stream)->protocol() != kDataProtocol) {
    (*stream)->abort();
    co_return "the edge has no data carrier over TLS";
  }
  link_ = std::make_shared<DataLink>(std::move(*stream), config_.token,
                                     DataLink::Events{.token = {}, .frames = [this](Bytes records) {
                                                        if (!stopped_) events_.frames(records);
                                                      }});
  was_up_ = true;
  events_.changed(true, "");
  // Held here as well: stop() lets go of the member.
  const auto running = link_;
  if (!running) co_return "stopped";
  co_return co_await running->run();
}

net::awaitable<std::optional<std::string>> DataDialer::connect() {
  socket_ = net::ip::tcp::socket(timer_.get_executor());
  const auto late = std::make_shared<bool>(false);
  timer_.expires_after(config_.connect_timeout);
  timer_.async_wait([weak = weak_from_this(), late](const ErrorCode& ec) {
    const auto alive = weak.lock();
    if (ec || !alive) return;
    *late = true;
    ErrorCode ignored;
    alive->socket_.close(ignored);
  });
  const auto [ec] = co_await socket_.async_connect(config_.remote, kAwait);
  timer_.cancel();
  if (!ec && !*late) co_return std::nullopt;
  co_return "cannot connect: " + (*late ? std::string("no answer") : ec.message());
}

}  // namespace sluice::transport
