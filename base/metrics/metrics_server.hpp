#pragma once
// Serves a daemon's /metrics, /healthz and /readyz. Thread: control, which is also what /healthz shows: it
// answers while that thread takes turns.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>

#include "base/http/http_listener.hpp"
#include "base/metrics/page.hpp"
#include "base/time.hpp"

namespace sluice::metrics {

/// A page is made anew at most so often, however many ask.
inline constexpr Duration kPageLife = std::chrono::milliseconds(250);

struct MetricsServerContext {
  boost::asio::io_context& io;
  std::function<Instant()> now;
  /// Fills a page; what the listener counts is added to it.
  std::function<void(Page&)> collect;
  /// Why nobody should be sent here, in a sentence; nothing when ready.
  std::function<std::optional<std::string>()> unready;
};

class MetricsServer {
 public:
  /// Listens; `at` must not be nowhere. The error says what to do.
  static Result<std::unique_ptr<MetricsServer>, std::string> open(MetricsServerContext context,
                                                                  const http::ListenAt& at);
  void stop() { listener_->stop(); }
  const http::HttpListener& listener() const { return *listener_; }

 private:
  explicit MetricsServer(MetricsServerContext context) : context_(std::move(context)) {}
  std::optional<http::HttpAnswer> answer(std::string_view path);
  const std::string& page();

  MetricsServerContext context_;
  std::optional<Instant> made_at_;
  std::string page_;
  std::optional<http::HttpListener> listener_;
};

}  // namespace sluice::metrics
