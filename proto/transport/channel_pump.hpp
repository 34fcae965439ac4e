#pragma once
// Joins one TLS stream and one control core: bytes and time in, events and bytes out. Thread: the
// io_context's.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/app/clock.hpp"
#include "base/text.hpp"
#include "proto/transport/asio_support.hpp"
#include "proto/transport/tls_stream.hpp"

namespace sluice::transport {

/// `Core` is channel::EdgeControl or channel::AgentControl. `on_event` gets every event, Dead last. Make it
/// with make_shared, then run().
template <class Core>
class ChannelPump : public std::enable_shared_from_this<ChannelPump<Core>> {
 public:
  using Event = typename decltype(std::declval<Core&>().poll_event())::value_type;

  template <class Config, class Spis>
  ChannelPump(TlsStream::Ptr stream, Config config, Spis& spis, net::any_io_executor executor,
              std::function<void(Event&)> on_event)
      : stream_(std::move(stream)),
        core_(std::move(config), spis, app::now()),
        executor_(std::move(executor)),
        timer_(executor_),
        on_event_(std::move(on_event)) {}

  Core& core() { return core_; }
  TlsStream& stream() { return *stream_; }

  /// Until the core is dead and its last event given out.
  net::awaitable<void> run() {
    const auto keep = this->shared_from_this();
    drain();
    while (!core_.dead()) {
      const auto got = co_await stream_->read();
      if (core_.dead()) break;
      if (got) {
        core_.on_bytes(*got, app::now());
      } else if (got.error().failure == TlsFailure::kTimeout) {
        core_.on_silent(got.error().text);
      } else {
        core_.on_stream_closed(std::string(to_string(got.error().failure)) + ": " +
                               escaped(got.error().text));
      }
      drain();
    }
  }

  /// After a command: what it queued goes out from the loop, together with what the next commands queue.
  void poke() {
    if (poked_) return;
    poked_ = true;
    net::post(executor_, [weak = this->weak_from_this()] {
      if (const auto keep = weak.lock()) {
        keep->poked_ = false;
        keep->drain();
      }
    });
  }

  /// Events first, then bytes: whoever installs keys on an event has done so before the peer learns of them.
  void drain() {
    if (draining_) return;
    draining_ = true;
    const auto keep = this->shared_from_this();
    while (true) {
      while (auto event = core_.poll_event()) on_event_(*event);
      const auto bytes = core_.poll_transmit();
      if (bytes.empty()) break;
      if (!stream_->send(bytes) && !core_.dead()) {
        core_.on_stalled(std::to_string(stream_->queued()) + " bytes wait to be read by the peer");
      }
    }
    draining_ = false;
    if (core_.dead()) {
      timer_.cancel();
      stream_->close();
    } else {
      arm();
    }
  }

 private:
  void arm() {
    const auto next = core_.next_timeout();
    if (!next || (armed_ && *armed_ <= *next)) return;
    armed_ = next;
    timer_.expires_at(to_asio(*next));
    timer_.async_wait([weak = this->weak_from_this()](const boost::system::error_code& ec) {
      const auto keep = weak.lock();
      if (ec || !keep) return;
      keep->armed_.reset();
      keep->core_.on_timeout(app::now());
      keep->drain();
    });
  }

  TlsStream::Ptr stream_;
  Core core_;
  net::any_io_executor executor_;
  net::steady_timer timer_;
  std::function<void(Event&)> on_event_;
  std::optional<Instant> armed_;
  bool poked_ = false;
  bool draining_ = false;
};

}  // namespace sluice::transport
