#include "base/metrics/metrics_server.hpp"

#include "base/app/log.hpp"
#include "base/metrics/common_catalogue.hpp"

namespace sluice::metrics {

Result<std::unique_ptr<MetricsServer>, std::string> MetricsServer::open(MetricsServerContext context,
                                                                        const http::ListenAt& at) {
  auto& io = context.io;
  std::unique_ptr<MetricsServer> out(new MetricsServer(std::move(context)));
  auto listener = http::HttpListener::open(
      io, at, [server = out.get()](std::string_view path) { return server->answer(path); });
  if (!listener) return Failure{"metrics.listen: " + listener.error()};
  out->listener_ = std::move(*listener);
  app::log_info("operations.metrics", "metrics served", {{"listen", http::to_string(at)}});
  if (!http::is_local(at)) {
    app::log_warning(
        "operations.metrics-open",
        "whoever reaches the metrics' address can read them: let a firewall keep it to Prometheus",
        {{"listen", http::to_string(at)}});
  }
  return out;
}

std::optional<http::HttpAnswer> MetricsServer::answer(std::string_view path) {
  if (path == "/metrics") return http::HttpAnswer{200, page(), "text/plain; version=0.0.4; charset=utf-8"};
  if (path == "/healthz") return http::HttpAnswer{200, "ok\n"};
  if (path != "/readyz") return std::nullopt;
  const auto why = context_.unready();
  if (why) return http::HttpAnswer{503, "not ready: " + *why + "\n"};
  return http::HttpAnswer{200, "ready\n"};
}

const std::string& MetricsServer::page() {
  const auto now = context_.now();
  if (made_at_ && now - *made_at_ < kPageLife) return page_;
  made_at_ = now;
  Page made;
  context_.collect(made);
  made.add(common("sluice_ready"), context_.unready() ? 0 : 1);
  for (std::size_t i = 0; i < CounterArray<http::HttpCount>::kSize; ++i) {
    const auto what = static_cast<http::HttpCount>(i);
    made.add(common("sluice_http_requests_total"), {http::to_string(what)},
             static_cast<double>(listener_->counts().read(what)));
  }
  page_ = made.text();
  return page_;
}

}  // namespace sluice::metrics
